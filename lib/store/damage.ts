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

/** Whether the texts of all messages of a range of keys can be read, and where it ends. */
export function areReadable(database: Database, after: number, to: number): boolean {
  return canDo(() =>
    database.get(`SELECT ${READING} FROM message WHERE key >= ? AND key <= ?`, after + 1, to)
  );
}

/** Whether the text of a message can be read, whatever comes after it. */
export function isReadable(database: Database, key: number): boolean {
  return canDo(() => database.get(`SELECT ${READING} FROM message WHERE key = ?`, key));
}

/** Looks at all pages of a text: the length of one with a NUL is known without. */
const READING = "sum(instr(CAST(content AS BLOB), x'ff'))";

/** Whether something meets no damage. */
export function canDo(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return false;
  }
}
