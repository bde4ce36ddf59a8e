import fc from "fast-check";
import { formatPeerId, type PeerId } from "../../lib/wire/peer_id.ts";

/** One character: any code point that is not a surrogate, simple ones more often. */
const character = fc.oneof(
  { arbitrary: fc.integer({ min: 0x20, max: 0x7e }), weight: 3 },
  { arbitrary: fc.integer({ min: 0, max: 0x2fff }), weight: 2 },
  { arbitrary: fc.integer({ min: 0, max: 0x10ffff }), weight: 2 },
).map((point) => String.fromCodePoint(point >= 0xd800 && point <= 0xdfff ? 0xfffd : point));

/** Well-formed Unicode text. (`unit: "binary"` of fast-check takes a second to prepare.) */
export function unicode(maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: character, maxLength });
}

/** Any peer id. */
export const peerIds: fc.Arbitrary<PeerId> = fc.uint8Array({ minLength: 32, maxLength: 32 })
  .map(formatPeerId);
