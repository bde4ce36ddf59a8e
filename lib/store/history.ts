import type { Database } from "./database.ts";
import { MESSAGE_COLUMNS, MESSAGE_TABLES, messageOf, type StoredMessage } from "./message.ts";
import { MAX_PAGE } from "./outbox.ts";

/** For {@linkcode readHistory}. */
export interface HistoryRequest {
  /** Keys of contacts; all where missing. */
  readonly contacts?: readonly number[];
  /** How many messages, 1 to 1,000. */
  readonly count: number;
  /** Only messages with a smaller key. */
  readonly before?: number;
}

/** The last messages to and from some contacts or all, the newest last. */
export function readHistory(database: Database, request: HistoryRequest): StoredMessage[] {
  const { contacts, before = Number.MAX_SAFE_INTEGER } = request;
  const count = Math.min(request.count, MAX_PAGE);
  if (contacts === undefined) {
    return database.all(
      `SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_TABLES}
       WHERE m.kept = 1 AND m.key < ? ORDER BY m.key DESC LIMIT ?`,
      before,
      count,
    ).reverse().map(messageOf);
  }
  const rows = new Set(contacts).values().flatMap((contact) =>
    database.all(
      `SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_TABLES}
       WHERE m.kept = 1 AND m.contact = ? AND m.key < ? ORDER BY m.key DESC LIMIT ?`,
      contact,
      before,
      count,
    )
  );
  return [...rows].map(messageOf).sort((a, b) => a.key - b.key).slice(-count);
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
