import assert from "node:assert/strict";
import fc from "fast-check";
import { nearest } from "../../lib/base/nearest.ts";

Deno.test("what differs little is near, the best first", () => {
  assert.deepEqual(nearest("acile", ["bob", "alices", "alice"]), []);
  assert.deepEqual(nearest("alicee", ["bob", "alic", "alice"]), ["alice", "alic"]);
  assert.deepEqual(nearest("bop", ["alice", "bob"]), ["bob"]);
});

Deno.test("two letters that changed places count as one difference", () => {
  assert.deepEqual(nearest("bbo", ["bob", "babe"]), ["bob"]);
  assert.deepEqual(nearest("/sned", ["/peers", "/send"]), ["/send"]);
});

Deno.test("case does not matter and candidates come back as they are", () => {
  assert.deepEqual(nearest("ALICE", ["Alicia", "aLiCe"]), ["aLiCe"]);
});

Deno.test("the word itself comes before what begins with it", () => {
  assert.deepEqual(nearest("bob", ["bobby", "Bobek", "bob"]), ["bob", "bobby", "Bobek"]);
});

Deno.test("what begins with the word is near however long it is", () => {
  assert.deepEqual(nearest("al", ["bob", "alexandrina"]), ["alexandrina"]);
  assert.deepEqual(nearest("", ["alexandrina"]), []);
});

Deno.test("no more are returned than were asked for", () => {
  const candidates = ["bob1", "bob2", "bob3", "bob4"];
  assert.deepEqual(nearest("bob", candidates), ["bob1", "bob2", "bob3"]);
  assert.deepEqual(nearest("bob", candidates, 1), ["bob1"]);
});

Deno.test("a word that is too long is near to nothing, at no cost", () => {
  const word = "a".repeat(65);
  assert.deepEqual(nearest(word, [word]), []);
  assert.deepEqual(nearest(word.slice(1), [word.slice(1)]), [word.slice(1)]);
});

Deno.test("whatever is returned is one of the candidates, and the word itself always is", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 10 }), fc.array(fc.string()), (word, candidates) => {
      const found = nearest(word, [...candidates, word]);
      assert.equal(found[0].toLowerCase(), word.toLowerCase());
      assert.ok(found.length <= 3);
      assert.ok(found.every((candidate) => candidate === word || candidates.includes(candidate)));
    }),
  );
});
