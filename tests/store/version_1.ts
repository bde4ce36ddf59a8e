import { DatabaseSync } from "node:sqlite";

/**
 * A file as the program of version 1 of the schema wrote it. This text is never changed: it stands
 * for the files that are out there.
 */
export function makeVersion1(path: string): void {
  const database = new DatabaseSync(path);
  database.exec(VERSION_1);
  database.close();
}

const VERSION_1 = `
PRAGMA page_size = 4096;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE contact (
  key INTEGER PRIMARY KEY,
  id TEXT,
  nickname TEXT NOT NULL,
  latest TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX contact_id ON contact (id) WHERE id IS NOT NULL;
CREATE UNIQUE INDEX contact_plain ON contact (nickname) WHERE id IS NULL;
CREATE INDEX contact_latest ON contact (latest);

CREATE TABLE message (
  key INTEGER PRIMARY KEY,
  contact INTEGER NOT NULL REFERENCES contact,
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
  kept INTEGER NOT NULL CHECK (kept IN (0, 1)),
  encrypted INTEGER NOT NULL CHECK (encrypted IN (0, 1)),
  trust INTEGER NOT NULL,
  id BLOB CHECK (length(id) = 16),
  timestamp INTEGER NOT NULL,
  stored_at INTEGER NOT NULL,
  reason TEXT,
  nickname TEXT,
  content ANY NOT NULL
) STRICT;
CREATE INDEX message_contact ON message (contact, key);
CREATE INDEX message_pending ON message (contact, key) WHERE state = 1;
CREATE INDEX message_outbox ON message (state, key) WHERE state IN (1, 4);
CREATE UNIQUE INDEX message_outgoing ON message (id) WHERE state > 0;

CREATE TABLE received (
  contact INTEGER NOT NULL REFERENCES contact,
  id BLOB NOT NULL CHECK (length(id) = 16),
  PRIMARY KEY (contact, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE hour (
  hour INTEGER PRIMARY KEY,
  first_key INTEGER NOT NULL,
  last_key INTEGER NOT NULL
) STRICT;

CREATE TABLE clearing (
  contact INTEGER PRIMARY KEY,
  last_key INTEGER NOT NULL
) STRICT;

CREATE VIEW searchable AS
  SELECT key, content, CASE state WHEN 0 THEN 'f' || contact ELSE 'me' END AS author
  FROM message WHERE kept = 1;
CREATE VIRTUAL TABLE search USING fts5(
  content, author,
  content = 'searchable', content_rowid = 'key', columnsize = 0, prefix = '2',
  tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO search (search, rank) VALUES ('usermerge', 2);
PRAGMA application_id = 1348563564;
PRAGMA user_version = 1;
INSERT INTO contact (key, id, nickname, latest) VALUES (1, NULL, 'bob', 'bob');
INSERT INTO message
  (key, contact, state, kept, encrypted, trust, id, timestamp, stored_at, reason, content)
VALUES
  (1, 1, 0, 1, 1, 4, x'018bcfe568007aaa8000000000000001', 1700000000, 1700000000123, NULL,
    'Grüße from 1'),
  (2, 1, 1, 1, 1, 4, x'018bcfe568007aaa8000000000000002', 1700000001, 1700000001123, NULL,
    'still pending');
INSERT INTO received (contact, id) VALUES (1, x'018bcfe568007aaa8000000000000001');
INSERT INTO hour (hour, first_key, last_key) VALUES (472222, 1, 2);
COMMIT;
`;
