import assert from "node:assert/strict";
import { ConnectError } from "../../lib/errors.ts";
import { settle } from "../support/fake_clock.ts";
import { memoryWorld } from "./fixtures.ts";
import { couple, texts, withHand } from "./session_fixtures.ts";

Deno.test("a silent peer is pinged after 10 s and given up within 30 s; any line keeps it", async () => {
  const { clock, alice, hand } = await withHand();
  await hand.hello();
  await clock.advance(14_000);
  assert.deepEqual(hand.types, ["hello", "ping"]);
  await hand.say({ type: "pong" });
  await clock.advance(24_000);
  assert.equal(hand.ended, false);
  await clock.advance(5000);
  assert.ok(hand.ended);
  assert.match(alice.ended[0], /no sign of life/);
  await alice[Symbol.asyncDispose]();
});

Deno.test("a ping is answered, and many that wait are answered together", async () => {
  const { alice, hand } = await withHand();
  await hand.hello();
  await settle();
  await hand.say(...Array.from({ length: 1000 }, () => ({ type: "ping" })));
  await settle();
  const pongs = hand.types.filter((type) => type === "pong").length;
  assert.ok(pongs >= 1 && pongs < 50, `${pongs} pongs`);
  await alice[Symbol.asyncDispose]();
});

Deno.test("while a message waits a silent peer is pinged after 3 s, and given up after 10 s", async () => {
  const { clock, alice, hand, id } = await withHand();
  await hand.hello();
  await clock.advance(12_000); // quiet before counts for nothing
  const before = hand.types.length;
  alice.say(id, "are you there?");
  await clock.advance(2500);
  assert.deepEqual(hand.types.slice(before), ["message"]);
  await clock.advance(1000);
  assert.deepEqual(hand.types.slice(before), ["message", "ping"]);
  await hand.say({ type: "pong" });
  await clock.advance(8500);
  assert.deepEqual(alice.ended, [], "a pong is a sign of life");
  await clock.advance(2000);
  assert.match(alice.ended[0], /no sign of life for 10 s/);
  await alice[Symbol.asyncDispose]();
});

Deno.test("who is acknowledged gives the peer as much time as before again", async () => {
  const { clock, alice, hand, id } = await withHand();
  await hand.hello();
  await settle();
  const send = alice.say(id, "hi");
  await clock.advance(5000);
  await hand.say({ type: "ack", seq: 1 });
  await settle();
  assert.equal(send.state, "sent");
  await clock.advance(20_000);
  assert.deepEqual(alice.ended, []);
  await clock.advance(9000);
  assert.match(alice.ended[0], /no sign of life for 25 s/);
  await alice[Symbol.asyncDispose]();
});

Deno.test("time for which the program stood still is not the peer's silence", async () => {
  const { clock, alice, hand, id } = await withHand();
  await hand.hello();
  await settle();
  const send = alice.say(id, "hi");
  await settle();
  const now = clock.monotonic.bind(clock);
  clock.monotonic = () => now() + 60_000;
  await clock.advance(6000);
  await hand.say({ type: "ack", seq: 1 });
  await settle();
  assert.deepEqual([send.state, alice.ended], ["sent", []]);
  await alice[Symbol.asyncDispose]();
});

Deno.test("a side that holds a part of a line says that it is there", async () => {
  const { clock, alice, hand } = await withHand();
  await hand.hello();
  await settle();
  const line = JSON.stringify({ type: "ping" });
  await hand.stream.write(new TextEncoder().encode(line.slice(0, 5)));
  await clock.advance(9500);
  assert.deepEqual(hand.types, ["hello", "pong", "pong"]);
  await hand.say(line.slice(5));
  await clock.advance(8000);
  assert.deepEqual(hand.types, ["hello", "pong", "pong", "pong"], "then only when asked");
  await alice[Symbol.asyncDispose]();
});

Deno.test("a peer that does not read stays while it gives signs of life, and nothing piles up for it", async () => {
  const { clock, alice, hand, id } = await withHand();
  await hand.hello();
  await settle();
  hand.reads = false;
  const send = alice.say(id, "x".repeat(1_000_000)); // fills what the network holds
  await settle();
  for (let second = 0; second < 120; second += 4) {
    await hand.say(...Array.from({ length: 100 }, () => ({ type: "ping" })));
    await clock.advance(4000);
  }
  assert.deepEqual([alice.ended, alice.dials], [[], 0]);
  assert.match(String(send.state), /Cannot tell whether .* it has confirmed nothing for 30 s/);
  await clock.advance(11_000);
  assert.match(alice.ended[0], /no sign of life for 10 s/);
  assert.equal(alice.sessions.count, 0);
  await alice[Symbol.asyncDispose]();
});

Deno.test("a partition is noticed by both sides within 30 s", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.say(bob.id, "hi");
  await world.clock.advance(3000);
  alice.announced.clear();
  bob.announced.clear();
  world.network.partition([alice.host], [bob.host]);
  await world.clock.advance(30_000);
  for (const person of [alice, bob]) {
    assert.match(person.ended[0] ?? "", /no sign of life for 25 s/);
    assert.equal(person.sessions.count, 0);
  }
  await world.clock.advance(60_000);
  assert.equal(alice.dials, 1);
});

Deno.test("a quiet session stays, and so does that with somebody whose user is slow", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.say(bob.id, "hi");
  await world.clock.advance(300_000);
  assert.deepEqual([alice.established.length, bob.established.length], [1, 1], "quiet");
  bob.room = Promise.withResolvers();
  const send = alice.say(bob.id, "are you there?");
  await world.clock.advance(300_000);
  assert.deepEqual([alice.ended, bob.ended], [[], []], "slow");
  assert.match(String(send.state), /Cannot tell whether .* it has confirmed nothing for 30 s/);
  assert.ok(!alice.sessions.isAnswering(bob.id));
  bob.room.resolve();
  bob.room = undefined;
  await world.clock.advance(100);
  assert.ok(alice.sessions.isAnswering(bob.id), "a late answer is one");
  assert.equal(alice.established.length, 2, "and is told");
  assert.deepEqual(bob.heard, ["hi", "are you there?"]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("a partition is noticed within 10 s by whoever waits for an acknowledgement", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.say(bob.id, "hi");
  await world.clock.advance(9000);
  world.network.partition([alice.host], [bob.host]);
  alice.say(bob.id, "are you there?");
  await world.clock.advance(10_000);
  assert.match(alice.ended[0] ?? "", /no sign of life for 10 s/);
  assert.deepEqual(bob.ended, []);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("a session stays for minutes while the user at the other end is slow and its line is full", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.say(bob.id, "hi");
  await settle();
  bob.room = Promise.withResolvers();
  const contents = texts(20).map((text) => text.padEnd(60_000));
  const sends = contents.map((text) => alice.say(bob.id, text));
  await world.clock.advance(300_000);
  assert.deepEqual([alice.ended, bob.ended], [[], []]);
  assert.deepEqual([alice.dials, bob.dials], [1, 0]);
  bob.room.resolve();
  bob.room = undefined;
  await world.clock.advance(1000);
  assert.ok(sends.every(({ state }) => state instanceof ConnectError));
  assert.deepEqual(bob.heard, ["hi", ...contents]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});
