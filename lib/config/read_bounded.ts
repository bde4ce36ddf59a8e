import { LimitError } from "../errors.ts";

/**
 * Reads a whole file, but never more than `most` bytes, so that a wrong path (a device, a disk
 * image) costs nothing.
 *
 * @throws {LimitError} The file is larger.
 * @throws {Deno.errors.NotFound} and the system's other errors.
 */
export async function readBounded(path: string, most: number): Promise<Uint8Array<ArrayBuffer>> {
  // Some systems refuse to open a directory, others let it be opened and refuse the reading.
  if ((await Deno.stat(path)).isDirectory) throw new Deno.errors.IsADirectory(path);
  using file = await Deno.open(path, { read: true });
  let buffer = new Uint8Array(Math.min(4096, most + 1));
  let length = 0;
  for (;;) {
    const read = await file.read(buffer.subarray(length));
    if (read === null) return buffer.subarray(0, length);
    length += read;
    if (length > most) throw new LimitError(`File above the limit of ${most} bytes`);
    if (length < buffer.length) continue;
    const larger = new Uint8Array(Math.min(4 * buffer.length, most + 1));
    larger.set(buffer);
    buffer = larger;
  }
}
