import type { Database } from "./database.ts";
import { markRemnants } from "./eraser.ts";
import { fitting, type Sized } from "./page.ts";
import { ALONE, type SearchIndex } from "./search_index.ts";
import type { WriteQueue } from "./write_queue.ts";

/** What a sweep works with. */
export interface SweepParts {
  readonly database: Database;
  readonly queue: WriteQueue;
  readonly index: SearchIndex;
}

/** What is to be deleted. */
export interface SweepRequest<T extends Sized = Sized> {
  /** Messages above a key in the order of their keys, at most `limit`. */
  readonly next: (after: number, limit: number) => T[];
  readonly signal?: AbortSignal;
  /** Told after each step what it has deleted. */
  readonly onDropped?: (taken: readonly T[]) => void;
}

/**
 * Messages and bytes of text in one step where each is taken out of the index for good: that takes
 * a millisecond for a message, and 7 for each KiB where no word is like another.
 */
const FINAL_ROWS = 20;
const FINAL_BYTES = 8 * 1024;
/** The same where the index is merged afterwards: each may stand on a page of its own. */
const STEP_ROWS = 200;
const STEP_BYTES = 128 * 1024;
/**
 * Bytes of text after which the index is merged even if more is to come: a step of a merge ends by
 * what it writes, and of what was taken out it writes nothing.
 */
const MERGE_BYTES = 4 * 2 ** 20;
/** Bytes of text that take as long as one more message to be taken out for good. */
const BYTES_PER_ROW = 128;
/** Merging the index of so many messages takes as long as taking one out of it for good. */
const MERGE_SHARE = 150;
const MIN_MERGE = 1_000;

/**
 * Deletes messages and what the index has of them, in steps of bounded work between which others
 * have their turn. Few short messages are taken out of the index for good one by one; where that
 * would take too long, the index is merged at the end.
 *
 * @returns How many were deleted.
 */
export async function sweep<T extends Sized>(
  parts: SweepParts,
  request: SweepRequest<T>,
): Promise<number> {
  const { database, queue, index } = parts;
  const { next, signal, onDropped } = request;
  const most = affordable(database);
  let isFinal = costOf(next(0, most)) < most;
  let count = 0;
  let unmerged = 0;
  for (let after = 0;;) {
    signal?.throwIfAborted();
    const step = await queue.add(() => {
      const found = next(after, isFinal ? FINAL_ROWS : STEP_ROWS);
      isFinal &&= found.length === 0 || found[0].size <= FINAL_BYTES;
      const taken = fitting(found, isFinal ? FINAL_BYTES : STEP_BYTES);
      const keys = taken.map(({ key }) => key);
      index.remove(keys, isFinal);
      drop(database, keys);
      return taken;
    }, ALONE);
    if (step.length === 0) break;
    count += step.length;
    onDropped?.(step);
    after = step.at(-1)!.key;
    if (isFinal) continue;
    for (const { size } of step) unmerged += size;
    if (unmerged < MERGE_BYTES) continue;
    await index.merge(signal);
    unmerged = 0;
  }
  await index.merge(signal);
  return count;
}

/** Deletes messages, or hides them where they are still to be delivered; in a transaction. */
export function drop(database: Database, keys: readonly number[]): void {
  markRemnants(database);
  for (const key of keys) {
    if (database.run("DELETE FROM message WHERE key = ? AND state <> 1", key) === 0) {
      database.run("UPDATE message SET kept = 0 WHERE key = ?", key);
    }
  }
}

/** How many short messages are taken out for good sooner than the index is merged. */
function affordable(database: Database): number {
  const { all } = database.get<{ all: number | null }>(
    `SELECT (SELECT max(key) FROM message) - (SELECT min(key) FROM message) AS "all"`,
  )!;
  return Math.max(MIN_MERGE, Math.floor((all ?? 0) / MERGE_SHARE));
}

/** What it costs to take messages out for good, in short messages. */
function costOf(messages: readonly Sized[]): number {
  return messages.reduce((sum, { size }) => sum + 1 + size / BYTES_PER_ROW, 0);
}
