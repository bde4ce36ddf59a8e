import assert from "node:assert/strict";
import { silentLog } from "../../lib/base/log.ts";
import type { MemoryHost } from "../../lib/transport/memory.ts";
import {
  type Datagram,
  encodeDatagram,
  MULTICAST_GROUP,
  MULTICAST_PORT,
} from "../../lib/wire/announce.ts";
import type { Node } from "../../lib/node.ts";
import { peersText } from "../../lib/ui/text.ts";
import { plainStyle } from "../../lib/ui/style.ts";
import { watched } from "../peer/fixtures.ts";
import { settle } from "../support/fake_clock.ts";
import { until } from "../ui/driven.ts";
import { Listening } from "./fixtures.ts";
import { newIdentity, SecureWorld } from "./secure_world.ts";

/** Says something to the LAN in the name of whom the host belongs to. */
async function say(host: MemoryHost, datagram: Datagram): Promise<void> {
  using socket = host.lan.open(host.interfaces[0].address);
  await socket.send(encodeDatagram(datagram), { hostname: MULTICAST_GROUP, port: MULTICAST_PORT });
  await settle();
}

/** What `trust` the messages of a node's events had. */
function trusts({ events }: Listening): string[] {
  return events.flatMap((event) => event.type === "message" ? event.trust : []);
}

const trustOf = (node: Node, label: string) => node.trustOf(node.find(label));

Deno.test("who was met for the first time is new until the user has turned to it", async () => {
  await using secure = new SecureWorld();
  const { world } = secure;
  const host = world.host();
  const alice = new Listening(await secure.start("alice", { host }));
  const bob = await secure.start("bob");
  await bob.send("alice", "hello");
  await bob.send("alice", "still a stranger");
  await until(() => alice.heard.length === 2, "the messages");
  assert.deepEqual(trusts(alice), ["new", "new"]);
  assert.equal(trustOf(alice.node, "bob"), "new");
  // Another session is no reason to think otherwise.
  world.network.cut(host);
  const again = watched(bob.send("alice", "again"));
  for (let turn = 0; turn < 100 && again.state === "waiting"; turn++) {
    await world.clock.advance(100);
  }
  await until(() => alice.heard.length === 3, "the message");
  assert.equal(trusts(alice)[2], "new");
  await alice.node.send("bob", "who is it?");
  assert.equal(trustOf(alice.node, "bob"), "known");
  await bob.send("alice", "me");
  await until(() => alice.heard.length === 4, "the message");
  assert.equal(trusts(alice)[3], "known");
});

Deno.test("who was forgotten is new again, and so is what the user thought of it", async () => {
  await using secure = new SecureWorld();
  const alice = new Listening(await secure.start("alice"));
  const bob = await secure.start("bob");
  await alice.node.send("bob", "hello");
  assert.equal(trustOf(alice.node, "bob"), "known");
  alice.node.contacts.forget("bob");
  await until(() => !alice.node.isConnected(alice.node.find("bob")), "the end of the session");
  const sent = watched(bob.send("alice", "who are you?"));
  const { clock } = secure.world;
  for (let turn = 0; turn < 200 && sent.state === "waiting"; turn++) await clock.advance(100);
  await until(() => alice.heard.length === 1, "the message");
  assert.deepEqual(trusts(alice), ["new"]);
});

Deno.test("a peer under one's own nickname is told from oneself, and the nickname is not bound to it", async () => {
  await using secure = new SecureWorld();
  const alice = new Listening(await secure.start("alice"));
  const identity = await newIdentity();
  const other = await secure.start("alice", { identity });
  const label = `alice~${identity.id.slice(0, 4)}`;
  assert.equal(alice.node.find(label).id, identity.id);
  await assert.rejects(alice.node.send("alice", "me?"), { name: "AmbiguousPeerError" });
  const [{ label: toAlice }] = other.peers();
  await other.send(toAlice, "I am you");
  await until(() => alice.heard.length === 1, "the message");
  const [introduced, message] = alice.events.slice(-2);
  assert.deepEqual(introduced, {
    type: "identity",
    change: "new",
    nickname: "alice",
    id: identity.id,
    label,
  });
  assert.ok(message.type === "message" && message.trust === "new" && message.label === label);
  assert.match(
    peersText(alice.node, plainStyle),
    new RegExp(`^ {2}${label} .* new, not you `, "m"),
  );
  await alice.node.send(label, "no");
  assert.match(peersText(alice.node, plainStyle), / known, not you /);
  // Somebody else may use it as well without a changed identity, since it stands for nobody.
  const third = await secure.start("alice");
  const { label: thirdLabel } = alice.node.peers().find(({ id }) => id === third.id)!;
  assert.equal(trustOf(alice.node, thirdLabel), "new");
  assert.throws(() => alice.node.contacts.block("alice"), { name: "AmbiguousPeerError" });
  assert.throws(() => alice.node.contacts.trust(label), /no such peer|your own nickname/);
  await assert.rejects(
    alice.node.send(alice.node.id!, "me"),
    /^InvalidInputError: Cannot reach ".*": that is your own id$/,
  );
});

Deno.test("a known peer that takes one's own nickname is shown as another one", async () => {
  await using secure = new SecureWorld();
  const alice = new Listening(await secure.start("alice"));
  const identity = await newIdentity();
  const bob = await secure.start("bob", { identity });
  await alice.node.send("bob", "hi");
  await secure.end(bob);
  const renamed = await secure.start("alice", { identity });
  await renamed.send(renamed.peers()[0].label, "I am you");
  await until(() => alice.heard.includes("alice: I am you"), "the message");
  const [introduced, message] = alice.events.slice(-2);
  const label = `alice~${identity.id.slice(0, 4)}`;
  assert.ok(introduced.type === "identity" && introduced.change === "renamed");
  assert.deepEqual([introduced.formerNickname, introduced.label], ["bob", label]);
  assert.ok(message.type === "message" && message.label === label && message.trust === "new");
  assert.throws(() => alice.node.contacts.trust(identity.id), /"alice" is your own nickname/);
  assert.equal(alice.node.contacts.forget("bob"), identity.id, "it is still known as bob");
});

Deno.test("a peer of which only a goodbye was heard stays, until its session ends, too", async () => {
  await using secure = new SecureWorld();
  const alice = new Listening(await secure.start("alice"));
  const host = secure.world.host();
  const bob = await secure.start("bob", { host });
  await alice.node.send("bob", "hi");
  const { clock } = secure.world;
  const before = alice.events.length;
  await say(host, { type: "goodbye", nickname: "bob", id: bob.id, instance: undefined });
  assert.deepEqual(alice.events.slice(before), []);
  assert.deepEqual(alice.node.peers().map(({ label, id }) => [label, id]), [["bob", bob.id]]);
  await alice.node.send("bob", "you are here");
  // Somebody else of the name is told from it.
  const identity = await newIdentity();
  const other = await secure.start("bob", { identity });
  const up = alice.events.at(-1)!;
  assert.ok(up.type === "peer_up" && up.peer.label === `bob~${identity.id.slice(0, 7)}`);
  assert.equal(alice.node.find(up.peer.label).id, other.id);
  assert.equal(alice.node.find(`bob~${bob.id!.slice(0, 7)}`).id, bob.id);
  await secure.end(other);
  // Its next announce is none of a newcomer.
  const told = alice.events.length;
  await clock.advance(6000);
  assert.deepEqual(alice.story.slice(told), []);
  assert.equal(alice.node.peers().length, 1);
  await secure.end(bob);
  assert.deepEqual(alice.story.slice(told), ["-bob (goodbye)"]);
  assert.deepEqual(alice.node.peers(), []);
});

Deno.test("whose session ends after a goodbye has gone, once, for the reason of then", async () => {
  await using secure = new SecureWorld();
  const alice = new Listening(await secure.start("alice"));
  const host = secure.world.host();
  const bob = await secure.start("bob", { host });
  await alice.node.send("bob", "hi");
  await say(host, { type: "goodbye", nickname: "bob", id: bob.id, instance: undefined });
  const before = alice.events.length;
  alice.node.contacts.block("bob");
  await settle();
  assert.deepEqual(alice.story.slice(before), ["-bob (goodbye)"]);
  assert.deepEqual(alice.node.peers(), []);
});

Deno.test("a blocked peer does not write to the log, and what it sent may come after the block", async () => {
  await using secure = new SecureWorld();
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (text: string) => void warnings.push(text) };
  const alice = new Listening(await secure.start("alice", { log }));
  const bob = await secure.start("bob");
  await bob.send("alice", "before");
  alice.node.contacts.block("bob");
  const { clock } = secure.world;
  await clock.advance(100);
  const meanwhile = watched(bob.send("alice", "meanwhile"));
  const cause = "connection of a blocked peer that did not become a session";
  const refused = () => alice.node.refusals[cause] ?? 0;
  for (let turn = 0; turn < 30 && refused() === 0; turn++) {
    await clock.advance(100);
    await settle(50);
  }
  assert.ok(refused() > 0);
  assert.equal(meanwhile.state, "waiting");
  assert.deepEqual(warnings, []);
  assert.deepEqual(alice.heard, ["bob: before"]);
  alice.node.contacts.unblock("bob");
  for (let turn = 0; turn < 100 && meanwhile.state === "waiting"; turn++) await clock.advance(100);
  assert.equal(meanwhile.state, "sent");
  assert.deepEqual(alice.heard, ["bob: before", "bob: meanwhile"]);
  alice.node.contacts.block("bob");
  await clock.advance(100);
  const late = watched(bob.send("alice", "late"));
  for (let turn = 0; turn < 200; turn++) await clock.advance(100);
  assert.ok(late.state instanceof Error, "the sender is told");
  assert.deepEqual(warnings, []);
});
