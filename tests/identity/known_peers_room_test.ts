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

Deno.test("whom the user has turned to makes room for nobody, over restarts", async () => {
  await using fixture = await Fixture.make();
  {
    await using known = await fixture.open(3);
    for (const number of [1, 2, 3]) known.remember(`n${number}`, idOf(number));
    known.address(idOf(3));
    known.address(EVE); // 3, once more
    known.address(idOf(9)); // nobody
  }
  await using known = await fixture.open(3);
  await fixture.clock.advance(60 * DAY_MS);
  for (let number = 10; number < 30; number++) known.remember(`flood${number}`, idOf(number));
  assert.equal(known.assess("n3", idOf(3)), "known");
  assert.equal(known.isAddressed(idOf(3)), true);
  assert.equal(known.isAddressed(idOf(29)), false);
});

Deno.test("a month after a flood who is met then is not driven out by the next stranger", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open(20);
  for (let number = 100; number < 130; number++) known.remember(`flood${number}`, idOf(number));
  await fixture.clock.advance(31 * DAY_MS);
  known.remember("bob", idOf(1));
  await fixture.clock.advance(1000);
  for (let number = 200; number < 210; number++) {
    known.remember(`z${number}`, idOf(number));
    assert.equal(known.assess("bob", idOf(1)), "known");
  }
});

Deno.test("of one host 256 new peers are remembered at once, then one a minute, and of others as many", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  const meet = (number: number, host: string) => {
    known.remember(`n${number}`, idOf(number), false, host);
    return known.byId(idOf(number)) !== undefined;
  };
  for (let number = 1; number <= 256; number++) assert.ok(meet(number, "10.0.0.1"));
  assert.equal(meet(257, "10.0.0.1"), false);
  assert.equal(meet(1, "10.0.0.1"), true, "who is known stays so");
  assert.equal(meet(258, "10.0.0.2"), true);
  await fixture.clock.advance(60_000);
  assert.equal(meet(257, "10.0.0.1"), true);
  assert.equal(meet(259, "10.0.0.1"), false);
});
