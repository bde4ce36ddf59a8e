import { nextTurn } from "../base/next_turn.ts";
import type { ContactTable } from "./contacts.ts";
import type { Database } from "./database.ts";
import { type Eraser, markRemnants } from "./eraser.ts";
import type { WriteQueue } from "./write_queue.ts";

/** What {@linkcode dropUnusedContacts} works with. */
export interface UnusedContactsParts {
  readonly database: Database;
  readonly queue: WriteQueue;
  readonly contacts: ContactTable;
  readonly eraser: Eraser;
}

/** Contacts in one step: some milliseconds. */
const STEP = 1_000;

/**
 * Deletes contacts without an id of whom nothing is left, neither a message nor an id of one, in
 * steps: whoever sends plain text can make one with each line. Those with an id stay, and the newest
 * one, so that no key is used twice.
 *
 * @returns How many.
 */
export async function dropUnusedContacts(
  { database, queue, contacts, eraser }: UnusedContactsParts,
  signal?: AbortSignal,
): Promise<number> {
  let count = 0;
  for (let after = 0;;) {
    signal?.throwIfAborted();
    const part = database.all<{ key: number; unused: number }>(
      `SELECT c.key, ${IS_UNUSED} AS unused FROM contact c
       WHERE c.key > ? AND c.id IS NULL AND c.key < (SELECT max(key) FROM contact)
       ORDER BY c.key LIMIT ${STEP}`,
      after,
    );
    const unused = part.filter(({ unused }) => unused === 1);
    if (unused.length > 0) {
      count += await queue.add(() => {
        contacts.forget();
        markRemnants(database);
        eraser.soon();
        // Something may have come meanwhile.
        return unused.reduce(
          (sum, { key }) =>
            sum + database.run(`DELETE FROM contact AS c WHERE c.key = ? AND ${IS_UNUSED}`, key),
          0,
        );
      }, unused.length);
    }
    if (part.length < STEP) return count;
    after = part.at(-1)!.key;
    if (unused.length === 0) await nextTurn();
  }
}

const IS_UNUSED = `NOT EXISTS (SELECT 1 FROM message m WHERE m.contact = c.key)
  AND NOT EXISTS (SELECT 1 FROM received r WHERE r.contact = c.key)`;
