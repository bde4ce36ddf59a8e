/** sqlite.org/fileformat2, 4.1: the last bit tells the order of bytes that checksums are made in. */
const MAGIC = 0x377f0682;
const HEADER = 32;
const FRAME_HEADER = 24;

/**
 * Where in a write-ahead log the newest committed content of each page begins, as SQLite would find
 * it. What follows something that is damaged does not count, and neither does a log of other pages.
 */
export function walPages(wal: Deno.FsFile, pageSize: number): Map<number, number> {
  const pages = new Map<number, number>();
  const header = readAt(wal, 0, HEADER);
  if (header.length < HEADER) return pages;
  const head = view(header);
  if ((head.getUint32(0) & ~1) !== MAGIC || head.getUint32(8) !== pageSize) return pages;
  const sum = new Checksum((head.getUint32(0) & 1) === 0);
  if (!sum.add(header.subarray(0, 24)).equals(head, 24)) return pages;
  /** Of a transaction whose last frame has not come yet. */
  let open = new Map<number, number>();
  for (let at = HEADER;; at += FRAME_HEADER + pageSize) {
    const frame = readAt(wal, at, FRAME_HEADER + pageSize);
    if (frame.length < FRAME_HEADER + pageSize) return pages;
    const fields = view(frame);
    const isOld = [8, 12].some((offset) => fields.getUint32(offset) !== head.getUint32(offset + 8));
    if (isOld) return pages;
    sum.add(frame.subarray(0, 8)).add(frame.subarray(FRAME_HEADER));
    if (!sum.equals(fields, 16)) return pages;
    open.set(fields.getUint32(0), at + FRAME_HEADER);
    if (fields.getUint32(4) === 0) continue;
    for (const [page, offset] of open) pages.set(page, offset);
    open = new Map();
  }
}

/** sqlite.org/fileformat2, 4.2. */
class Checksum {
  #first = 0;
  #second = 0;

  constructor(private readonly isLittleEndian: boolean) {}

  add(bytes: Uint8Array): this {
    const words = view(bytes);
    for (let at = 0; at < bytes.length; at += 8) {
      this.#first = (this.#first + words.getUint32(at, this.isLittleEndian) + this.#second) >>> 0;
      this.#second = (this.#second + words.getUint32(at + 4, this.isLittleEndian) + this.#first) >>>
        0;
    }
    return this;
  }

  equals(fields: DataView, at: number): boolean {
    return fields.getUint32(at) === this.#first && fields.getUint32(at + 4) === this.#second;
  }
}

/** So many bytes of a file; fewer where it ends, or they cannot be read. */
export function readAt(file: Deno.FsFile, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  try {
    file.seekSync(at, Deno.SeekMode.Start);
    while (done < length) {
      const read = file.readSync(bytes.subarray(done));
      if (read === null) break;
      done += read;
    }
  } catch {
    // What was read before is good.
  }
  return bytes.subarray(0, done);
}

function view({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
