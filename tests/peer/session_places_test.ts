import assert from "node:assert/strict";
import type { MemoryNetwork } from "../../lib/transport/memory.ts";
import { ConnectError } from "../../lib/errors.ts";
import type { PeerId } from "../../lib/wire/peer_id.ts";
import { settle } from "../support/fake_clock.ts";
import { addHost, memoryWorld } from "./fixtures.ts";
import { chatMessage, couple, Hand, idOf, Person } from "./session_fixtures.ts";

/** Dials somebody as strangers with ids from a number on, all from one address. */
async function strangers(
  network: MemoryNetwork,
  to: Person,
  address: string,
  from: number,
  count: number,
): Promise<Hand[]> {
  const host = addHost(network, address);
  const hands: Hand[] = [];
  for (let index = 0; index < count; index++) {
    hands.push(await Hand.dial(host, to.address, idOf(from + index)));
    await hands.at(-1)!.hello().catch(() => {}); // closed already: the limit
  }
  await settle(20);
  return hands;
}

const endedOf = (hands: readonly Hand[]) => hands.flatMap(({ ended }, at) => ended ? [at] : []);

Deno.test("the longest idle of 128 sessions of one host makes room for its next one, and nobody else's", async () => {
  const world = memoryWorld();
  const { alice } = couple(world);
  const others = await strangers(world.network, alice, "10.0.2.1", 500, 2);
  const hands = await strangers(world.network, alice, "10.0.1.1", 10, 128);
  assert.equal(alice.sessions.count, 130);
  await hands[0].say({ type: "message", seq: 1, ...chatMessage("hi") });
  await settle();
  await strangers(world.network, alice, "10.0.1.1", 300, 2);
  assert.equal(alice.sessions.count, 130);
  assert.deepEqual(endedOf(hands), [1, 2]);
  const bye = hands[1].lines.at(-1)!;
  assert.equal(bye.type === "bye" && bye.reason, "others need the room");
  assert.deepEqual(endedOf(others), []);
  for (let number = 10; number < 138; number++) {
    alice.meet({ id: idOf(number), nickname: "hand", address: alice.address });
  }
  await strangers(world.network, alice, "10.0.1.1", 302, 20);
  await world.clock.advance(20_000);
  assert.equal(alice.dials, 0, "who had to make room is not called back");
  await alice[Symbol.asyncDispose]();
});

Deno.test("1,100 sessions of strangers keep no friend out, end no friend's session, and stop no dial", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  const [carol, dave] = [3, 4].map((number) =>
    new Person(world.clock, addHost(world.network, `10.0.0.${number}`), `friend ${number}`, number)
  );
  alice.meet(dave);
  carol.meet(alice);
  const first = alice.say(bob.id, "hi");
  await settle();
  assert.equal(first.state, "sent");
  for (let host = 0; host < 11; host++) {
    await strangers(world.network, alice, `10.0.3.${host}`, 1000 + 100 * host, 100);
  }
  assert.equal(alice.sessions.count, 1024);
  assert.ok(alice.sessions.with(bob.id) !== undefined);
  const sends = [carol.say(alice.id, "let me in"), alice.say(dave.id, "hi"), alice.say(bob.id, "")];
  await settle(20);
  assert.deepEqual(sends.map(({ state }) => state), ["sent", "sent", "sent"]);
  assert.deepEqual(alice.heard, ["let me in"]);
  assert.deepEqual([alice.established.length > 1000, alice.sessions.count], [true, 1024]);
  assert.equal(bob.established.length, 1);
  assert.deepEqual(alice.refusals.totals(), {});
  for (const person of [alice, bob, carol, dave]) await person[Symbol.asyncDispose]();
});

Deno.test("where nobody can make room others are refused, and own dials have a reserve of 128", async () => {
  const world = memoryWorld();
  const trusted = new Set<PeerId>();
  const { alice } = couple(world, { isTrusted: (id) => trusted.has(id) });
  for (let number = 0; number < 1200; number++) trusted.add(idOf(1000 + number));
  const hands = await strangers(world.network, alice, "10.0.1.1", 1000, 130);
  assert.deepEqual(endedOf(hands), [128, 129]);
  assert.equal(alice.refusals.totals()["sessions above the limit of 128 per host"], 2);
  for (let host = 0; host < 9; host++) {
    await strangers(world.network, alice, `10.0.3.${host}`, 1130 + 100 * host, 100);
  }
  assert.equal(alice.sessions.count, 1024);
  assert.equal(alice.refusals.totals()["sessions above the limit of 1024"], 128 + 900 - 1024);
  const host = addHost(world.network, "10.0.0.9");
  const friends = Array.from(
    { length: 129 },
    (_, index) => new Person(world.clock, host, "friend", 3000 + index),
  );
  for (const friend of friends) alice.meet(friend);
  const sends = friends.map(({ id }) => alice.say(id, "hi"));
  await settle(20);
  assert.equal(sends.filter(({ state }) => state === "sent").length, 128);
  assert.equal(sends.filter(({ state }) => state instanceof ConnectError).length, 1);
  await alice[Symbol.asyncDispose]();
  for (const friend of friends) await friend[Symbol.asyncDispose]();
});
