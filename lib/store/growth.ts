import type { Database } from "./database.ts";
import { isFileProblem } from "./store_error.ts";

/** Bytes of the file that are in use, of whatever its pages hold, also where they are in the WAL. */
export function usedBytes(database: Database): number {
  const pages = database.pragma("page_count") as number;
  const free = database.pragma("freelist_count") as number;
  return (pages - free) * (database.pragma("page_size") as number);
}

/** Waits for the file to grow; that takes some microseconds a transaction, and nothing else. */
export class GrowthWatch {
  #limit = Infinity;
  #tell: () => void = () => {};

  constructor(private readonly database: Database) {}

  /**
   * Calls back once, when the file has so many bytes more in use than now; takes the place of what
   * was asked before.
   *
   * @returns Ends it.
   */
  await(bytes: number, tell: () => void): () => void {
    this.#limit = usedBytes(this.database) + bytes;
    this.#tell = tell;
    return () => {
      if (this.#tell === tell) this.#limit = Infinity;
    };
  }

  /** After each commit, which stands whatever comes of this. */
  look(): void {
    if (this.#limit === Infinity || this.#isBelow(this.#limit)) return;
    this.#limit = Infinity;
    this.#tell();
  }

  #isBelow(limit: number): boolean {
    try {
      return usedBytes(this.database) < limit;
    } catch (error) {
      if (!isFileProblem(error)) throw error;
      return true; // whoever reads or writes next is told, and the next commit looks again
    }
  }
}
