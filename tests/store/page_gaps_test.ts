import assert from "node:assert/strict";
import { gapsIn } from "../../lib/store/page_gaps.ts";
import { PAGE_BYTES } from "../../lib/store/schema.ts";

/** A pointer map and one page behind it, which has two cells and something where nothing should be. */
function group({ entry = 5, type = 13, start = 4_000, cell = 4_000, left = 9 } = {}): Uint8Array {
  const bytes = new Uint8Array(2 * PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = entry;
  bytes[PAGE_BYTES] = type;
  view.setUint16(PAGE_BYTES + 3, 2);
  view.setUint16(PAGE_BYTES + 5, start);
  const header = type === 2 || type === 5 ? 12 : 8;
  view.setUint16(PAGE_BYTES + header, 4_050);
  view.setUint16(PAGE_BYTES + header + 2, cell);
  bytes[PAGE_BYTES + 2_000] = left;
  return bytes;
}

Deno.test("what is left on a page lies between the pointers and the first cell", () => {
  const at = 10 * PAGE_BYTES;
  for (const [type, start] of [[13, 12], [10, 12], [2, 16], [5, 16]]) {
    assert.deepEqual(gapsIn(group({ type }), at), [
      { start: at + PAGE_BYTES + start, end: at + PAGE_BYTES + 4_000 },
    ]);
  }
  assert.deepEqual(gapsIn(group({ left: 0 }), at), []);
});

Deno.test("free pages, parts of long rows and damaged pages are left as they are", () => {
  for (const entry of [2, 3, 4]) assert.deepEqual(gapsIn(group({ entry }), 0), []);
  assert.deepEqual(gapsIn(group({ type: 0 }), 0), []);
  assert.deepEqual(gapsIn(group({ start: 11 }), 0), []);
  assert.deepEqual(gapsIn(group({ start: 5_000 }), 0), []);
  assert.deepEqual(gapsIn(group({ cell: 3_000 }), 0), []);
  assert.deepEqual(gapsIn(new Uint8Array(PAGE_BYTES), 0), []);
  assert.deepEqual(gapsIn(new Uint8Array(0), 0), []);
});

Deno.test("where the map is damaged pages are told by what they look like", () => {
  assert.equal(gapsIn(group({ entry: 0xa5 }), 0).length, 1);
});
