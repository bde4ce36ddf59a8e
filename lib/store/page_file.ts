import { storeError } from "./store_error.ts";

/**
 * The bytes of a database that SQLite has open in this process, for whoever works beside it.
 *
 * A POSIX lock belongs to a process and not to a descriptor: when a process closes any descriptor of
 * a file, all its locks on that file end, SQLite's too, and nobody is told. The next program that
 * closes the database then believes to be the last one and deletes the log that is still written to.
 * So while a connection is open, this process opens the file once, here, and closes it after the
 * connection; and nothing here is asynchronous, since what the runtime does asynchronously it does
 * with a duplicate of the descriptor, which it closes. SQLite's own connections know of each other.
 */
export class PageFile implements Disposable {
  readonly #file: Deno.FsFile;

  /**
   * Opens it, after the connection.
   *
   * @throws {StoreError} It cannot be opened.
   */
  constructor(path: string) {
    try {
      this.#file = Deno.openSync(path, { read: true, write: true });
    } catch (error) {
      throw storeError("open the history", path, error);
    }
  }

  /** In bytes. */
  get size(): number {
    return this.#file.statSync().size;
  }

  /** Up to `length` bytes; fewer only at the end of the file. */
  read(at: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#file.seekSync(at, Deno.SeekMode.Start);
    let filled = 0;
    while (filled < length) {
      const count = this.#file.readSync(bytes.subarray(filled));
      if (count === null) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  }

  /** Writes zeros from `start` to before `end`. */
  overwrite(start: number, end: number): void {
    const zeros = new Uint8Array(end - start);
    this.#file.seekSync(start, Deno.SeekMode.Start);
    for (let written = 0; written < zeros.length;) {
      written += this.#file.writeSync(zeros.subarray(written));
    }
  }

  /** Waits until all that was written is on the disk. */
  sync(): void {
    this.#file.syncDataSync();
  }

  /** Closes it; only after the connection. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}
