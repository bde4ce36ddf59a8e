import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { formatPeerId } from "../../lib/wire/peer_id.ts";
import { safetyNumber } from "../../lib/wire/safety_number.ts";

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const idOf = (byte: number) => formatPeerId(new Uint8Array(32).fill(byte));

Deno.test("the safety number is the same on both sides, twelve groups of five digits", async () => {
  await fc.assert(fc.asyncProperty(hash, hash, async (a, b) => {
    const number = await safetyNumber(formatPeerId(a), formatPeerId(b));
    assert.match(number, /^\d{5}( \d{5}){11}$/);
    assert.equal(await safetyNumber(formatPeerId(b), formatPeerId(a)), number);
  }));
});

Deno.test("the safety number is the one of the specification", async () => {
  const digest = createHash("sha512").update("parlance safety number 1")
    .update(new Uint8Array(32).fill(1)).update(new Uint8Array(32).fill(0xf0)).digest();
  const groups = Array.from({ length: 12 }, (_, at) => {
    return String(BigInt(`0x${digest.subarray(5 * at, 5 * at + 5).toString("hex")}`) % 100_000n)
      .padStart(5, "0");
  });
  assert.equal(await safetyNumber(idOf(0xf0), idOf(1)), groups.join(" "));
});

Deno.test("another id on either side gives another safety number", async () => {
  const number = await safetyNumber(idOf(1), idOf(2));
  for (const [a, b] of [[1, 3], [3, 2], [1, 1], [2, 2]]) {
    assert.notEqual(await safetyNumber(idOf(a), idOf(b)), number);
  }
});
