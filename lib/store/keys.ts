import type { Database } from "./database.ts";
import { setMeta } from "./meta.ts";
import { isDamage } from "./store_error.ts";

const HOUR_MS = 3_600_000;
/** Hours before 2023 come from a clock that was not set: this program is younger. */
const FIRST_HOUR = Date.UTC(2023, 0) / HOUR_MS;

/**
 * Gives messages their keys, and remembers which had been given by the end of each hour, so that a
 * date becomes a bound for keys without an index over the times of all messages.
 */
export class KeySequence {
  #last: number;
  /** Whether hours cannot be written in this run. */
  #isDamaged = false;
  /** First and last keys of the hours of this transaction. */
  #hours = new Map<number, { readonly first: number; readonly last: number }>();

  constructor(private readonly database: Database) {
    // What was indexed, or given in some hour, may have been deleted since, and stays used.
    const { last } = database.get<{ last: number }>(
      `SELECT max(
         coalesce((SELECT max(key) FROM message), 0),
         coalesce((SELECT value FROM meta WHERE name = 'last_key'), 0),
         coalesce((SELECT value FROM meta WHERE name = 'indexed_to'), 0),
         coalesce((SELECT max(last_key) FROM hour), 0)
       ) AS last`,
    )!;
    this.#last = last;
  }

  /** The key that was given last; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /**
   * The key of a message that is stored now. Only inside a transaction.
   *
   * @param now Milliseconds since the Unix epoch.
   */
  next(now: number): number {
    const hour = Math.floor(now / HOUR_MS);
    const key = ++this.#last;
    this.#hours.set(hour, { first: this.#hours.get(hour)?.first ?? key, last: key });
    return key;
  }

  /**
   * Writes the hours; before each commit.
   *
   * @throws Among others where their table is damaged; then it does without from the next time on,
   *   so that messages can be kept all the same: dates are less exact from then on.
   */
  flush(): void {
    if (this.#isDamaged) return;
    try {
      this.#write();
    } catch (error) {
      this.#isDamaged = isDamage(error);
      throw error;
    }
    this.#hours.clear();
  }

  #write(): void {
    for (const [hour, { first, last }] of this.#hours) {
      this.database.run(
        `INSERT INTO hour (hour, first_key, last_key) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET last_key = max(last_key, ?3)`,
        hour,
        first,
        last,
      );
    }
  }

  /** After a rollback: the operations that gave the keys may run again. */
  forget(): void {
    this.#hours.clear();
  }

  /** Remembers the hours as they are. @returns Takes back what was added since. */
  mark(): () => void {
    const hours = new Map(this.#hours);
    return () => this.#hours = hours;
  }

  /**
   * No message that was stored before `time` has a larger key. Some that were stored later may have
   * a smaller one: up to an hour later, and more where the clock went back.
   */
  boundBefore(time: number): number {
    const row = this.database.get<{ bound: number | null }>(
      "SELECT max(last_key) AS bound FROM hour WHERE hour <= ?",
      Math.floor((time - 1) / HOUR_MS),
    );
    return row?.bound ?? 0;
  }

  /**
   * The largest key of which not only its own stamp says that it was given before `time`: nothing up
   * to it has a stamp from then to `now`, and there are plausible stamps from it on.
   */
  witnessedBefore(time: number, now: number): number {
    const hour = Math.floor((time - 1) / HOUR_MS);
    const { last, next } = this.database.get<{ last: number | null; next: number | null }>(
      `SELECT (SELECT max(last_key) FROM hour WHERE hour >= ?1 AND hour <= ?2) AS last,
         (SELECT min(first_key) FROM hour WHERE hour > max(?1 - 1, ?2) AND hour <= ?3) AS next`,
      FIRST_HOUR,
      hour,
      Math.floor(now / HOUR_MS),
    )!;
    return Math.min(last ?? 0, next === null ? Infinity : next - 1);
  }

  /** When something was stored last, to the hour and by no time after `now`; 0 where unknown. */
  newestTime(now: number): number {
    const row = this.database.get<{ hour: number | null }>(
      "SELECT max(hour) AS hour FROM hour WHERE hour >= ? AND hour <= ?",
      FIRST_HOUR,
      Math.floor(now / HOUR_MS),
    );
    return (row?.hour ?? -1) < 0 ? 0 : (row!.hour! + 1) * HOUR_MS;
  }

  /**
   * Drops the hours of which no message is left, but for the newest, which witnesses the time; only
   * inside a transaction.
   */
  trim(): void {
    this.database.run(
      `DELETE FROM hour WHERE last_key < coalesce((SELECT min(key) FROM message), ?)
         AND hour < (SELECT max(hour) FROM hour)`,
      Number.MAX_SAFE_INTEGER,
    );
    setMeta(this.database, "last_key", this.#last);
  }
}
