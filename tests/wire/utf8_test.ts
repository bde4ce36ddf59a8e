import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeUtf8, isUtf8 } from "../../lib/wire/utf8.ts";
import { unicode } from "./arbitraries.ts";

const fatal = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function expected(bytes: Uint8Array): string | undefined {
  try {
    return fatal.decode(bytes);
  } catch {
    return undefined;
  }
}

Deno.test("UTF-8 is told from other bytes as the platform tells it, for every short sequence", () => {
  // Every first byte, and both ends of each class of the bytes that may follow.
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  for (let lead = 0; lead < 256; lead++) {
    const sequences = [[lead], ...edges.map((edge) => [lead, edge])];
    for (const more of lead >= 0xf0 ? [1, 2] : lead >= 0xe0 ? [1] : []) {
      for (const sequence of sequences.filter(({ length }) => length === more + 1)) {
        sequences.push(...edges.map((edge) => [...sequence, edge]));
      }
    }
    for (const sequence of sequences) {
      const bytes = Uint8Array.from(sequence);
      assert.equal(isUtf8(bytes), expected(bytes) !== undefined, sequence.join());
    }
  }
});

Deno.test("UTF-8 is read as the platform reads it", () => {
  const text = unicode(30).map((it) => new TextEncoder().encode(it));
  const spoilt = fc.tuple(text, fc.nat(), fc.integer({ min: 0, max: 255 })).map(
    ([bytes, at, value]) => {
      if (bytes.length > 0) bytes[at % bytes.length] = value;
      return bytes;
    },
  );
  fc.assert(
    fc.property(fc.oneof(text, spoilt, fc.uint8Array({ maxLength: 20 })), (bytes) => {
      assert.equal(decodeUtf8(bytes), expected(bytes));
    }),
    { numRuns: 2000 },
  );
});
