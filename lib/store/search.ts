import { nextTurn } from "../base/next_turn.ts";
import { InvalidInputError } from "../errors.ts";
import type { ContactTable } from "./contacts.ts";
import type { Database } from "./database.ts";
import { readNeighbours } from "./history.ts";
import type { KeySequence } from "./keys.ts";
import { MESSAGE_COLUMNS, MESSAGE_TABLES, messageOf, type StoredMessage } from "./message.ts";
import { MAX_PAGE_BYTES } from "./page.ts";
import { searchExpression, type SearchQuery } from "./search_query.ts";
import { isDamage, storeError } from "./store_error.ts";

/** A message that was looked for, with what was said right before and after it. */
export interface SearchHit {
  readonly message: StoredMessage;
  readonly before?: StoredMessage;
  readonly after?: StoredMessage;
}

/** What a search reads. */
export interface SearchParts {
  readonly database: Database;
  readonly contacts: ContactTable;
  readonly keys: KeySequence;
  /** Resolves when the index may be asked. */
  readonly ready?: () => Promise<void>;
}

/** For {@linkcode searchMessages}. */
export interface SearchOptions {
  /** Of hits, 1 to 200; 20 where missing. What they have to say ends them, too, at 4 MiB. */
  readonly limit?: number;
  /**
   * Keys of those who wrote it, instead of whoever has the name of the query's `from` now: a name may
   * stand for several, and who is meant is more than the store knows.
   */
  readonly from?: readonly number[];
}

/** The index is damaged, and has to be made anew. */
export class DamagedIndexError extends Error {
  override name = "DamagedIndexError";
}

/** Most hits that one search returns. */
export const MAX_HITS = 200;
/** What is found in the index at a time where the messages may be more than are wanted. */
const PAGE = 50;

/**
 * Finds messages, the newest first; those that are being deleted are left out, and those that cannot
 * be read, unless nothing else is found. Others have their turn after every {@linkcode PAGE} entries of the index.
 *
 * @throws {InvalidInputError} Nobody has the name that it asks for.
 * @throws {DamagedIndexError} As its name says; messages are not affected.
 * @throws {StoreError} `damaged`, whatever was found cannot be read.
 */
export async function searchMessages(
  { database, contacts, keys, ready }: SearchParts,
  { terms, from, before }: SearchQuery,
  options: SearchOptions & { readonly signal?: AbortSignal } = {},
): Promise<SearchHit[]> {
  const { limit = 20 } = options;
  const expression = searchExpression(terms, authorsOf(contacts, options.from, from));
  const most = Math.min(limit, MAX_HITS);
  let end = before === undefined ? Number.MAX_SAFE_INTEGER : keys.boundBefore(before) + 1;
  const hits: SearchHit[] = [];
  let length = 0;
  let damage: unknown;
  while (end > clearedTo(database) + 1) {
    await ready?.();
    options.signal?.throwIfAborted();
    const found = findKeys(database, expression, end);
    const cleared = clearedTo(database);
    for (const key of found) {
      if (key <= cleared) break;
      const hit = readHit(database, key, before, (error) => damage = error);
      if (hit === undefined) continue;
      for (const message of Object.values(hit)) length += message.content.length;
      if (hits.length > 0 && length > MAX_PAGE_BYTES) return hits;
      if (hits.push(hit) === most) return hits;
    }
    if (found.length < PAGE) break;
    // The index may have many entries of messages that are gone already.
    end = Math.min(found.at(-1)!, endBelow(database, found.at(-1)!));
    await nextTurn();
  }
  // Nobody is to believe that there is nothing.
  if (hits.length === 0 && damage !== undefined) {
    throw storeError("read what was found in the history", database.path, damage);
  }
  return hits;
}

/** The key up to which everything is being deleted; 0 for none. */
function clearedTo(database: Database): number {
  return database.get<{ last_key: number }>("SELECT last_key FROM clearing WHERE contact = 0")
    ?.last_key ?? 0;
}

/** Behind the newest message below a key; Infinity where that cannot be read. */
function endBelow(database: Database, key: number): number {
  const newest = unlessDamaged(() =>
    database.get<{ key: number | null }>("SELECT max(key) AS key FROM message WHERE key < ?", key)
  );
  return newest === undefined ? Infinity : (newest.key ?? 0) + 1;
}

/** Looks into the index and at no message. */
function findKeys(database: Database, expression: string, end: number): number[] {
  try {
    return database.all<{ key: number }>(
      `SELECT s.rowid AS key FROM search s WHERE s.search MATCH ? AND s.rowid < CAST(? AS INTEGER)
       ORDER BY s.rowid DESC LIMIT ${PAGE}`,
      expression,
      end,
    ).map(({ key }) => key);
  } catch (cause) {
    if (!isDamage(cause)) throw cause;
    throw new DamagedIndexError("Cannot search: the index is damaged", { cause });
  }
}

/** A message with its neighbours; nothing where it is not (any more) wanted, or damaged. */
function readHit(
  database: Database,
  key: number,
  before: number | undefined,
  onDamage: (error: unknown) => void,
): SearchHit | undefined {
  return unlessDamaged(() => {
    const row = database.get(
      `SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_TABLES}
       WHERE m.key = ? AND m.kept = 1 AND m.stored_at < ?`,
      key,
      before ?? Number.MAX_SAFE_INTEGER,
    );
    if (row === undefined) return undefined;
    const message = messageOf(row);
    return { message, ...unlessDamaged(() => readNeighbours(database, message)) };
  }, onDamage);
}

function unlessDamaged<T>(
  read: () => T,
  onDamage: (error: unknown) => void = () => {},
): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!isDamage(error)) throw error;
    onDamage(error);
    return undefined;
  }
}

/** What stands in the index for those who shall have written it. */
function authorsOf(
  contacts: ContactTable,
  keys: readonly number[] | undefined,
  name: string | undefined,
): string[] | undefined {
  const isMe = name?.toLowerCase() === "me";
  if (keys === undefined && name === undefined) return undefined;
  const found = (keys ?? contacts.named(name!).map(({ key }) => key)).map((key) => `f${key}`);
  if (isMe) found.push("me");
  if (found.length > 0) return found;
  throw new InvalidInputError(
    `Cannot search messages from ${JSON.stringify(name ?? "")}: the history has nobody of that ` +
      "name; use a nickname, an id or its first group, or me",
  );
}
