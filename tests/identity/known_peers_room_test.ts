import assert from "node:assert/strict";
import { LimitError } from "../../lib/errors.ts";
import { EVE, Fixture, idOf } from "./known_peers_fixtures.ts";

const DAY_MS = 24 * 3600 * 1000;

Deno.test("who was not seen for the longest time makes room, never who is verified or blocked", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open(4);
  for (const number of [1, 2, 3, 4]) {
    known.remember(`n${number}`, idOf(number));
    await fixture.clock.advance(1000);
  }
  known.verify(idOf(1));
  known.block(idOf(2));
  known.remember("n3", idOf(3)); // seen again, so 4 is the oldest
  known.remember("n5", idOf(5));
  assert.deepEqual((await fixture.all(known)).map(({ nickname }) => nickname).sort(), [
    "n1",
    "n2",
    "n3",
    "n5",
  ]);
  assert.equal(known.byNickname("n4"), undefined);
  known.verify(idOf(3));
  known.verify(idOf(5));
  assert.deepEqual(known.remember("n6", idOf(6)), { trust: "new" });
  assert.equal(known.byId(idOf(6)), undefined);
  assert.equal(fixture.warnings.length, 1);
  assert.throws(() => known.accept("n6", idOf(6)), LimitError);
  assert.throws(() => known.block(idOf(6)), LimitError);
  known.accept("n1", idOf(3)); // needs no room
  assert.equal((await fixture.all(known)).length, 4);
});

Deno.test("a flood of strangers drives out itself, and nobody who was met on different days", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open(20);
  for (let number = 1; number <= 5; number++) known.remember(`friend${number}`, idOf(number));
  await fixture.clock.advance(2 * DAY_MS);
  for (let number = 1; number <= 5; number++) known.remember(`friend${number}`, idOf(number));
  await fixture.clock.advance(30 * DAY_MS);
  for (let number = 100; number < 1000; number++) {
    known.remember(`flood${number}`, idOf(number));
    await fixture.clock.advance(1000);
  }
  for (let number = 1; number <= 5; number++) {
    assert.equal(known.assess(`friend${number}`, idOf(number)), "known");
    assert.equal(known.assess(`friend${number}`, EVE), number === 3 ? "known" : "changed");
  }
  assert.equal((await fixture.all(known)).length, 20);
});

Deno.test("a flood of strangers does not drive out who was met a moment before it", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open(20);
  for (let number = 1; number <= 5; number++) known.remember(`friend${number}`, idOf(number));
  for (let number = 100; number < 1000; number++) {
    await fixture.clock.advance(1000);
    known.remember(`flood${number}`, idOf(number));
  }
  for (let number = 1; number <= 5; number++) {
    assert.equal(known.assess(`friend${number}`, idOf(number)), "known");
  }
});
