import { canDo, nextReadable } from "./damage.ts";
import type { Database } from "./database.ts";
import type { KeySequence } from "./keys.ts";
import { fitting } from "./page.ts";
import { isDamage } from "./store_error.ts";

/** Messages that one step takes in: some 15 ms. */
const STEP_ROWS = 2_000;
/** The same where one of them is damaged. */
const FEW_ROWS = 50;
/**
 * Bytes of text that one step takes in, as far as a single message does not exceed it: 40 ms where
 * no word is like another.
 */
const STEP_BYTES = 128 * 1024;

/** What steps of the search index are planned with; only messages are read. */
export interface StepParts {
  readonly database: Database;
  readonly keys: KeySequence;
}

/**
 * Plans the next step that takes messages into the search index.
 *
 * @param from The key up to which it has them.
 * @param isAlone Whether the step is for a single message.
 * @returns The key up to which the step goes; nothing where what comes next is damaged.
 */
export function planStep(parts: StepParts, from: number, isAlone: boolean): number | undefined {
  for (const rows of isAlone ? [1] : [STEP_ROWS, FEW_ROWS, 1]) {
    try {
      return endOfStep(parts, from, rows);
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
  }
}

/** Up to where a step goes that takes in no more than so many rows. */
function endOfStep({ database, keys }: StepParts, from: number, limit: number): number {
  const rows = database.all<{ key: number; size: number }>(
    `SELECT key, octet_length(content) AS size FROM message
     WHERE key >= ? ORDER BY key LIMIT ?`,
    from + 1, // `key > from` would look at the page of that key
    limit,
  );
  const fit = fitting(rows, STEP_BYTES);
  return fit.length === rows.length && rows.length < limit ? keys.last : fit.at(-1)!.key;
}

/** The last key of damaged messages that begin at a key. */
export function endOfDamage({ database, keys }: StepParts, from: number): number {
  const read = (key: number) =>
    database.get<{ key: number }>(
      "SELECT key, octet_length(content) FROM message WHERE key >= ? ORDER BY key LIMIT 1",
      key,
    );
  const canRead = (key: number) => canDo(() => read(key));
  // Of a long text the end may be damaged although the row is not.
  const end = canRead(from) ? read(from)?.key ?? from : nextReadable(canRead, from) - 1;
  return Math.min(end, Math.max(from, keys.last));
}
