import assert from "node:assert/strict";
import { UnknownPeerError } from "../../lib/errors.ts";
import { until } from "../ui/driven.ts";
import { Listening } from "./fixtures.ts";
import { fates, kept, passing } from "./history_fixtures.ts";
import { SecureWorld } from "./secure_world.ts";

/** Alice, who keeps what is said, and an old peer that confirms nothing. */
async function withOldPeer(secure: SecureWorld, queuePlain: boolean) {
  const { security, history } = await secure.profile();
  const profile = { security, history: { ...history, queuePlain } };
  const [aliceHost, host] = [secure.world.host(), secure.world.host()];
  const alice = await secure.startWith("alice", profile, { host: aliceHost });
  const old = new Listening(await secure.world.start("old", { host }));
  await passing(secure, () => old.node.peers().length === 1, "alice");
  await passing(secure, () => alice.node.peers().length === 1, "the old peer");
  return { alice, old, aliceHost, host };
}

Deno.test("a message to a version 1 peer is sent, which is all that is known", async () => {
  await using secure = new SecureWorld();
  const { alice, old } = await withOldPeer(secure, false);
  await alice.node.post("old", "hi");
  await passing(secure, () => fates(alice).includes("hi: sent"), "the sending");
  await until(() => old.heard.length === 1, "the message");
  assert.deepEqual(kept(alice), ["to old: hi (sent)"]);
  await old.node.send("alice", "hello");
  await until(() => alice.heard.length === 1, "the answer");
  assert.deepEqual(kept(alice), ["to old: hi (sent)", "old: hello"]);
  await secure.end(old.node);
});

Deno.test("a message to a version 1 peer that cannot be reached fails", async () => {
  await using secure = new SecureWorld();
  const { alice, old, host } = await withOldPeer(secure, false);
  secure.world.network.cut(host);
  secure.world.network.partition([host]);
  await alice.node.post("old", "hi");
  await passing(secure, () => fates(alice).includes("hi: failed"), "the failure");
  assert.deepEqual(kept(alice), ["to old: hi (failed)"]);
  await secure.end(old.node);
  await passing(secure, () => alice.node.peers().length === 0, "its leaving");
  await assert.rejects(alice.node.post("old", "hi"), UnknownPeerError);
});

Deno.test("messages wait for version 1 peers where the user says so", async () => {
  await using secure = new SecureWorld();
  const { alice, old } = await withOldPeer(secure, true);
  await alice.node.post("old", "hi");
  await passing(secure, () => fates(alice).includes("hi: sent"), "the sending");
  await secure.end(old.node);
  await passing(secure, () => alice.node.peers().length === 0, "its leaving");
  await assert.rejects(alice.node.post("nobody", "hi"), UnknownPeerError);
  assert.equal((await alice.node.post("old", "for later")).state, "pending");
  const back = new Listening(await secure.world.start("old"));
  await passing(secure, () => back.heard.length === 1, "the message");
  assert.deepEqual(back.heard, ["alice: for later"]);
  await passing(secure, () => fates(alice).includes("for later: sent"), "the sending");
  await secure.end(back.node);
});

Deno.test("what waits for one of two version 1 peers with one nickname goes to the one who stays", async () => {
  await using secure = new SecureWorld();
  const { alice, old, aliceHost, host } = await withOldPeer(secure, true);
  const otherHost = secure.world.host();
  secure.world.network.cut(host);
  secure.world.network.partition([host], [aliceHost, otherHost]);
  await alice.node.post("old", "for whoever stays");
  const other = new Listening(await secure.world.start("old", { host: otherHost }));
  await passing(secure, () => alice.node.peers().length === 2, "another one");
  await passing(secure, () => alice.node.peers().length === 1, "the end of the first one");
  await passing(secure, () => other.heard.length === 1, "the message");
  await passing(secure, () => fates(alice).includes("for whoever stays: sent"), "the sending");
  await secure.end(old.node, other.node);
});

Deno.test("a nickname that became known with an id gets no message that waited for plain text", async () => {
  await using secure = new SecureWorld();
  const { alice, old } = await withOldPeer(secure, true);
  await alice.node.post("old", "hi");
  await passing(secure, () => fates(alice).includes("hi: sent"), "the sending");
  await secure.end(old.node);
  await passing(secure, () => alice.node.peers().length === 0, "its leaving");
  await alice.node.post("old", "in the clear");
  const known = await secure.startWith("old", await secure.profile());
  await known.node.post("alice", "now with an id");
  await until(() => alice.heard.includes("old: now with an id"), "the message");
  await secure.end(known.node);
  const spoofer = new Listening(await secure.world.start("old"));
  await secure.world.clock.advance(120_000);
  assert.deepEqual(spoofer.heard, []);
  assert.equal(alice.node.messages.pendingCount, 1);
  await secure.end(spoofer.node);
});
