import type { Database } from "./database.ts";

const HOUR_MS = 3_600_000;

/**
 * Gives messages their keys, and remembers which had been given by the end of each hour, so that a
 * date becomes a bound for keys without an index over the times of all messages.
 */
export class KeySequence {
  #last: number;
  /** Hours of this transaction. */
  readonly #hours = new Map<number, number>();

  constructor(private readonly database: Database) {
    // What was indexed, or given in some hour, may have been deleted since, and stays used.
    const { last } = database.get<{ last: number }>(
      `SELECT max(
         coalesce((SELECT max(key) FROM message), 0),
         coalesce((SELECT value FROM meta WHERE name = 'last_key'), 0),
         coalesce((SELECT value FROM meta WHERE name = 'indexed_to'), 0),
         coalesce((SELECT last_key FROM hour ORDER BY hour DESC LIMIT 1), 0)
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
    this.#hours.set(Math.floor(now / HOUR_MS), ++this.#last);
    return this.#last;
  }

  /** Writes the hours; before each commit. */
  flush(): void {
    for (const [hour, key] of this.#hours) {
      this.database.run(
        `INSERT INTO hour (hour, last_key) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET last_key = max(last_key, ?2)`,
        hour,
        key,
      );
    }
    this.#hours.clear();
  }

  /** After a rollback: the operations that gave the keys may run again. */
  forget(): void {
    this.#hours.clear();
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

  /** Drops the hours of which no message is left; only inside a transaction. */
  trim(): void {
    this.database.run(
      "DELETE FROM hour WHERE last_key < coalesce((SELECT min(key) FROM message), ?)",
      Number.MAX_SAFE_INTEGER,
    );
    this.database.run(
      "INSERT INTO meta (name, value) VALUES ('last_key', ?1) ON CONFLICT DO UPDATE SET value = ?1",
      this.#last,
    );
  }
}
