/**
 * Where pages of a database have nothing, as sqlite.org/fileformat2 describes them.
 *
 * @module
 */

import { PAGE_BYTES } from "./schema.ts";

/** Part of a file, in bytes from its start; without `end`. */
export interface Gap {
  readonly start: number;
  readonly end: number;
}

/** Bytes of an entry in a pointer map, section 1.8: a type and a page number. */
const ENTRY_BYTES = 5;
const ENTRIES = Math.floor(PAGE_BYTES / ENTRY_BYTES);
/** A pointer map with the pages that it tells of: the first is page 2, and all are as long. */
export const GROUP_BYTES = (1 + ENTRIES) * PAGE_BYTES;
/** Where the first group starts: page 1 has the header and the schema. */
export const FIRST_GROUP = PAGE_BYTES;

/** Types of entries for pages that are none of a B-tree: free ones, and parts of long rows. */
const OTHER_ENTRIES = [2, 3, 4];
/** Bytes of the header of a page, section 1.6, by its type. */
const PAGE_HEADERS: Readonly<Record<number, number>> = { 2: 12, 5: 12, 10: 8, 13: 8 };

/** Whether pages are as long as we make them, and have pointer maps; from the file's header. */
export function hasOurLayout(header: Uint8Array): boolean {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const [pageSize, reserved, largestRoot] = [view.getUint16(16), header[20], view.getUint32(52)];
  return pageSize === PAGE_BYTES && reserved === 0 && largestRoot > 0;
}

/**
 * The unallocated space of all B-tree pages in a group, between the pointers to their cells and the
 * first cell, where it has anything but zeros.
 *
 * @param group The pointer map and as many pages after it as there are.
 * @param at Where the group starts in the file, in bytes.
 */
export function gapsIn(group: Uint8Array, at: number): Gap[] {
  const view = new DataView(group.buffer, group.byteOffset, group.byteLength);
  const gaps: Gap[] = [];
  for (let page = 1; (page + 1) * PAGE_BYTES <= group.length; page++) {
    // Where the map is damaged pages are told by what they look like.
    if (OTHER_ENTRIES.includes(group[(page - 1) * ENTRY_BYTES])) continue;
    const top = page * PAGE_BYTES;
    const header = PAGE_HEADERS[group[top]];
    if (header === undefined) continue;
    const start = header + 2 * view.getUint16(top + 3);
    const end = view.getUint16(top + 5);
    // A damaged page is left as it is: somebody may want to read what is left of it.
    if (start > end || end > PAGE_BYTES) continue;
    if (!areCellsBehind(view, top + header, top + start, end)) continue;
    if (hasAnything(group, top + start, top + end)) {
      gaps.push({ start: at + top + start, end: at + top + end });
    }
  }
  return gaps;
}

/** Whether all cells that a page points to begin at `end` or after it. */
function areCellsBehind(view: DataView, pointers: number, last: number, end: number): boolean {
  for (let at = pointers; at < last; at += 2) if (view.getUint16(at) < end) return false;
  return true;
}

function hasAnything(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return true;
  return false;
}
