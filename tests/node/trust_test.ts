import assert from "node:assert/strict";
import { silentLog } from "../../lib/base/log.ts";
import { AmbiguousPeerError } from "../../lib/errors.ts";
import type { MemoryHost } from "../../lib/transport/memory.ts";
import {
  type Datagram,
  encodeDatagram,
  MULTICAST_GROUP,
  MULTICAST_PORT,
} from "../../lib/wire/announce.ts";
import { formatPeerId, peerIdHash, shortId } from "../../lib/wire/peer_id.ts";
import type { Node } from "../../lib/node.ts";
import { identityText } from "../../lib/ui/identity_text.ts";
import { eventText, peersText } from "../../lib/ui/text.ts";
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
  await alice.node.contacts.forget("bob");
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
  const label = `alice~${shortId(identity.id)}`;
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
  await assert.rejects(alice.node.contacts.block("alice"), { name: "AmbiguousPeerError" });
  await assert.rejects(alice.node.contacts.trust(label), /no such peer|your own nickname/);
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
  const label = `alice~${shortId(identity.id)}`;
  assert.ok(introduced.type === "identity" && introduced.change === "renamed");
  assert.deepEqual([introduced.formerNickname, introduced.label], ["bob", label]);
  assert.ok(message.type === "message" && message.label === label && message.trust === "new");
  await assert.rejects(alice.node.contacts.trust(identity.id), /"alice" is your own nickname/);
  assert.equal(await alice.node.contacts.forget("bob"), identity.id, "it is still known as bob");
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
  await alice.node.contacts.block("bob");
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
  const blocked = alice.node.contacts.block("bob"); // its end is not seen at once
  const { clock } = secure.world;
  await clock.advance(100);
  const meanwhile = watched(bob.send("alice", "meanwhile"));
  await blocked;
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
  await alice.node.contacts.unblock("bob");
  for (let turn = 0; turn < 100 && meanwhile.state === "waiting"; turn++) await clock.advance(100);
  assert.equal(meanwhile.state, "sent");
  assert.deepEqual(alice.heard, ["bob: before", "bob: meanwhile"]);
  await alice.node.contacts.block("bob");
  await clock.advance(100);
  const late = watched(bob.send("alice", "late"));
  for (let turn = 0; turn < 200; turn++) await clock.advance(100);
  assert.ok(late.state instanceof Error, "the sender is told");
  assert.deepEqual(warnings, []);
});

Deno.test("neither who is blocked nor who is forgotten is told so, but the user is", async () => {
  await using secure = new SecureWorld();
  const endingsOf = (endings: string[]) => ({
    ...silentLog,
    info: (text: string) => void (/ended/.test(text) && endings.push(text)),
  });
  const endings: string[] = [];
  const own: string[] = [];
  const alice = new Listening(await secure.start("alice", { log: endingsOf(own) }));
  const bob = await secure.start("bob", { log: endingsOf(endings) });
  const reasons = { forget: "you have forgotten who it is", block: "you have blocked it" };
  for (const command of ["forget", "block"] as const) {
    await bob.send("alice", "hi");
    await alice.node.contacts[command]("bob");
    await until(() => endings.length > 0, "the end of the session");
    assert.match(endings.pop()!, /sending has ended$/);
    assert.ok(own.pop()!.endsWith(`ended: ${reasons[command]}`));
  }
});

Deno.test("who only came first does not have the nickname for certain, until the user has written to it", async () => {
  await using secure = new SecureWorld();
  const alice = new Listening(await secure.start("alice"));
  const squatter = await secure.start("carol");
  await squatter.send("alice", "I am carol");
  const carol = await secure.start("carol");
  await carol.send("alice", "So am I");
  await until(() => alice.heard.length === 2, "the messages");
  const warnings = () =>
    alice.events.flatMap((event) =>
      event.type === "identity" && event.change === "changed" ? event.isUnanswered ?? false : []
    );
  assert.deepEqual(warnings(), [true]);
  await assert.rejects(alice.node.send("carol", "which?"), { name: "AmbiguousPeerError" });
  await alice.node.send(`carol~${shortId(squatter.id!)}`, "you");
  await alice.node.send("carol", "you again");
  const third = await secure.start("carol");
  await third.send(third.find("alice").label, "And I");
  await until(() => alice.heard.length === 3, "the message");
  assert.deepEqual(warnings(), [true, false]);
});

Deno.test("a label of one's own nickname does not go over to an id that begins the same", async () => {
  await using secure = new SecureWorld();
  const alice = new Listening(await secure.start("alice"));
  const identity = await newIdentity();
  const other = await secure.start("alice", { identity });
  const label = `alice~${shortId(identity.id)}`;
  await alice.node.send(label, "me?");
  await secure.end(other);
  const [group, ...rest] = identity.id.split("-");
  const hash = peerIdHash(identity.id);
  hash[31] ^= 1;
  const alike = formatPeerId(hash);
  assert.equal(alike.split("-")[0], group, String(rest));
  const host = secure.world.host();
  await say(host, {
    type: "announce",
    nickname: "alice",
    tcpPort: 5,
    ask: false,
    version: 2,
    instance: "00000000000000aa",
    id: alike,
  });
  await until(() => alice.node.peers().length === 1, "the announce");
  assert.throws(() => alice.node.find(label), (error) => {
    assert.ok(error instanceof AmbiguousPeerError, String(error));
    assert.deepEqual(error.choices, [identity.id, alike]);
    return true;
  });
});

Deno.test("a nickname that looks like a label or an id is shown with a tag, wherever it turns up", async () => {
  await using secure = new SecureWorld();
  const alice = new Listening(await secure.start("alice"));
  for (const nickname of ["bob~VV2D", "3AZGJLW"]) {
    const stranger = await secure.start(nickname);
    await stranger.send("alice", "trust me");
    const label = `${nickname}~${stranger.id!.slice(0, 4)}`;
    await until(() => alice.heard.includes(`${nickname}: trust me`), "the message");
    const [introduced, message] = alice.events.slice(-2);
    assert.ok(introduced.type === "identity" && message.type === "message");
    assert.deepEqual([introduced.label, message.label], [label, label]);
    assert.ok(identityText(introduced, plainStyle).startsWith(`* ${label} is new to you`));
    const shown = eventText(message, plainStyle, 0);
    assert.ok(shown.endsWith(`] ${label} [new]: trust me`), shown);
    assert.match(peersText(alice.node, plainStyle), new RegExp(`^ {2}${label} .* new `, "m"));
  }
});
