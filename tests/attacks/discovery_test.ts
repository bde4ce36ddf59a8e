import assert from "node:assert/strict";
import { randomHex, systemRandom } from "../../lib/base/random.ts";
import { RawTls } from "../support/raw_tls.ts";
import type { Peer } from "../../lib/node.ts";
import {
  assertKnows,
  dialAs,
  eventually,
  Lan,
  newIdentity,
  opening,
  type Person,
  talk,
} from "./fixtures.ts";

/** Accepts connections and keeps every byte that comes, without a word. */
function eavesdrop() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const heard: number[] = [];
  (async () => {
    for await (const connection of listener) {
      const buffer = new Uint8Array(4096);
      const count = await connection.read(buffer).catch(() => null);
      heard.push(...buffer.subarray(0, count ?? 0));
      connection.close();
    }
  })();
  return { port: listener.addr.port, heard, [Symbol.dispose]: () => listener.close() };
}

function refusedToSend(person: Person, to: string): Promise<string> {
  return person.node.send(to, "secret").then(
    () => assert.fail("sent"),
    (error) => (error as Error).message,
  );
}

async function friends() {
  const stack = new AsyncDisposableStack();
  const lan = new Lan();
  const alice = stack.use(await lan.start("alice"));
  const bob = stack.use(await lan.start("bob"));
  await talk(alice, bob, "before");
  return { lan, alice, bob, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

Deno.test("the right certificate behind another peer's announce is no session, and the user is told", async () => {
  await using world = await friends();
  const { lan, alice, bob } = world;
  const [dave, mallory] = [await newIdentity(), await newIdentity()];
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  // Dave is announced where mallory answers, who has an identity of her own.
  await lan.announce("dave", listener.addr.port, dave.id);
  await alice.seen((event) => event.type === "peer_up" && event.peer.id === dave.id);
  const failing = refusedToSend(alice, "dave");
  using raw = await RawTls.server(await listener.accept(), {
    certificate: mallory.certificateDer,
    keyPem: mallory.keyPem,
  });
  await raw.write(opening("dave", "I am dave")).catch(() => {});
  assert.equal(await raw.read(), null);
  assert.match(await failing, new RegExp(`it proved another id, ${mallory.id}`));
  const warned = await alice.seen((event) => event.type === "problem");
  assert.ok(warned.type === "problem" && warned.message.includes(dave.id));
  assert.ok(warned.message.includes(mallory.id));
  await talk(alice, bob, "after");
  await assertKnows(alice, bob);
});

Deno.test("a peer that answers behind an announce of somebody else's id gets nothing", async () => {
  await using world = await friends();
  const { lan, alice, bob } = world;
  const mallory = await newIdentity();
  // Mallory's id is announced where bob listens: bob proves to be bob.
  await lan.announce("mallory", bob.node.tcpPort, mallory.id);
  await alice.seen((event) => event.type === "peer_up" && event.peer.id === mallory.id);
  const message = await refusedToSend(alice, "mallory");
  assert.match(message, new RegExp(`it proved another id, ${bob.identity.id}`));
  await talk(alice, bob, "after");
  assert.ok(bob.heard.every((line) => !line.includes("secret")));
  await assertKnows(alice, bob);
});

Deno.test("an announce of a known nickname elsewhere, without an id, draws nothing in plain text", async () => {
  await using world = await friends();
  const { lan, alice, bob } = world;
  using elsewhere = eavesdrop();
  await lan.announce("bob", elsewhere.port, undefined, "127.0.0.2");
  await alice.seen((event) => event.type === "peer_up" && event.peer.id === undefined);
  await talk(alice, bob, "after"); // by the nickname, which is still bob's
  const stranger = alice.node.peers().find(({ id }) => id === undefined)!;
  assert.equal(alice.node.trustOf(stranger), "unverified");
  assert.match(await refusedToSend(alice, stranger.label), /known with the id/);
  // Nor once bob himself is out of sight.
  const { id } = bob.identity;
  await bob.node[Symbol.asyncDispose]();
  await alice.seen((event) => event.type === "peer_down" && event.peer.id === id);
  await eventually(() => !alice.node.isConnected({ id } as Peer), "the session ends");
  assert.match(await refusedToSend(alice, "bob"), /known with the id/);
  assert.deepEqual(elsewhere.heard, []);
});

Deno.test("an announce of a known nickname with another id is a changed identity that gets nothing", async () => {
  await using world = await friends();
  const { lan, alice, bob } = world;
  const mallory = await newIdentity();
  using elsewhere = eavesdrop();
  await lan.announce("bob", elsewhere.port, mallory.id, "127.0.0.2");
  await alice.seen((event) => event.type === "peer_up" && event.peer.id === mallory.id);
  await talk(alice, bob, "after");
  const stranger = alice.node.peers().find(({ id }) => id === mallory.id)!;
  assert.equal(alice.node.trustOf(stranger), "changed");
  const message = await refusedToSend(alice, stranger.label);
  assert.match(message, /its identity has changed/);
  for (const id of [bob.identity.id, mallory.id]) assert.ok(message.includes(id), message);
  assert.deepEqual(elsewhere.heard, []);
});

Deno.test("who proves another id under a known nickname is shown as changed, once", async () => {
  await using world = await friends();
  const { alice, bob } = world;
  const mallory = await newIdentity();
  for (const text of ["one", "two"]) {
    using raw = await dialAs(mallory, alice.node);
    await raw.write(opening("bob", text));
    const event = await alice.hears(`bob: ${text}`);
    assert.ok(event.type === "message" && event.trust === "changed" && event.id === mallory.id);
  }
  const warnings = alice.events.filter((event) =>
    event.type === "identity" && event.change === "changed"
  );
  assert.deepEqual(warnings, [
    {
      type: "identity",
      change: "changed",
      nickname: "bob",
      id: mallory.id,
      knownId: bob.identity.id,
    },
  ]);
  await talk(alice, bob, "after");
  await assertKnows(alice, bob);
});

Deno.test("a spoofed announce of a peer's own id elsewhere does not disturb its session", async () => {
  await using world = await friends();
  const { lan, alice, bob } = world;
  using elsewhere = eavesdrop();
  await lan.announce("bob", elsewhere.port, bob.identity.id, "127.0.0.2");
  await talk(alice, bob, "after");
  assert.deepEqual(elsewhere.heard, []);
});

Deno.test("a spoofed goodbye does not end a live session, and sending goes on", async () => {
  await using world = await friends();
  const { lan, alice, bob } = world;
  const { id } = bob.identity;
  const instance = alice.node.find("bob").instance;
  for (const from of ["127.0.0.2", "127.0.0.1"]) {
    await lan.say({ type: "goodbye", nickname: "bob" }, from);
    await lan.say({ type: "goodbye", nickname: "bob", id }, from);
    await lan.say({ type: "goodbye", nickname: "bob", id, instance }, from);
    await lan.say(
      { type: "goodbye", nickname: "bob", id, instance: randomHex(systemRandom, 8) },
      from,
    );
  }
  // Behind the goodbyes, in the same order.
  await lan.announce("marker", 1, (await newIdentity()).id);
  await alice.seen((event) => event.type === "peer_up" && event.peer.nickname === "marker");
  assert.equal((await alice.node.send("bob", "still there?")).id, id);
  await bob.hears("alice: still there?");
  await bob.node.send("alice", "of course");
  await alice.hears("bob: of course");
  assert.ok(alice.node.isConnected({ id } as Peer));
});

Deno.test("an announce that joins a known id to another nickname draws nothing", async () => {
  await using world = await friends();
  const { lan, alice, bob } = world;
  await lan.announce("carol", bob.node.tcpPort, bob.node.id!);
  await alice.seen((event) => event.type === "peer_up" && event.peer.nickname === "carol");
  assert.equal(alice.node.trustOf(alice.node.find("carol")), "new");
  assert.match(await refusedToSend(alice, "carol"), /who has its id calls itself "bob"/);
  await talk(alice, bob, "after");
  assert.ok(!bob.heard.some((text) => text.includes("secret")));
});

Deno.test("who was forgotten is remembered at the next message, and is not sent plain text then", async () => {
  await using world = await friends();
  const { lan, alice, bob } = world;
  await alice.node.contacts.forget("bob");
  await eventually(() => !alice.node.isConnected({ id: bob.node.id } as Peer), "the session ends");
  await talk(alice, bob, "again");
  await assertKnows(alice, bob);
  using ear = eavesdrop();
  await bob.node[Symbol.asyncDispose]();
  await lan.announce("bob", ear.port);
  await alice.seen((event) =>
    event.type === "peer_up" && event.peer.nickname === "bob" && event.peer.id === undefined
  );
  await refusedToSend(alice, "bob");
  assert.deepEqual(ear.heard, []);
});
