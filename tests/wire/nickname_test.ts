import assert from "node:assert/strict";
import fc from "fast-check";
import { isNickname, nicknameProblem } from "../../lib/wire/nickname.ts";
import { unicode } from "./arbitraries.ts";

/** `White_Space` of Unicode, written out: what Rust's `str::trim` removes. */
const WHITE_SPACE = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0x85, 0x85],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
];
const isWhite = (point: number) => WHITE_SPACE.some(([a, b]) => point >= a && point <= b);
/** The general category Cc, written out: Rust's `char::is_control`. */
const isControl = (point: number) => point <= 0x1f || (point >= 0x7f && point <= 0x9f);

/** The rules of protocol version 1, section 4, one by one. */
function reference(text: string): boolean {
  const points = [...text].map((char) => char.codePointAt(0)!);
  return points.length > 0 && !points.some((point) => point >= 0xd800 && point <= 0xdfff) &&
    !isWhite(points[0]) && !isWhite(points.at(-1)!) && !points.some(isControl) &&
    new TextEncoder().encode(text).length <= 32;
}

Deno.test("a nickname keeps the rules for every character at every place", () => {
  for (
    let point = 0;
    point <= 0x10ffff;
    point += point < 0x3100 || point > 0xd700 && point < 0x10000 ? 1 : 97
  ) {
    const char = String.fromCodePoint(point);
    for (const text of [char, `${char}a`, `a${char}`, `a${char}a`]) {
      if (isNickname(text) !== reference(text)) {
        assert.fail(`U+${point.toString(16)} in ${JSON.stringify(text)}`);
      }
    }
  }
});

Deno.test("any text is a nickname exactly when it keeps the rules", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 40 }),
    unicode(12),
    fc.string({
      unit: fc.constantFrom("a", " ", "\t", "\u00a0", "ä", "😀", "\ud800", "\n"),
      maxLength: 12,
    }),
  );
  fc.assert(
    fc.property(text, (it) => {
      assert.equal(isNickname(it), reference(it));
      assert.equal(nicknameProblem(it) === undefined, reference(it));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a nickname has 1 to 32 bytes of UTF-8", () => {
  const tooLong = "it has more than 32 bytes of UTF-8";
  assert.equal(nicknameProblem(""), "it is empty");
  for (const [char, most] of [["a", 32], ["ä", 16], ["€", 10], ["😀", 8]] as const) {
    assert.equal(nicknameProblem(char.repeat(most)), undefined);
    assert.equal(nicknameProblem(char.repeat(most + 1)), tooLong);
    assert.equal(isNickname(char.repeat(most + 1)), false);
  }
  assert.equal(nicknameProblem("€".repeat(10) + "ab"), undefined);
  assert.equal(nicknameProblem("€".repeat(10) + "abc"), tooLong);
  assert.equal(nicknameProblem("a".repeat(1_000_000)), tooLong);
});

Deno.test("the problem of a nickname is named", () => {
  assert.equal(nicknameProblem(" \u3000"), "it is only white space");
  assert.equal(nicknameProblem("a\nb"), "it contains a newline");
  assert.equal(nicknameProblem("ab\n"), "it contains a newline");
  assert.equal(nicknameProblem("a\u009bb"), "it contains a control character");
  assert.equal(nicknameProblem(" ab"), "it starts or ends with white space");
  assert.equal(nicknameProblem("ab\u00a0"), "it starts or ends with white space");
  assert.equal(nicknameProblem("a\ud800"), "it is not valid Unicode");
  assert.equal(nicknameProblem("a b"), undefined);
});

Deno.test("what is not text is no nickname", () => {
  for (const value of [undefined, null, 1, true, {}, [], ["alice"], { length: 3 }]) {
    assert.equal(isNickname(value), false);
  }
});
