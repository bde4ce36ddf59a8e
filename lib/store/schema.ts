/**
 * What the file holds. The list only ever grows at its end: files of every earlier version are out
 * there, and each step is how they become newer.
 *
 * @module
 */

/** One step from a version of the schema to the next. */
export interface Migration {
  /** What it is for, for the log. */
  readonly title: string;
  /** Statements that run in one transaction with the change of the version. */
  readonly sql: string;
}

/** Name of the file in the profile's directory. */
export const HISTORY_FILE = "history.sqlite";

/** "Parl" in ASCII: what the header of our files says (sqlite.org/fileformat2, offset 68). */
export const APPLICATION_ID = 0x5061726c;

/** Of each page of the file, in bytes. */
export const PAGE_BYTES = 4096;

/** Values of `message.state`: one number for the direction and the state of an outgoing message. */
export const STATE = { received: 0, pending: 1, sent: 2, delivered: 3, failed: 4 } as const;

/** Make the search index of the newest version, empty. */
export const SEARCH_TABLE = [
  `CREATE VIRTUAL TABLE search USING fts5(
      content, author,
      content = 'searchable', content_rowid = 'key', columnsize = 0, prefix = '2',
      tokenize = 'unicode61 remove_diacritics 2'
    )`,
  "INSERT INTO search (search, rank) VALUES ('usermerge', 2)",
] as const;

/**
 * The steps; the version of a file is how many of them it has had.
 *
 * - `message.key` is the order of arrival and never used twice. `kept` is 0 for what is only there
 *   to be delivered, and not part of the history. `content` is text, or its UTF-8 as a blob where
 *   it has a NUL, at which the runtime would cut a text.
 * - `contact.nickname` is the first one and never changes, `latest` is for looking it up. A message
 *   has the nickname that its contact had then, where that is another than the first.
 * - `received` remembers ids for ever, apart from the messages, so that clearing the history does
 *   not make an old message new.
 * - `hour` says which keys were given in each hour of the wall clock, the first and the last one: it
 *   finds dates among a million messages for a few bytes an hour, and jumps of the clock do not hurt
 *   it.
 * - `clearing` has the contacts, 0 for all, whose messages are being deleted up to a key.
 * - `search` follows behind `message` up to the key in `meta`; `author` holds `f` and the contact's
 *   key, or `me`, so that a search for one sender meets no rows of others. Beginnings of two letters
 *   have entries of their own: to join those of all words that begin so takes 200 ms among a million
 *   messages, and the entries 33 bytes a message.
 */
export const MIGRATIONS: readonly Migration[] = [{
  title: "messages, contacts, ids received, search",
  sql: `
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
    ${SEARCH_TABLE.join(";\n")};
  `,
}];
