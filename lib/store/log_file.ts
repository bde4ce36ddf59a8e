import { messageOf } from "../errors.ts";
import { type StoreError, storeError, storeProblem } from "./store_error.ts";

/** Brings what was committed to the disk. */
export interface DiskSync {
  /**
   * Waits until all that was committed before is there; one call at a time.
   *
   * @returns Why that is not known, where it is not.
   */
  sync(): Promise<StoreError | undefined>;
}

/**
 * The write-ahead log of a database that SQLite has open in this process, for the wait that SQLite
 * leaves to us (`synchronous = NORMAL`, see sqlite.org/pragma.html#pragma_synchronous): its own
 * would stop the whole program at each commit, and keep everything that follows from one waiting.
 * What is committed survives the end of the program, since the system has it; when this has synced,
 * it survives a power cut, too, as with `FULL`.
 *
 * Unlike the database itself (see `page_file.ts`), the log may be opened and closed beside SQLite,
 * whose locks are on the database and on its shared memory, never on the log.
 */
export class LogFile implements DiskSync, Disposable {
  readonly #file: Deno.FsFile;
  /**
   * Why the last sync failed. The system may count as written then what it could not write, and the
   * next one would succeed without it.
   */
  #failure: unknown;

  /**
   * @param database Its path; it was read from, so that its log exists.
   * @param checkpoint Copies the log into the database, waits for the disk and begins the log anew;
   *   returns whether nobody was in the way.
   * @throws {StoreError} It cannot be opened.
   */
  constructor(private readonly database: string, private readonly checkpoint: () => boolean) {
    try {
      this.#file = Deno.openSync(`${database}-wal`, { read: true, write: true });
    } catch (error) {
      throw storeError("open the history", database, error);
    }
  }

  async sync(): Promise<StoreError | undefined> {
    if (this.#failure === undefined) {
      try {
        await this.#file.syncData();
        return undefined;
      } catch (error) {
        this.#failure = error;
      }
    }
    return this.#rewrite();
  }

  /** Closes it. Idempotent. */
  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }

  /** Writes everything again, at another place. */
  #rewrite(): StoreError | undefined {
    const action = "write to the history";
    try {
      if (!this.checkpoint()) {
        const why = `${messageOf(this.#failure)}, and another process reads what is written again`;
        return storeProblem("busy", action, this.database, why, this.#failure);
      }
      this.#failure = undefined;
    } catch (error) {
      return storeError(action, this.database, error);
    }
  }
}
