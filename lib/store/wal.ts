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
/** How long after a deletion the WAL is emptied: all that are deleted meanwhile share the work. */
const SOON_MS = 1_000;
/** When another process read all the time. */
const LATER_MS = 60_000;

/**
 * Empties the write-ahead log into the file after texts were deleted: until then what was deleted
 * stands in both, since the zeros that took its place are only further pages of the log.
 */
export class WalCleaner {
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(private readonly options: WalCleanerOptions) {}

  /** Sees to it that the log is emptied a second from now; may be called for each deletion. */
  soon(): void {
    this.#after(SOON_MS);
  }

  /**
   * Empties it.
   *
   * @throws {StoreError} `busy`, another process reads; it is tried again in the background.
   */
  async empty(signal?: AbortSignal): Promise<void> {
    const { database, clock } = this.options;
    for (let tries = 1; !this.tryEmpty(); tries++) {
      if (tries === TRIES) {
        this.#after(LATER_MS);
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

  /** Ends what runs in the background; closing the last connection empties the log, too. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #after(ms: number): void {
    if (this.#closed) return;
    this.#cancel ??= this.options.clock.after(ms, () => {
      this.#cancel = undefined;
      let isEmpty = false;
      try {
        isEmpty = this.tryEmpty();
      } catch {
        // A disk that fails is told by the state of the store.
      }
      if (!isEmpty) this.#after(LATER_MS);
    });
  }
}
