import { InvalidInputError } from "../errors.ts";
import type { ContactTable } from "./contacts.ts";
import type { Database } from "./database.ts";
import { readNeighbours } from "./history.ts";
import type { KeySequence } from "./keys.ts";
import { MESSAGE_COLUMNS, MESSAGE_TABLES, messageOf, type StoredMessage } from "./message.ts";
import { searchExpression, type SearchQuery } from "./search_query.ts";

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
}

/** Most hits that one search returns. */
export const MAX_HITS = 200;

/**
 * Finds messages, the newest first.
 *
 * @param olderThan Only messages with a smaller key, to go on where a search ended.
 * @throws {InvalidInputError} Nobody has the name that it asks for.
 */
export function searchMessages(
  { database, contacts, keys }: SearchParts,
  { terms, from, before }: SearchQuery,
  { limit, olderThan = Number.MAX_SAFE_INTEGER }: { limit: number; olderThan?: number },
): SearchHit[] {
  const authors = from === undefined ? undefined : authorsNamed(contacts, from);
  const end = before === undefined ? olderThan : Math.min(olderThan, keys.boundBefore(before) + 1);
  const rows = database.all(
    `SELECT ${MESSAGE_COLUMNS} FROM search s CROSS JOIN ${MESSAGE_TABLES}
     WHERE s.search MATCH ? AND s.rowid < CAST(? AS INTEGER) AND m.key = s.rowid AND m.kept = 1 AND m.stored_at < ?
     ORDER BY s.rowid DESC LIMIT ?`,
    searchExpression(terms, authors),
    end,
    before ?? Number.MAX_SAFE_INTEGER,
    Math.min(limit, MAX_HITS),
  );
  return rows.map(messageOf).map((message) => ({
    message,
    ...readNeighbours(database, message),
  }));
}

/** What stands in the index for those whom a name may mean. */
function authorsNamed(contacts: ContactTable, name: string): string[] {
  const found = contacts.named(name).map(({ key }) => `f${key}`);
  if (name.toLowerCase() === "me") found.push("me");
  if (found.length === 0) {
    throw new InvalidInputError(
      `Cannot search messages from ${JSON.stringify(name)}: the history has nobody of that name; ` +
        "use a nickname, an id or its first group, or me",
    );
  }
  return found;
}
