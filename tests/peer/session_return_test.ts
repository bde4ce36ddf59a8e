import assert from "node:assert/strict";
import { ConnectError } from "../../lib/errors.ts";
import { settle } from "../support/fake_clock.ts";
import { addHost, memoryWorld, peerAt } from "./fixtures.ts";
import { chatMessage, couple, Hand, idOf, Person, withHand } from "./session_fixtures.ts";

Deno.test("a peer that ends the session on purpose is dialled again only when messages wait", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.say(bob.id, "hi");
  await settle();
  await bob.sessions.drop(alice.id, "enough");
  await world.clock.advance(60_000);
  assert.deepEqual([alice.dials, bob.dials], [1, 0]);
  assert.equal(world.clock.waiting, 0, "nobody waits for anything");
  const again = alice.say(bob.id, "one more");
  await settle();
  assert.deepEqual([again.state, alice.dials], ["sent", 2]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("a peer that ends the session before it has confirmed everything is dialled again", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.say(bob.id, "hi");
  await settle();
  world.network.delayMs = 20;
  const send = alice.say(bob.id, "unconfirmed");
  void bob.sessions.drop(alice.id, "enough");
  await world.clock.advance(3000);
  assert.deepEqual([send.state, alice.dials], ["sent", 2]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("a peer is found at the address of its last session, though a forged announce has taken its place", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.say(bob.id, "hi");
  await settle();
  bob.announced.clear();
  await bob.sessions.drop(alice.id, "enough");
  alice.meet({ ...bob, id: bob.id, nickname: "bob", address: { hostname: "10.0.0.2", port: 9 } });
  const send = alice.say(bob.id, "are you there?");
  await world.clock.advance(1000);
  assert.equal(send.state, "sent");
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("a peer that has announced another address while it was dialled in vain is dialled there", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  const real = alice.announced.get(bob.id)!;
  alice.meet({ ...bob, id: bob.id, nickname: "bob", address: { hostname: "10.0.0.2", port: 9 } });
  world.network.delayMs = 100;
  const sends = [alice.say(bob.id, "one"), alice.say(bob.id, "two")];
  await settle();
  alice.announced.set(bob.id, real);
  await world.clock.advance(2000);
  assert.deepEqual(sends.map(({ state }) => state), ["sent", "sent"]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("a first session that breaks before the hello is dialled once more", async () => {
  for (const breaks of [1, 2]) {
    const world = memoryWorld();
    const alice = new Person(world.clock, addHost(world.network, "10.0.0.1"), "alice", 1);
    const host = addHost(world.network, "10.0.0.7");
    const listener = host.transport.listen({ hostname: "0.0.0.0", port: 0 });
    const address = { hostname: "10.0.0.7", port: listener.address.port };
    alice.meet({ id: idOf(7), nickname: "hand", address });
    const send = alice.say(idOf(7), "hi");
    for (let count = 0; count < breaks; count++) {
      await Hand.on(await listener.accept(), idOf(7));
      await settle();
      world.network.cut(host);
      await settle();
    }
    if (breaks === 1) {
      const hand = await Hand.on(await listener.accept(), idOf(7));
      await hand.hello({ dialled: undefined });
      await hand.say({ type: "ack", seq: 1 });
      await settle();
      assert.equal(send.state, "sent");
    } else {
      assert.ok(send.state instanceof ConnectError, String(send.state));
    }
    assert.equal(alice.dials, 2);
    await alice[Symbol.asyncDispose]();
    listener.close();
  }
});

Deno.test("a message that is sent while a connection is made for others fails with it", async () => {
  const world = memoryWorld();
  const { alice } = couple(world);
  const peer = { ...peerAt([{ hostname: "10.0.0.2", port: 9 }]), id: idOf(3) };
  world.network.delayMs = 100;
  const connecting = assert.rejects(alice.sessions.connect(peer, idOf(3)), ConnectError);
  const sending = assert.rejects(
    alice.sessions.send(peer, idOf(3), chatMessage("hi")),
    ConnectError,
  );
  await world.clock.advance(1000);
  await connecting;
  await sending;
  assert.equal(world.clock.waiting, 0);
});

Deno.test("only who turns a session away may have blocked this identity", async () => {
  const world = memoryWorld();
  const alice = new Person(world.clock, addHost(world.network, "10.0.0.1"), "alice", 1);
  const { transport } = addHost(world.network, "10.0.0.7");
  const listener = transport.listen({ hostname: "0.0.0.0", port: 0 });
  const address = { hostname: "10.0.0.7", port: listener.address.port };
  for (const isTurnedAway of [true, false]) {
    alice.meet({ id: idOf(7), nickname: "hand", address });
    const send = alice.say(idOf(7), "hi");
    const hand = await Hand.on(await listener.accept(), idOf(7));
    await settle();
    if (isTurnedAway) hand.stream.close();
    else await alice.sessions.drop(idOf(7), "you blocked it");
    await settle();
    const connecting = alice.sessions.connect(alice.announced.get(idOf(7))!, idOf(7));
    assert.ok(send.state instanceof ConnectError, String(send.state));
    assert.equal(/has it blocked this identity/.test(send.state.message), isTurnedAway);
    const rejected = assert.rejects(connecting, (error: Error) => {
      assert.equal(/has it blocked this identity/.test(error.message), isTurnedAway);
      return true;
    });
    const second = await Hand.on(await listener.accept(), idOf(7));
    await settle();
    if (isTurnedAway) second.stream.close();
    else await alice.sessions.drop(idOf(7), "you blocked it");
    await rejected;
  }
  listener.close();
  await alice[Symbol.asyncDispose]();
});

Deno.test("a handshake that is complete only after the end begins no session, and the end waits for it", async () => {
  const judging = Promise.withResolvers<void>();
  const { alice, hand } = await withHand();
  const late = new Person(alice.clock, alice.host, "late", 5, {
    upgrade: async (stream) => {
      await judging.promise;
      return stream;
    },
  });
  await hand.hello();
  const stream = await alice.host.transport.dial(late.address, new AbortController().signal);
  await settle();
  let isOver = false;
  const over = late[Symbol.asyncDispose]().then(() => isOver = true);
  await settle();
  assert.equal(isOver, false);
  judging.resolve();
  await over;
  assert.equal(late.sessions.count, 0);
  assert.equal(await stream.read(new Uint8Array(10)).catch(() => null), null, "no hello");
  await alice[Symbol.asyncDispose]();
});

Deno.test("10,000 strangers do not make a friend's numbers be forgotten", async () => {
  const { alice, hand, dial, id } = await withHand();
  const message = { type: "message", seq: 1, ...chatMessage("once") };
  await hand.hello();
  await hand.say(message);
  await settle();
  alice.say(id, "hi");
  await settle();
  await hand.say({ type: "ack", seq: 1 }, { type: "bye", reason: "see you" });
  await settle();
  const nowhere = { hostname: "10.0.0.2", port: 9 };
  for (let number = 10; number < 10_020; number++) {
    const peer = { ...peerAt([nowhere]), id: idOf(number) };
    await alice.sessions.connect(peer, idOf(number)).catch(() => {});
  }
  const again = await dial();
  await again.hello({ ordinal: 2, dialled: 1 });
  await again.say(message);
  await settle();
  assert.deepEqual(alice.heard, ["once"]);
  await alice[Symbol.asyncDispose]();
});
