import { type StoreError, storeError, storeProblem } from "./store_error.ts";

/** What tells a file from any other, whatever its name. */
interface FileMark {
  readonly path: string;
  readonly dev: number;
  readonly ino: number | null;
}

/** What SQLite appends to the name of the file for that of its write-ahead log. */
const SUFFIXES = ["", "-wal"];

/**
 * Sees when somebody has deleted, moved or replaced the files that are open: SQLite goes on writing
 * into what has no name any more, and all of it is gone when the program ends.
 *
 * Looking takes 10 µs. Windows does not let go of files that are open.
 */
export class FileWatch {
  readonly #marks: readonly FileMark[];

  /** @param path Of a database that is open and was read from, so that its log exists. */
  constructor(path: string) {
    const paths = Deno.build.os === "windows" ? [] : SUFFIXES.map((suffix) => path + suffix);
    this.#marks = paths.map(markOf);
  }

  /** @throws {StoreError} `moved`, what is written now would not be found again. */
  check(): void {
    for (const { path, dev, ino } of this.#marks) {
      const now = markOf(path);
      if (now.dev !== dev || now.ino !== ino) throw moved(path, "it was replaced by another file");
    }
  }
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
