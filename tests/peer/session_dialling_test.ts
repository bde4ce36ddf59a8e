import assert from "node:assert/strict";
import { ConnectError } from "../../lib/errors.ts";
import type { Listener, Stream } from "../../lib/transport/stream.ts";
import { settle } from "../support/fake_clock.ts";
import { addHost, memoryWorld, peerAt } from "./fixtures.ts";
import { couple, Hand, idOf, Person } from "./session_fixtures.ts";

/** Alice, Bob, and a host whose addresses are announced under Bob's id and say nothing. */
function withSilentAddresses(count: number) {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  const { transport } = addHost(world.network, "10.0.0.6");
  const taken: Stream[] = [];
  const listeners = Array.from({ length: count }, () => {
    const listener = transport.listen({ hostname: "0.0.0.0", port: 0 });
    void take(listener, taken);
    return listener;
  });
  const silent = listeners.map(({ address }) => ({ ...address, hostname: "10.0.0.6" }));
  const peer = { ...peerAt([...silent, bob.address], { nickname: "bob" }), id: bob.id };
  alice.announced.set(bob.id, peer);
  return { ...world, alice, bob, taken };
}

async function take(listener: Listener, taken: Stream[]): Promise<void> {
  try {
    while (true) taken.push(await listener.accept());
  } catch {
    // closed
  }
}

Deno.test("addresses that accept and stay silent delay a message by 300 ms each, not by seconds", async () => {
  const { clock, alice, bob, taken } = withSilentAddresses(3);
  const send = alice.say(bob.id, "hi");
  await clock.advance(899);
  assert.equal(send.state, "waiting");
  await clock.advance(2);
  assert.equal(send.state as string, "sent");
  assert.equal(taken.length, 3);
  for (const stream of taken) {
    // What they were sent before is read first; then the end comes.
    const buffer = new Uint8Array(1024);
    while (await stream.read(buffer).catch(() => null) !== null);
  }
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
  assert.equal(clock.waiting, 0);
});

Deno.test("the address of the last session is dialled first after a break", async () => {
  const { clock, network, alice, bob, taken } = withSilentAddresses(3);
  const first = alice.say(bob.id, "hi");
  await clock.advance(1000);
  assert.deepEqual([first.state, taken.length], ["sent", 3]);
  network.cut(bob.host);
  const second = alice.say(bob.id, "again");
  await clock.advance(550);
  assert.equal(second.state, "sent");
  assert.equal(taken.length, 3, "no other address is tried");
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("a peer with two addresses that are both slow to answer gets one session", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  bob.host.interfaces.push({ ...bob.host.interfaces[0], address: "10.0.1.2" });
  const second = { ...bob.address, hostname: "10.0.1.2" };
  const peer = { ...peerAt([bob.address, second], { nickname: "bob" }), id: bob.id };
  alice.announced.set(bob.id, peer);
  world.network.delayMs = 400;
  const send = alice.say(bob.id, "hi");
  await world.clock.advance(10_000);
  assert.equal(send.state, "sent");
  assert.equal(alice.dials, 2);
  assert.deepEqual([alice.established.length, bob.established.length], [1, 1]);
  assert.deepEqual([alice.sessions.count, bob.sessions.count], [1, 1]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("who proves the id and says no hello is named with its address after 5 s", async () => {
  const { clock, network } = memoryWorld();
  const alice = new Person(clock, addHost(network, "10.0.0.1"), "alice", 1);
  const { transport } = addHost(network, "10.0.0.7");
  const listener = transport.listen({ hostname: "0.0.0.0", port: 0 });
  const address = { hostname: "10.0.0.7", port: listener.address.port };
  alice.meet({ id: idOf(7), nickname: "hand", address });
  const send = alice.say(idOf(7), "hi");
  await Hand.on(await listener.accept(), idOf(7));
  await clock.advance(5000);
  assert.ok(send.state instanceof ConnectError, String(send.state));
  assert.match(
    send.state.message,
    /^Cannot begin a session with "hand" at 10\.0\.0\.7:\d+: no hello within 5 s; has it blocked /,
  );
  listener.close();
  await settle();
  assert.equal(clock.waiting, 0);
  await alice[Symbol.asyncDispose]();
});
