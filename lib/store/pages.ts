import { PAGE_BYTES } from "./schema.ts";
import { readAt, walPages } from "./wal_pages.ts";

/** The pages of a file and its WAL as they are, without SQLite, which refuses damaged ones. */
export class Pages implements Disposable {
  /** How many the file has; the WAL may have more. */
  readonly count: number;
  readonly #file: Deno.FsFile;
  readonly #wal: Deno.FsFile | undefined;
  readonly #inWal: ReadonlyMap<number, number>;

  /** @throws {Error} The file cannot be opened for reading. */
  constructor(path: string) {
    using parts = new DisposableStack();
    this.#file = parts.use(Deno.openSync(path, { read: true }));
    this.#wal = openIfThere(`${path}-wal`);
    if (this.#wal !== undefined) parts.use(this.#wal);
    this.#inWal = this.#wal === undefined ? new Map() : walPages(this.#wal, PAGE_BYTES);
    this.count = Math.max(
      Math.ceil(this.#file.statSync().size / PAGE_BYTES),
      this.#inWal.keys().reduce((last, page) => Math.max(last, page), 0),
    );
    parts.move();
  }

  /**
   * @param number From 1 on.
   * @returns Less than a page where a part of it is missing, nothing where all of it is.
   */
  read(number: number): Uint8Array {
    const inWal = this.#inWal.get(number);
    return inWal === undefined
      ? readAt(this.#file, (number - 1) * PAGE_BYTES, PAGE_BYTES)
      : readAt(this.#wal!, inWal, PAGE_BYTES);
  }

  [Symbol.dispose](): void {
    this.#file.close();
    this.#wal?.close();
  }
}

function openIfThere(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path, { read: true });
  } catch {
    return undefined; // what is in the file is better than nothing
  }
}
