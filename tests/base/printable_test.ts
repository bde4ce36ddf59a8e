import assert from "node:assert/strict";
import fc from "fast-check";
import { printable, printableName } from "../../lib/base/printable.ts";

const ESCAPED: [what: string, text: string, shown: string][] = [
  ["a write to the clipboard", "\x1b]52;c;aGk=\x07", "\\u{1b}]52;c;aGk=\\u{7}"],
  ["a cleared screen", "\x1b[2J", "\\u{1b}[2J"],
  ["C1 controls", "\x9b2J\x9d\x85", "\\u{9b}2J\\u{9d}\\u{85}"],
  ["a carriage return", "real\rfake", "real\\u{d}fake"],
  ["a newline and a tab", "a\nb\tc", "a\\u{a}b\\u{9}c"],
  ["NUL, backspace, DEL", "\0\b\x7f", "\\u{0}\\u{8}\\u{7f}"],
  ["bidi overrides", "\u202eabc\u202c", "\\u{202e}abc\\u{202c}"],
  ["bidi isolates", "\u2066a\u2069", "\\u{2066}a\\u{2069}"],
  ["bidi marks", "\u200e\u200f\u061c", "\\u{200e}\\u{200f}\\u{61c}"],
  ["separators", "a\u2028b\u2029", "a\\u{2028}b\\u{2029}"],
  ["lone surrogates", "\ud800 \udc00", "\\u{d800} \\u{dc00}"],
  ["a byte order mark", "\ufeffa", "\\u{feff}a"],
  ["annotations", "\ufff9a\ufffb", "\\u{fff9}a\\u{fffb}"],
];

Deno.test("what could steer a terminal or reorder text is shown escaped", () => {
  for (const [what, text, shown] of ESCAPED) assert.equal(printable(text), shown, what);
});

Deno.test("writing of all kinds stays as it is", () => {
  for (
    const text of [
      "",
      "hello, world \\u{1b}",
      "Grüße, привет, γειά",
      "你好 こんにちは 안녕",
      "مرحبا שלום",
      "नमस्ते",
      "👩‍👩‍👧 🇩🇪 ❤️ 👍🏽",
      "a\u0301\u00a0b",
    ]
  ) assert.equal(printable(text), text);
});

Deno.test("no text has a control character left, and what is shown once stays the same", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((u) => String.fromCharCode(u)) }),
      (text) => {
        const shown = printable(text);
        assert.ok(shown.isWellFormed());
        for (const character of shown) {
          const point = character.codePointAt(0)!;
          assert.ok(point >= 0x20 && !(point >= 0x7f && point < 0xa0), `U+${point.toString(16)}`);
        }
        assert.doesNotMatch(shown, /[\p{Bidi_Control}\u2028\u2029]/u);
        assert.equal(printable(shown), shown);
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("nothing in a name is invisible, but what scripts and emoji are joined with", () => {
  assert.equal(printableName("bob\u200b"), "bob\\u{200b}");
  assert.equal(printableName("b\u00adob\u{e0041}\u3164"), "b\\u{ad}ob\\u{e0041}\\u{3164}");
  assert.equal(
    printableName("👩\u200d💻 ❤\ufe0f می\u200cخواهم"),
    "👩\u200d💻 ❤\ufe0f می\u200cخواهم",
  );
  assert.equal(printableName("\u001b[2J"), "\\u{1b}[2J");
});

Deno.test("a name with a joiner, a selector or a blank where it shows nothing is not like the name without it", () => {
  for (const character of "\u200c\u200d\ufe00\ufe01\ufe0e\ufe0f\u2800\u00a0\u2003\u180b") {
    const shown = `\\u{${character.codePointAt(0)!.toString(16)}}`;
    for (
      const name of [`bob${character}`, `${character}bob`, `b${character}ob`, `боб${character}`]
    ) {
      assert.equal(printableName(name), name.replace(character, shown));
    }
  }
  assert.equal(printableName("می\u200c"), "می\\u{200c}");
  assert.equal(printableName("1\ufe0f"), "1\\u{fe0f}");
  assert.equal(printableName("a\ufe0f\u200d❤"), "a\\u{fe0f}\\u{200d}❤");
  assert.equal(printableName("\u1820\u180e\u200d\u1820"), "\u1820\\u{180e}\\u{200d}\u1820");
  for (
    const name of [
      "1\ufe0f\u20e3",
      "👩🏽\u200d🚀",
      "❤\ufe0f\u200d🔥",
      "क्\u200dष",
      "രാജന്\u200d",
      "مِ\u200cن",
      "山田\u3000太郎",
    ]
  ) {
    assert.equal(printableName(name), name);
  }
});
