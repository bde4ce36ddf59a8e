import { nextTurn } from "../base/next_turn.ts";
import { messageOf as messageTextOf } from "../errors.ts";
import { type Contact, contactOf } from "./contacts.ts";
import type { Database, Row } from "./database.ts";
import { messageOf, type StoredMessage } from "./message.ts";
import { openReadOnly, requireWholePages } from "./open_read_only.ts";
import { Salvage } from "./salvage.ts";
import { isDamage, storeProblem } from "./store_error.ts";

/** What an export meets, in the order of arrival. */
export type ExportItem =
  | { readonly kind: "message"; readonly message: StoredMessage }
  /** The file cannot be opened: from here on messages are collected from its pages. */
  | { readonly kind: "broken"; readonly error: Error }
  /**
   * No message with a key in this range could be read; not every one needs to have been there.
   * Without an end it is not known how many came after it, if any.
   */
  | { readonly kind: "unreadable"; readonly from: number; readonly to?: number };

/** Rows in memory at a time. */
const PAGE = 100;

/**
 * Reads the history, of a damaged file what is readable. The file is not written to, and may be in
 * use; memory stays bounded but for a few bytes for each page of a damaged file.
 *
 * @throws {StoreError} There is no file, none that can be opened for reading, or nothing in it.
 */
export async function* exportHistory(path: string): AsyncGenerator<ExportItem, void, void> {
  let database: Database;
  try {
    database = await openReadOnly(path, { isLenient: true });
    try {
      requireWholePages(path);
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    using salvage = await salvageOf(path, error);
    yield { kind: "broken", error: error as Error };
    return yield* salvaged(salvage, new ContactNames(undefined, salvage), 1, undefined);
  }
  try {
    yield* exportFrom(database);
  } finally {
    database.close();
  }
}

/**
 * Looks for messages in the pages of a file that cannot be opened because it is damaged.
 *
 * @param error Why it cannot be opened.
 * @throws {StoreError} It is something else, or there are none.
 */
export async function salvageOf(path: string, error: unknown): Promise<Salvage> {
  if (!isDamage(error)) throw error;
  const salvage = await Salvage.scan(path);
  if (salvage.messageCount > 0) return salvage;
  salvage[Symbol.dispose]();
  const why = messageTextOf((error as Error).cause ?? error);
  throw storeProblem("damaged", "read the history", path, why, error, NOTHING_LEFT);
}

const NOTHING_LEFT = "no message is left in it: restore it from a backup, or move it away, and " +
  "a new one begins";

/** Asks SQLite, as far as it can be relied upon. */
async function* exportFrom(database: Database): AsyncGenerator<ExportItem, void, void> {
  const contacts = new ContactNames(database);
  let next = 1;
  if (isTableWhole(database)) {
    try {
      for (let rows = readPage(database, next); rows.length > 0; rows = readPage(database, next)) {
        for (const row of rows) yield { kind: "message", message: contacts.complete(row) };
        next = (rows.at(-1)!.key as number) + 1;
        await nextTurn();
      }
      return;
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
  }
  using salvage = await Salvage.scan(database.path);
  contacts.salvage = salvage;
  yield* salvaged(salvage, contacts, next, lastKey(database));
}

/**
 * Whether the messages are in order: of a page in which only a part is damaged, SQLite may return
 * what was never there, or pass over the rest without a word.
 */
function isTableWhole(database: Database): boolean {
  try {
    const [row] = database.all("PRAGMA quick_check('message')");
    return row !== undefined && Object.values(row)[0] === "ok";
  } catch {
    return false; // whatever it is, the pages may be readable
  }
}

/**
 * What is found in the pages.
 *
 * @param known A key that the file had, as far as one knows.
 */
async function* salvaged(
  salvage: Salvage,
  contacts: ContactNames,
  from: number,
  known: number | undefined,
): AsyncGenerator<ExportItem, void, void> {
  let count = 0;
  const last = Math.max(salvage.lastKey, known ?? 0);
  for (const item of salvage.read(from, last)) {
    yield item.kind === "row"
      ? { kind: "message", message: contacts.complete(item.row) }
      : { kind: "unreadable", from: item.from, to: item.to };
    if (++count % PAGE === 0) await nextTurn();
  }
  if (known === undefined) yield { kind: "unreadable", from: Math.max(from, last + 1) };
}

const COLUMNS =
  "key, contact, id, state, content, timestamp, stored_at, encrypted, trust, reason, nickname";

function readPage(database: Database, from: number): Row[] {
  return database.all(
    `SELECT ${COLUMNS} FROM message WHERE key >= ? AND kept = 1 ORDER BY key LIMIT ${PAGE}`,
    from,
  );
}

/** The last key that was given to a message; nothing where that cannot be read. */
function lastKey(database: Database): number | undefined {
  try {
    return database.get<{ key: number | null }>("SELECT max(last_key) AS key FROM hour")?.key ?? 0;
  } catch {
    return undefined;
  }
}

/** Contacts by key, read apart: a message whose contact cannot be read is still a message. */
class ContactNames {
  readonly #known = new Map<number, Contact>();

  /** Asked where the database does not know. */
  salvage: Salvage | undefined;

  constructor(private readonly database: Database | undefined, salvage?: Salvage) {
    this.salvage = salvage;
  }

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
      const row = this.database?.get("SELECT key, id, nickname FROM contact WHERE key = ?", key);
      contact = row && contactOf(row);
    } catch {
      // Named by its key.
    }
    contact ??= this.salvage?.contacts.get(key) ?? { key, nickname: `?${key}` };
    if (this.#known.size < 10_000) this.#known.set(key, contact);
    return contact;
  }
}
