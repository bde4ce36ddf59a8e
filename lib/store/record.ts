import type { Pages } from "./pages.ts";
import { PAGE_BYTES } from "./schema.ts";

/** A value as SQLite stores it. */
export type Value = null | number | string | Uint8Array;

/** A row of a table: its key and its columns, of which the key itself is `null`. */
export interface RawRow {
  readonly key: number;
  readonly values: readonly Value[];
}

/** What the head of a page with rows of a table begins with (sqlite.org/fileformat2, 1.6). */
const TABLE_LEAF = 0x0d;
const PAGE_HEADER = 8;
/** Of a row, the most that stands in its page, and the least where that is not all of it. */
const MOST_LOCAL = PAGE_BYTES - 35;
const LEAST_LOCAL = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23;
/** A message has no more than 64 KiB of text; what says that it has far more is damaged. */
const MAX_PAYLOAD = 2 ** 20;
const MAX_COLUMNS = 32;
const TEXT = new TextDecoder();

/**
 * Reads the rows of a page of a table, one by one: those that are damaged are `undefined`, and a
 * page of anything else has none.
 */
export function* rowsOf(page: Uint8Array, pages: Pages): Generator<RawRow | undefined> {
  if (page.length < PAGE_HEADER || page[0] !== TABLE_LEAF) return;
  const view = viewOf(page);
  const count = view.getUint16(3);
  if (PAGE_HEADER + 2 * count > page.length) return;
  for (let at = 0; at < count; at++) {
    yield readRow(page, view.getUint16(PAGE_HEADER + 2 * at), pages);
  }
}

function readRow(page: Uint8Array, at: number, pages: Pages): RawRow | undefined {
  try {
    const cell = new Reader(page, at);
    const length = cell.varint();
    const key = cell.varint();
    if (length > MAX_PAYLOAD || key < 1) return undefined;
    const values = valuesOf(readPayload(cell, length, pages));
    return values && { key, values };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The bytes of a record, of which a long one has all but the beginning in pages of their own. */
function readPayload(cell: Reader, length: number, pages: Pages): Uint8Array {
  if (length <= MOST_LOCAL) return cell.bytes(length);
  const fit = LEAST_LOCAL + (length - LEAST_LOCAL) % (PAGE_BYTES - 4);
  const payload = new Uint8Array(length);
  let done = fit <= MOST_LOCAL ? fit : LEAST_LOCAL;
  payload.set(cell.bytes(done));
  let next = cell.uint32();
  while (done < length) {
    const page = pages.read(next);
    if (page.length < PAGE_BYTES) throw new RangeError("a page is missing");
    const part = page.subarray(4, 4 + length - done);
    payload.set(part, done);
    done += part.length;
    next = viewOf(page).getUint32(0);
  }
  if (next !== 0) throw new RangeError("pages of another row");
  return payload;
}

/** Takes a record apart (sqlite.org/fileformat2, 2.1). */
function valuesOf(record: Uint8Array): Value[] | undefined {
  const head = new Reader(record, 0);
  const end = head.varint();
  const body = new Reader(record, end);
  const values: Value[] = [];
  while (head.at < end) {
    if (values.length === MAX_COLUMNS) return undefined;
    values.push(valueOf(head.varint(), body));
  }
  return head.at === end && body.at === record.length ? values : undefined;
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8];

function valueOf(type: number, body: Reader): Value {
  if (type === 0) return null;
  if (type <= 6) return body.integer(INTEGER_BYTES[type]);
  if (type === 8 || type === 9) return type - 8;
  if (type < 12) throw new RangeError("no column of ours is so");
  const bytes = body.bytes(Math.floor((type - 12) / 2));
  return type % 2 === 0 ? bytes : TEXT.decode(bytes);
}

/** @throws {RangeError} When it is to read behind the end. */
class Reader {
  constructor(private readonly source: Uint8Array, public at: number) {}

  bytes(length: number): Uint8Array {
    if (this.at + length > this.source.length) throw new RangeError("behind the end");
    return this.source.subarray(this.at, this.at += length);
  }

  uint32(): number {
    return viewOf(this.bytes(4)).getUint32(0);
  }

  integer(length: number): number {
    let value = 0n;
    for (const byte of this.bytes(length)) value = value << 8n | BigInt(byte);
    return Number(BigInt.asIntN(8 * length, value));
  }

  varint(): number {
    let value = 0;
    for (let count = 1;; count++) {
      const [byte] = this.bytes(1);
      if (count === 9) throw new RangeError("no number of ours is so large");
      value = value * 128 + (byte & 0x7f);
      if ((byte & 0x80) === 0) return value;
    }
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
