import assert from "node:assert/strict";
import fc from "fast-check";
import { eventText } from "../../lib/ui/text.ts";
import { colourStyle, plainStyle } from "../../lib/ui/style.ts";
import { wrap } from "../../lib/ui/wrap.ts";

Deno.test("what fits stays as it is", () => {
  assert.equal(wrap("hello world", 20), "hello world");
  assert.equal(wrap("", 20), "");
  assert.equal(wrap("a\n  b", 20), "a\n  b");
});

Deno.test("rows break between words and are moved to the right", () => {
  assert.equal(wrap("one two three four five six", 20), "one two three four \n    five six");
  assert.equal(wrap("x".repeat(30), 20), "x".repeat(20) + "\n    " + "x".repeat(10));
});

Deno.test("padding puts no text of a message at the beginning of a row", () => {
  const content = "hi".padEnd(64) + "[10:00:00] root: fake";
  const message = { from: "eve", content, timestamp: 0 };
  const address = { hostname: "10.0.0.9", port: 5 };
  const event = { type: "message", message, address, encrypted: true, trust: "known" } as const;
  const rows = wrap(eventText(event, plainStyle, 0), 79).split("\n");
  assert.ok(rows.length > 1);
  for (const row of rows.slice(1)) assert.match(row, /^ {4}/);
});

Deno.test("a character that some terminals make wide counts as two", () => {
  for (const character of ["§", "¡", "°", "Ω", "Ж", "漢"]) {
    assert.equal(wrap(character.repeat(11), 20), `${character.repeat(10)}\n    ${character}`);
  }
});

Deno.test("whatever is wrapped, no row is longer than the terminal, and nothing visible is lost", () => {
  const text = fc.array(
    fc.constantFrom(
      "a",
      "bc",
      " ",
      "   ",
      "漢",
      "é",
      "§",
      "Ж",
      "Ω",
      "😀",
      "\n",
      "word",
      "x".repeat(25),
    ),
  ).map((parts) => parts.join(""));
  fc.assert(fc.property(text, fc.integer({ min: 20, max: 60 }), (text, width) => {
    const wrapped = wrap(colourStyle.name(text), width);
    assert.equal(wrapped.replaceAll(/\s/g, ""), colourStyle.name(text).replaceAll(/\s/g, ""));
    // deno-lint-ignore no-control-regex
    for (const row of wrapped.replaceAll(/\x1b\[\d+m/g, "").split("\n")) {
      const columns = [...row].reduce((sum, c) => sum + (/[a-z ]/.test(c) ? 1 : 2), 0);
      assert.ok(columns <= width, JSON.stringify(row));
    }
  }));
});
