import { type Contact, contactOf } from "./contacts.ts";
import { nextReadable } from "./damage.ts";
import type { Database, Row } from "./database.ts";
import { messageOf, type StoredMessage } from "./message.ts";
import { openReadOnly } from "./open_read_only.ts";

/** What an export meets, in the order of arrival. */
export type ExportItem =
  | { readonly kind: "message"; readonly message: StoredMessage }
  /** No message with a key in this range could be read; not every one needs to have been there. */
  | { readonly kind: "unreadable"; readonly from: number; readonly to: number };

/** Rows in memory at a time. */
const PAGE = 100;
const MAX_KEY = Number.MAX_SAFE_INTEGER;

/**
 * Reads the history, of a damaged file what is readable. The file is not written to, and may be in
 * use; memory stays bounded whatever its size.
 *
 * @throws {StoreError} There is no file, or none that can be opened for reading.
 */
export async function* exportHistory(path: string): AsyncGenerator<ExportItem, void, void> {
  const database = await openReadOnly(path, { isLenient: true });
  try {
    const contacts = new ContactNames(database);
    const end = lastKey(database);
    for (let next = 0; next <= end;) {
      try {
        const rows = readPage(database, next);
        if (rows.length === 0) return;
        for (const row of rows) yield { kind: "message", message: contacts.complete(row) };
        next = (rows.at(-1)!.key as number) + 1;
      } catch {
        const { message, resume } = readOne(database, next, contacts);
        if (message !== undefined) yield { kind: "message", message };
        else yield { kind: "unreadable", from: next, to: Math.min(resume - 1, end) };
        next = resume;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    database.close();
  }
}

const COLUMNS =
  "key, contact, id, state, content, timestamp, stored_at, encrypted, trust, reason, nickname";

function readPage(database: Database, from: number): Row[] {
  return database.all(
    `SELECT ${COLUMNS} FROM message WHERE key >= ? AND kept = 1 ORDER BY key LIMIT ${PAGE}`,
    from,
  );
}

/**
 * The first message from a key on, alone, or where what comes next cannot be read, the key from
 * which on something can be again.
 */
function readOne(
  database: Database,
  from: number,
  contacts: ContactNames,
): { message?: StoredMessage; resume: number } {
  const readable = (key: number): Row | "nothing" | undefined => {
    try {
      const row = database.get(
        `SELECT ${COLUMNS} FROM message WHERE key >= ? AND kept = 1 ORDER BY key LIMIT 1`,
        key,
      );
      return row ?? "nothing";
    } catch {
      return undefined;
    }
  };
  const first = readable(from);
  if (first === "nothing") return { resume: MAX_KEY };
  if (first !== undefined) {
    return { message: contacts.complete(first), resume: (first.key as number) + 1 };
  }
  return { resume: nextReadable((key) => readable(key) !== undefined, from) };
}

/** Where to end; each of the sources may be damaged. */
function lastKey(database: Database): number {
  let last = 0;
  let known = false;
  for (
    const sql of [
      "SELECT max(key) AS key FROM message",
      "SELECT max(last_key) AS key FROM hour",
    ]
  ) {
    try {
      last = Math.max(last, database.get<{ key: number | null }>(sql)?.key ?? 0);
      known = true;
    } catch {
      // The other one knows as well.
    }
  }
  return known ? last : MAX_KEY - 1;
}

/** Contacts by key, read apart: a message whose contact cannot be read is still a message. */
class ContactNames {
  readonly #known = new Map<number, Contact>();

  constructor(private readonly database: Database) {}

  complete(row: Row): StoredMessage {
    const contact = this.#find(row.contact as number);
    return messageOf({
      ...row,
      peer: contact.id ?? null,
      nickname: row.nickname ?? contact.nickname,
    });
  }

  #find(key: number): Contact {
    let contact = this.#known.get(key);
    if (contact !== undefined) return contact;
    try {
      const row = this.database.get("SELECT key, id, nickname FROM contact WHERE key = ?", key);
      contact = row && contactOf(row);
    } catch {
      // Named by its key.
    }
    contact ??= { key, nickname: `?${key}` };
    if (this.#known.size < 10_000) this.#known.set(key, contact);
    return contact;
  }
}
