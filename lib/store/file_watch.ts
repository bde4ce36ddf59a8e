import type { Clock } from "../base/clock.ts";
import { type StoreError, storeError, storeProblem } from "./store_error.ts";

/** What tells a file from any other, whatever its name. */
interface FileMark {
  readonly path: string;
  readonly dev: number;
  readonly ino: number | null;
}

/** The log is looked at less often: its loss alone is only one if there is a crash, too. */
const LOG_INTERVAL_MS = 1_000;

/**
 * Sees when somebody has deleted, moved or replaced the files that are open: SQLite goes on writing
 * into what has no name any more, and all of it is gone when the program ends.
 *
 * Looking takes some 10 µs. Windows does not let go of files that are open.
 */
export class FileWatch {
  readonly #file: FileMark | undefined;
  readonly #log: FileMark | undefined;
  #logSeen: number;

  /** @param path Of a database that is open and was read from, so that its log exists. */
  constructor(path: string, private readonly clock: Clock) {
    this.#logSeen = clock.monotonic();
    if (Deno.build.os === "windows") return;
    this.#file = markOf(path);
    this.#log = markOf(`${path}-wal`);
  }

  /** @throws {StoreError} `moved`, what is written now would not be found again. */
  check(): void {
    requireSame(this.#file);
    const now = this.clock.monotonic();
    if (now - this.#logSeen < LOG_INTERVAL_MS) return;
    requireSame(this.#log);
    this.#logSeen = now; // only then: what is missing is missed each time
  }
}

function requireSame(mark: FileMark | undefined): void {
  if (mark === undefined) return;
  const { path, dev, ino } = mark;
  const now = markOf(path);
  if (now.dev !== dev || now.ino !== ino) throw moved(path, "it was replaced by another file");
}

function markOf(path: string): FileMark {
  try {
    const { dev, ino } = Deno.statSync(path);
    return { path, dev, ino };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw moved(path, "it was deleted or moved", error);
    throw storeError("find the history", path, error);
  }
}

function moved(path: string, why: string, cause?: unknown): StoreError {
  return storeProblem("moved", "write to the history", path, why, cause);
}
