import assert from "node:assert/strict";
import { ConnectError, LimitError, RefusedError } from "../../lib/errors.ts";
import { settle } from "../support/fake_clock.ts";
import { addHost, memoryWorld } from "./fixtures.ts";
import { chatMessage, couple, Hand, idOf, Person, texts } from "./session_fixtures.ts";

Deno.test("the first message opens a session, on which both sides answer", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  const first = alice.say(bob.id, "hi");
  await settle();
  assert.equal(first.state, "sent");
  const back = bob.say(alice.id, "hi you");
  await settle();
  assert.equal(back.state, "sent");
  assert.deepEqual([alice.heard, bob.heard], [["hi you"], ["hi"]]);
  assert.equal(bob.dials, 0, "the session that is there is used");
  assert.equal(alice.sessions.with(bob.id)?.peerHello.nickname, "bob");
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
  await settle();
  assert.equal(world.clock.waiting, 0, "nothing is left behind");
});

Deno.test("a message that cannot be sent at all is reported at once", async () => {
  const world = memoryWorld();
  const { alice } = couple(world);
  alice.meet({ id: idOf(3), address: { hostname: "10.0.0.2", port: 9 }, nickname: "zoe" });
  const sends = [alice.say(idOf(3), "one"), alice.say(idOf(3), "two")];
  await settle();
  for (const { state } of sends) {
    assert.ok(state instanceof ConnectError);
    assert.match(state.message, /^Cannot connect to "zoe" at 10\.0\.0\.2:9 \(Connection refused\)/);
  }
  assert.equal(world.clock.waiting, 0);
});

Deno.test("a session that breaks is dialled again, and what was not acknowledged is sent again, once and in order", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.say(bob.id, "first");
  await settle();
  world.network.delayMs = 20;
  const sends = texts(20).map((text) => alice.say(bob.id, text));
  await world.clock.advance(30); // taken, but the acknowledgement is on its way
  assert.equal(bob.heard.length, 21);
  assert.ok(sends.every(({ state }) => state === "waiting"));
  world.network.cut(bob.host);
  sends.push(alice.say(bob.id, "later"));
  await world.clock.advance(2000);
  assert.ok(sends.every(({ state }) => state === "sent"));
  assert.deepEqual(bob.heard, ["first", ...texts(20), "later"]);
  assert.ok(alice.sessions.with(bob.id) !== undefined);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("after 15 s without a session what waits is given up, and a later message dials at once", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.say(bob.id, "first");
  await settle();
  world.network.partition([alice.host], [bob.host]);
  const waiting = alice.say(bob.id, "lost?");
  await world.clock.advance(1);
  world.network.cut(bob.host);
  await world.clock.advance(10_000);
  const second = alice.say(bob.id, "neither");
  await world.clock.advance(4989);
  const state = () => waiting.state;
  assert.equal(state(), "waiting");
  await world.clock.advance(20);
  assert.match(String(state()), /Cannot tell whether the message to "bob" arrived: .* within 15 s/);
  assert.ok(second.state instanceof ConnectError, String(second.state));
  world.network.heal();
  await world.clock.advance(1000); // a dial that was under way may come through
  const later = alice.say(bob.id, "later");
  await world.clock.advance(100);
  assert.equal(later.state, "sent");
  assert.deepEqual(bob.heard.at(-1), "later");
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("a message that is sent during a break does not wait for the next attempt", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.say(bob.id, "first");
  await settle();
  world.network.partition([alice.host], [bob.host]);
  world.network.cut(bob.host);
  const [peer] = [alice.announced.get(bob.id)!];
  alice.announced.clear();
  bob.announced.clear();
  await world.clock.advance(100);
  alice.announced.set(bob.id, peer);
  world.network.heal();
  const send = alice.say(bob.id, "second");
  await world.clock.advance(1);
  assert.equal(send.state, "sent");
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("a peer that is not announced any more is not dialled, and forgotten when nothing waits", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.say(bob.id, "first");
  await settle();
  alice.announced.clear();
  bob.announced.clear();
  world.network.cut(bob.host);
  await world.clock.advance(1000);
  assert.equal(world.clock.waiting, 0, "nobody waits for anything");
  await world.clock.advance(60_000);
  assert.equal(alice.dials, 1);
});

Deno.test("a peer that left and came back in the same run loses no message to its old numbers", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  for (let round = 0; round < 3; round++) {
    const peer = bob.announced.get(alice.id)!;
    const sends = [alice.say(bob.id, `a${round}`), bob.say(alice.id, `b${round}`)];
    await world.clock.advance(1000);
    assert.deepEqual(sends.map(({ state }) => state), ["sent", "sent"]);
    bob.announced.clear();
    await bob.sessions.drop(alice.id, "gone for lunch");
    world.network.partition([alice.host], [bob.host]);
    await world.clock.advance(120_000);
    world.network.heal();
    await world.clock.advance(60_000);
    bob.announced.set(alice.id, peer);
  }
  assert.deepEqual(bob.heard, ["a0", "a1", "a2"]);
  assert.deepEqual(alice.heard, ["b0", "b1", "b2"]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("a peer that starts again with the same id is heard from its first message on", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  await settle();
  for (const text of texts(3)) bob.say(alice.id, text);
  await settle();
  world.network.cut(bob.host);
  const again = new Person(world.clock, bob.host, "bob", 2, { instance: "00000000000000b2" });
  again.meet(alice);
  const sends = texts(3, 10).map((text) => again.say(alice.id, text));
  await settle();
  assert.ok(sends.every(({ state }) => state === "sent"));
  assert.deepEqual(alice.heard, [...texts(3), ...texts(3, 10)]);
  assert.equal(alice.sessions.with(bob.id)?.peerHello.instance, "00000000000000b2");
  for (const person of [alice, bob, again]) await person[Symbol.asyncDispose]();
});

Deno.test("more than 16 million characters waiting for one peer are refused at once", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  world.network.partition([alice.host], [bob.host]);
  const text = "x".repeat(4 * 1024 * 1024 - 200);
  const sends = [1, 2, 3, 4, 5].map(() => alice.say(bob.id, text));
  await settle();
  const last = sends.pop()!.state;
  assert.ok(last instanceof LimitError);
  assert.match(last.message, /16777216 characters are waiting/);
  assert.ok(sends.every(({ state }) => state === "waiting"));
  await alice[Symbol.asyncDispose]();
  assert.ok(sends.every(({ state }) => state instanceof ConnectError));
  await bob[Symbol.asyncDispose]();
});

Deno.test("content above the receiver's limit is refused with a reason, and the session goes on", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world, { maxContentBytes: 1000 });
  const sends = ["one", "ü".repeat(501), "ü".repeat(500)].map((text) => alice.say(bob.id, text));
  await settle();
  assert.deepEqual([sends[0].state, sends[2].state], ["sent", "sent"]);
  const refused = sends[1].state;
  assert.ok(refused instanceof RefusedError);
  assert.match(refused.message, /refuses the message: a message has at most 1000 bytes here/);
  assert.deepEqual(bob.heard, ["one", "ü".repeat(500)]);
  assert.equal(alice.established.length, 1);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("a refusal is said before what comes behind it is acknowledged, whatever else waits", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world, { maxContentBytes: 100_000 });
  alice.say(bob.id, "hi");
  await settle();
  // Bob has much to say and Alice is slow, when a message comes that he refuses.
  alice.room = Promise.withResolvers();
  const flood = texts(20).map((text) => bob.say(alice.id, text.padEnd(90_000)));
  await settle();
  const long = alice.say(bob.id, "x".repeat(100_001));
  const short = alice.say(bob.id, "short");
  await settle();
  alice.room.resolve();
  alice.room = undefined;
  await settle(100);
  assert.ok(long.state instanceof RefusedError, String(long.state));
  assert.equal(short.state, "sent");
  assert.ok(flood.every(({ state }) => state === "sent"));
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("the end rejects what waits, whether it is dialling, unacknowledged or coming back", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  const carol = new Person(world.clock, addHost(world.network, "10.0.0.3"), "carol", 3);
  const dave = new Person(world.clock, addHost(world.network, "10.0.0.4"), "dave", 4);
  for (const person of [carol, dave]) {
    alice.meet(person);
    alice.say(person.id, "hi");
  }
  await settle();
  world.network.partition([alice.host]);
  world.network.cut(carol.host);
  await world.clock.advance(1000);
  const sends = [bob, carol, dave].map(({ id }) => alice.say(id, "hello"));
  await settle();
  await alice[Symbol.asyncDispose]();
  for (const { state } of sends) assert.ok(state instanceof ConnectError, String(state));
  const late = alice.say(bob.id, "too late");
  await settle();
  assert.ok(late.state instanceof ConnectError);
  assert.match(late.state.message, /has ended/);
  world.network.heal();
  for (const person of [bob, carol, dave]) await person[Symbol.asyncDispose]();
  await settle();
  assert.equal(alice.sessions.count, 0);
});

Deno.test("a session that becomes ready after the end, or after a block, is not used", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  const early = await Hand.dial(bob.host, alice.address, bob.id);
  await settle();
  alice.blocked.add(bob.id); // between the handshake and the hello
  await early.hello();
  await early.say({ type: "message", seq: 1, ...chatMessage("psst") });
  await settle();
  assert.deepEqual(alice.heard, []);
  assert.equal(alice.sessions.with(bob.id), undefined);
  assert.ok(early.ended);
  await alice[Symbol.asyncDispose]();
  await settle();
  await bob[Symbol.asyncDispose]();
  await settle();
  assert.equal(world.clock.waiting, 0);
});

Deno.test("whoever answers with another id than the announced one is named, and gets nothing", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  const mallory = new Person(world.clock, addHost(world.network, "10.0.0.6"), "mallory", 6);
  alice.meet({ ...bob, id: bob.id, nickname: "bob", address: mallory.address });
  const send = alice.say(bob.id, "secret");
  await settle();
  assert.ok(send.state instanceof ConnectError);
  assert.match(alice.impostors[0], new RegExp(`bob with the id ${bob.id}.*${mallory.id}`));
  assert.deepEqual(mallory.heard, []);
  for (const person of [alice, bob, mallory]) await person[Symbol.asyncDispose]();
});

Deno.test("a peer that takes sessions only to end them is dialled less and less often", async () => {
  const world = memoryWorld();
  const { alice } = couple(world);
  const host = addHost(world.network, "10.0.0.7");
  const listener = host.transport.listen({ hostname: "0.0.0.0", port: 0 });
  alice.meet({
    id: idOf(7),
    nickname: "hand",
    address: { hostname: "10.0.0.7", port: listener.address.port },
  });
  let count = 0;
  void (async () => {
    try {
      while (true) {
        const hand = await Hand.on(await listener.accept(), idOf(7));
        await hand.hello({ ordinal: ++count, dialled: undefined });
        hand.stream.close();
      }
    } catch {
      // closed
    }
  })();
  await (await Hand.dial(host, alice.address, idOf(7))).hello();
  await settle();
  world.network.cut(host);
  await world.clock.advance(300_000);
  assert.ok(count >= 5 && count < 30, `${count} sessions in 5 minutes`);
  listener.close();
  await alice[Symbol.asyncDispose]();
});

Deno.test("who comes while too much waits for the user is not shown before there is room, and heard then", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.room = Promise.withResolvers();
  const send = bob.say(alice.id, "hi");
  await world.clock.advance(25_000);
  assert.equal(send.state, "waiting");
  assert.deepEqual([alice.established.length, alice.heard.length], [0, 0]);
  assert.deepEqual([alice.ended, bob.ended, bob.dials], [[], [], 1]);
  alice.room.resolve();
  alice.room = undefined;
  await settle();
  assert.equal(send.state as string, "sent");
  assert.deepEqual(alice.heard, ["hi"]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("a peer whose numbers were forgotten for 10,000 others does not get old ones again", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  const first = alice.say(bob.id, "first");
  await settle();
  assert.equal(first.state, "sent");
  const peer = alice.announced.get(bob.id)!;
  alice.announced.clear();
  bob.announced.clear();
  world.network.cut(bob.host);
  await world.clock.advance(5000);
  const nowhere = { hostname: "10.0.0.2", port: 9 };
  const strangers = Array.from({ length: 10_000 }, (_, index) => idOf(index + 10));
  await Promise.all(strangers.map(async (id) => {
    alice.meet({ id, nickname: "stranger", address: nowhere });
    await assert.rejects(alice.sessions.send(alice.announced.get(id)!, id, chatMessage("hi")));
  }));
  alice.announced.set(bob.id, peer);
  const second = alice.say(bob.id, "second");
  await settle();
  assert.equal(second.state, "sent");
  assert.deepEqual(bob.heard, ["first", "second"]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});
