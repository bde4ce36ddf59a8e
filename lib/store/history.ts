import type { Database, Row } from "./database.ts";
import { MESSAGE_COLUMNS, MESSAGE_TABLES, messageOf, type StoredMessage } from "./message.ts";
import { fitting, MAX_PAGE, MAX_PAGE_BYTES, type Sized } from "./page.ts";

/** For {@linkcode readHistory}. */
export interface HistoryRequest {
  /** Keys of contacts; all where missing. */
  readonly contacts?: readonly number[];
  /** How many messages, 1 to 1,000. */
  readonly count: number;
  /** Only messages with a smaller key. */
  readonly before?: number;
}

/**
 * The last messages to and from some contacts or all, the newest last: at most
 * {@linkcode MAX_PAGE_BYTES} of text, as far as a single message does not exceed it.
 */
export function readHistory(database: Database, request: HistoryRequest): StoredMessage[] {
  const { contacts, before = Number.MAX_SAFE_INTEGER } = request;
  const count = Math.min(request.count, MAX_PAGE);
  const whose = contacts === undefined ? [undefined] : [...new Set(contacts)];
  const found = whose.flatMap((contact) => sizesOf(database, contact, before, count));
  const newest = found.sort((a, b) => b.key - a.key).slice(0, count);
  const from = fitting(newest, MAX_PAGE_BYTES).at(-1)?.key;
  if (from === undefined) return [];
  const rows = whose.flatMap((contact) =>
    contact === undefined
      ? database.all(
        `SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_TABLES}
         WHERE m.kept = 1 AND m.key >= ? AND m.key < ? ORDER BY m.key LIMIT ${MAX_PAGE}`,
        from,
        before,
      )
      : database.all(
        `SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_TABLES}
         WHERE m.kept = 1 AND m.contact = ? AND m.key >= ? AND m.key < ?
         ORDER BY m.key LIMIT ${MAX_PAGE}`,
        contact,
        from,
        before,
      )
  );
  return rows.map(messageOf).sort((a, b) => a.key - b.key);
}

/** The lengths first: a thousand messages may be as many times 64 KiB. */
function sizesOf(
  database: Database,
  contact: number | undefined,
  before: number,
  count: number,
): Sized[] {
  return contact === undefined
    ? database.all<Sized & Row>(
      `SELECT key, octet_length(content) AS size FROM message
       WHERE kept = 1 AND key < ? ORDER BY key DESC LIMIT ?`,
      before,
      count,
    )
    : database.all<Sized & Row>(
      `SELECT key, octet_length(content) AS size FROM message
       WHERE kept = 1 AND contact = ? AND key < ? ORDER BY key DESC LIMIT ?`,
      contact,
      before,
      count,
    );
}

/** The messages right before and after one in the same conversation. */
export function readNeighbours(
  database: Database,
  { key, contact }: Pick<StoredMessage, "key" | "contact">,
): { before?: StoredMessage; after?: StoredMessage } {
  const before = database.get(
    `SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_TABLES}
     WHERE m.kept = 1 AND m.contact = ? AND m.key < ? ORDER BY m.key DESC LIMIT 1`,
    contact.key,
    key,
  );
  const after = database.get(
    `SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_TABLES}
     WHERE m.kept = 1 AND m.contact = ? AND m.key > ? ORDER BY m.key LIMIT 1`,
    contact.key,
    key,
  );
  return {
    ...(before === undefined ? {} : { before: messageOf(before) }),
    ...(after === undefined ? {} : { after: messageOf(after) }),
  };
}
