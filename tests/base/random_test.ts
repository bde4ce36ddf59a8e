import assert from "node:assert/strict";
import { type Random, randomHex, systemRandom } from "../../lib/base/random.ts";

Deno.test("random bytes in hexadecimal are two lower-case digits each", () => {
  const random: Random = {
    float: () => 0,
    bytes: (length) => Uint8Array.from({ length }, (_, at) => at * 0x1f + 0x0a),
  };
  assert.equal(randomHex(random, 8), "0a294867" + "86a5c4e3");
  assert.equal(randomHex(random, 0), "");
});

Deno.test("the platform's randomness differs each time and keeps its range", () => {
  assert.equal(systemRandom.bytes(16).length, 16);
  assert.match(randomHex(systemRandom, 8), /^[0-9a-f]{16}$/);
  assert.notEqual(randomHex(systemRandom, 16), randomHex(systemRandom, 16));
  for (let at = 0; at < 1000; at++) {
    const value = systemRandom.float();
    assert.ok(value >= 0 && value < 1);
  }
});
