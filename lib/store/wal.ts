import type { Clock } from "../base/clock.ts";
import type { Database } from "./database.ts";
import { BUSY_TIMEOUT_MS } from "./beside.ts";
import { storeProblem } from "./store_error.ts";

/** What {@linkcode WalCleaner} works with. */
export interface WalCleanerOptions {
  readonly database: Database;
  readonly clock: Clock;
}

const TRIES = 20;
const WAIT_MS = 100;

/**
 * Empties the write-ahead log into the file after texts were deleted: until then what was deleted
 * stands in both, since the zeros that took its place are only further pages of the log.
 */
export class WalCleaner {
  constructor(private readonly options: WalCleanerOptions) {}

  /**
   * Empties it.
   *
   * @throws {StoreError} `busy`, another process reads all the time.
   */
  async empty(signal?: AbortSignal): Promise<void> {
    const { database, clock } = this.options;
    for (let tries = 1; !this.tryEmpty(); tries++) {
      if (tries === TRIES) {
        const why = "another process reads it";
        throw storeProblem("busy", "empty the write-ahead log", database.path, why);
      }
      await clock.sleep(WAIT_MS, signal);
    }
  }

  /** @returns Whether nobody was in the way; does not wait for them, as that would block us all. */
  tryEmpty(): boolean {
    const { database } = this.options;
    database.pragma("busy_timeout = 0");
    try {
      return database.pragma("wal_checkpoint(TRUNCATE)") === 0;
    } finally {
      database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    }
  }
}
