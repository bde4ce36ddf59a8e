import assert from "node:assert/strict";
import { UnknownPeerError } from "../../lib/errors.ts";
import { idOf } from "../peer/session_fixtures.ts";
import { messageIdOf } from "../support/message_ids.ts";
import { until } from "../ui/driven.ts";
import { acquainted, fates, kept, passing } from "./history_fixtures.ts";
import { SecureWorld } from "./secure_world.ts";

const DAY_MS = 86_400_000;

/** Alice sends a message that bob takes, and her run ends before she has noted that. */
async function sendUnnoticed(
  secure: SecureWorld,
  { alice, bob, ofAlice }: Pick<
    Awaited<ReturnType<typeof acquainted>>,
    "alice" | "bob" | "ofAlice"
  >,
  content: string,
): Promise<void> {
  const { outbox } = ofAlice.history.store;
  outbox.delivered = () => Promise.reject(new Error("the disk takes nothing"));
  await alice.node.post("bob", content);
  await until(() => bob.heard.at(-1) === `alice: ${content}`, "the message");
  await secure.end(alice.node);
  Reflect.deleteProperty(outbox, "delivered");
}

Deno.test("a message is kept on both sides, and delivered when the other side has it", async () => {
  await using secure = new SecureWorld();
  const { alice, bob } = await acquainted(secure);
  assert.deepEqual(fates(alice).slice(-2), ["hello: sent", "hello: delivered"]);
  assert.deepEqual(bob.heard, ["alice: hello"]);
  assert.deepEqual(kept(alice), ["to bob: hello (delivered)"]);
  assert.deepEqual(kept(bob), ["alice: hello"]);
});

Deno.test("messages to who is away arrive in order when it is back, over restarts of both", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofAlice, ofBob } = await acquainted(secure);
  await secure.end(bob.node);
  await passing(secure, () => alice.node.peers().length === 0, "bob's leaving");
  assert.equal((await alice.node.post("bob", "one")).state, "pending");
  await alice.node.post("bob", "two");
  await secure.end(alice.node);
  const again = await secure.startWith("alice", ofAlice);
  await again.node.post("bob", "three");
  const back = await secure.startWith("bob", ofBob);
  await passing(secure, () => back.heard.length === 3, "the messages");
  assert.deepEqual(back.heard, ["alice: one", "alice: two", "alice: three"]);
  await passing(secure, () => fates(again).includes("three: delivered"), "the delivery");
  assert.deepEqual(kept(again).slice(1), [
    "to bob: one (delivered)",
    "to bob: two (delivered)",
    "to bob: three (delivered)",
  ]);
});

Deno.test("a message to nobody that is known is refused, not kept", async () => {
  await using secure = new SecureWorld();
  const { alice } = await acquainted(secure);
  await assert.rejects(alice.node.post("carol", "hi"), UnknownPeerError);
  assert.equal(alice.node.messages.pendingCount, 0);
});

Deno.test("a message whose acknowledgement was lost is sent again, and shown and kept once", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofAlice, hosts } = await acquainted(secure);
  await sendUnnoticed(secure, { alice, bob, ofAlice }, "once");
  const again = await secure.startWith("alice", ofAlice, { host: hosts.alice });
  await passing(secure, () => fates(again).includes("once: delivered"), "the delivery");
  assert.deepEqual(bob.heard, ["alice: hello", "alice: once"]);
  assert.deepEqual(kept(bob), ["alice: hello", "alice: once"]);
});

Deno.test("messages wait for a peer that is blocked until it is not any more", async () => {
  await using secure = new SecureWorld();
  const { alice, bob } = await acquainted(secure);
  await alice.node.contacts.block("bob");
  await assert.rejects(alice.node.post("bob", "hi"), /blocked/);
  await bob.node.post("alice", "hear me");
  await passing(secure, () => fates(bob).includes("hear me: pending"), "the waiting");
  assert.deepEqual(alice.heard, []);
  await alice.node.contacts.unblock("bob");
  await passing(secure, () => alice.heard.length === 1, "the message");
});

Deno.test("order and delivery hold when clocks jump a day, either way, on either side", async () => {
  await using secure = new SecureWorld();
  const { alice, bob } = await acquainted(secure);
  let number = 0;
  for (const jump of [-DAY_MS, 2 * DAY_MS, -2 * DAY_MS, DAY_MS]) {
    secure.world.clock.jump(jump);
    await alice.node.post("bob", `${++number}`);
    await bob.node.post("alice", `${number} back`);
    await until(() => alice.heard.includes(`bob: ${number} back`), "the answer");
    await until(() => bob.heard.includes(`alice: ${number}`), "the message");
  }
  assert.deepEqual(bob.heard.slice(1), ["alice: 1", "alice: 2", "alice: 3", "alice: 4"]);
  assert.deepEqual(
    kept(bob).filter((line) => line.startsWith("alice")).slice(1),
    bob.heard.slice(1),
  );
});

Deno.test("what is cleared is gone, and does not come again", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofAlice, hosts } = await acquainted(secure);
  await sendUnnoticed(secure, { alice, bob, ofAlice }, "secret");
  assert.equal(await bob.node.messages.clear("alice"), 2);
  assert.deepEqual(kept(bob), []);
  const again = await secure.startWith("alice", ofAlice, { host: hosts.alice });
  await passing(secure, () => fates(again).includes("secret: delivered"), "the delivery");
  assert.equal(bob.heard.length, 2);
});

Deno.test("a message that is taken back while it waits is never sent", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofBob } = await acquainted(secure);
  await secure.end(bob.node);
  await passing(secure, () => alice.node.peers().length === 0, "bob's leaving");
  const { messageId } = await alice.node.post("bob", "regretted");
  await alice.node.post("bob", "meant");
  await alice.node.messages.cancel(messageId.slice(-8));
  const back = await secure.startWith("bob", ofBob);
  await passing(secure, () => back.heard.length > 0, "the message");
  assert.deepEqual(back.heard, ["alice: meant"]);
});

Deno.test("a message to an id arrives whatever the id calls itself by then", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofBob } = await acquainted(secure);
  await secure.end(bob.node);
  const other = await secure.startWith("bob", await secure.profile());
  await passing(secure, () => alice.node.peers().length === 1, "another bob");
  await other.node.post("alice", "I am bob now");
  await until(() => alice.heard.length === 1, "the message");
  await alice.node.contacts.trust("bob");
  const { id } = ofBob.security.identity;
  assert.equal((await alice.node.post(id, "for the old one")).state, "pending");
  const robert = await secure.startWith("robert", ofBob);
  await passing(secure, () => fates(alice).includes("for the old one: delivered"), "the delivery");
  await until(() => robert.heard.length > 0, "the message");
  assert.deepEqual(robert.heard, ["alice: for the old one"]);
  assert.deepEqual(other.heard, []);
});

Deno.test("what waits for a peer goes out as soon as it is not blocked any more", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofBob } = await acquainted(secure);
  await secure.end(bob.node);
  await passing(secure, () => alice.node.peers().length === 0, "bob's leaving");
  await alice.node.post("bob", "for later");
  await alice.node.contacts.block("bob");
  const back = await secure.startWith("bob", ofBob);
  await secure.world.clock.advance(5000);
  assert.deepEqual(back.heard, []);
  await alice.node.contacts.unblock("bob");
  await until(() => back.heard.length === 1, "the message");
});

Deno.test("a node starts although more has expired than may wait to be read, and tells of all of it", async () => {
  await using secure = new SecureWorld();
  const profile = await secure.profile();
  const { outbox } = profile.history.store;
  const common = { contact: { id: idOf(7), nickname: "bob" }, encrypted: true } as const;
  const count = 300;
  await Promise.all(Array.from({ length: count }, (_, number) =>
    outbox.enqueue({
      ...common,
      id: messageIdOf(number),
      content: `${number}`.padEnd(32_000, "."),
      timestamp: 1,
      state: "pending",
      trust: "known",
    })));
  await secure.world.clock.advance(31 * DAY_MS);
  const alice = await secure.startWith("alice", profile);
  await passing(secure, () => alice.events.length >= count, "the news of all");
  const failed = fates(alice).map((fate) => fate.replace(/\.+/, ""));
  assert.deepEqual(failed, Array.from({ length: count }, (_, number) => `${number}: failed`));
  assert.equal(alice.node.messages.pendingCount, 0);
});
