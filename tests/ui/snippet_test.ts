import assert from "node:assert/strict";
import fc from "fast-check";
import { snippet } from "../../lib/ui/snippet.ts";
import { unicode } from "../wire/arbitraries.ts";

const LONG = "lorem ipsum dolor ".repeat(100);

Deno.test("a short message is shown whole, in one line", () => {
  assert.equal(snippet("see you\n  at the bridge", "bridge"), "see you at the bridge");
  assert.equal(snippet("", "bridge"), "");
});

Deno.test("of a long message the part around the hit is shown", () => {
  const text = `${LONG}meet me at the Café Löwe at noon ${LONG}`;
  for (
    const query of ["cafe", "CAFÉ", "caf*", '"at the cafe"', "from:bob cafe before:2026-01-31"]
  ) {
    const shown = snippet(text, query);
    assert.match(shown, /^….*the Café Löwe at noon.*…$/, query);
    assert.ok([...shown].length <= 202, `${shown.length} characters`);
  }
  assert.match(snippet(text, "lowe"), /Café Löwe/);
});

Deno.test("a hit is a word's beginning, not what stands within another one", () => {
  assert.match(snippet(`${LONG}concatenate ${LONG}cat ${LONG}`, "cat"), / cat lorem/);
});

Deno.test("a hit is found beside a picture, and where no spaces are between words", () => {
  assert.match(snippet(`${LONG}☺nice🙂face ${LONG}`, "face"), /nice🙂face/);
  const long = "これは長い文章です。".repeat(50);
  assert.match(snippet(`${long}日本語のテキスト${long}`, "テキスト"), /^…テキスト/);
  assert.match(snippet(`${long}日本語のテキスト${long}`, "日本*"), /^…日本語/);
  assert.match(snippet(`${long}日本語abc ${long}`, "abc"), /^…abc/);
});

Deno.test("where nothing is found the beginning is shown", () => {
  for (const query of ["elsewhere", "from:bob", "", "-", "a*"]) {
    assert.match(snippet(LONG, query), /^lorem ipsum dolor .*…$/, query);
  }
});

Deno.test("whatever is searched in whatever text, the snippet is short and a part of it", () => {
  fc.assert(
    fc.property(unicode(60), unicode(20), fc.nat(60), (text, query, repeats) => {
      const long = text.repeat(repeats);
      const shown = snippet(long, query);
      assert.ok([...shown].length <= 202);
      assert.ok(long.replace(/\s+/g, " ").includes(shown.replace(/^…/, "").replace(/…$/, "")));
    }),
    { numRuns: 500 },
  );
});
