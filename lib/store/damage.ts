import type { Database } from "./database.ts";
import { isDamage } from "./store_error.ts";

/**
 * The first key from which on something can be read again: a page that cannot be has neighbouring
 * keys, so this looks ever further ahead, then back.
 *
 * @param canRead Whether whatever comes first from a key on can be read, also when nothing does.
 * @param from A key from which on it cannot be.
 * @returns `Number.MAX_SAFE_INTEGER` where that is nowhere.
 */
export function nextReadable(canRead: (key: number) => boolean, from: number): number {
  let bad = from;
  let step = 1;
  while (!canRead(bad + step)) {
    bad += step;
    step *= 2;
    if (bad + step >= Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
  }
  let good = bad + step;
  while (good - bad > 1) {
    const middle = Math.floor((bad + good) / 2);
    if (canRead(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

/** Whether the text of all messages in a range of keys can be read; nothing of the index is. */
export function areReadable(database: Database, after: number, to: number): boolean {
  try {
    database.get(
      "SELECT sum(length(content)) AS length FROM message WHERE key > ? AND key <= ?",
      after,
      to,
    );
    return true;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return false;
  }
}
