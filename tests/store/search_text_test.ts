import assert from "node:assert/strict";
import fc from "fast-check";
import { searchText } from "../../lib/store/search_text.ts";
import { unicode } from "../wire/arbitraries.ts";

Deno.test("a text for the index has signs apart and characters of scripts without spaces alone", () => {
  const cases: [string, string][] = [
    ["plain text, with signs: <>=+|~", "plain text, with signs: <>=+|~"],
    ["Grüße, ćao, привет, γειά, שלום, مرحبا, 학교", "Grüße, ćao, привет, γειά, שלום, مرحبا, 학교"],
    ["nice🙂", "nice "],
    ["a→b", "a b"],
    ["日本go", " 日  本 go"],
    ["𠮷", " 𠮷 "],
  ];
  for (const [text, expected] of cases) assert.equal(searchText(text), expected);
});

Deno.test("a text for the index is the same each time, and no longer than thrice", () => {
  fc.assert(fc.property(unicode(200), (text) => {
    const first = searchText(text);
    assert.equal(searchText(text), first);
    assert.ok(first.length <= 3 * text.length);
    assert.equal(first.replaceAll(" ", ""), searchText(first).replaceAll(" ", ""));
  }));
});
