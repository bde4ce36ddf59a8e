import assert from "node:assert/strict";
import { silentLog } from "../../lib/base/log.ts";
import type { NodeOptions } from "../../lib/node.ts";
import { Store } from "../../lib/store/store.ts";
import { StoreError } from "../../lib/store/store_error.ts";
import { encodeDatagram, MULTICAST_GROUP, MULTICAST_PORT } from "../../lib/wire/announce.ts";
import { settle } from "../support/fake_clock.ts";
import { until } from "../ui/driven.ts";
import { acquainted, fates, kept, passing } from "./history_fixtures.ts";
import { SecureWorld } from "./secure_world.ts";

const full = () => new StoreError("full", "Cannot write to the history: the disk is full");

/** The same profile with a store that ends with the program. */
async function withoutFile(
  secure: SecureWorld,
  { security, history }: Required<Pick<NodeOptions, "security" | "history">>,
) {
  const { clock } = secure.world;
  const store = await Store.open({ path: undefined, clock, log: silentLog });
  return { security, history: { ...history, store, isDurable: false } };
}

Deno.test("what cannot be kept is shown, not confirmed, and comes again when it can be", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofBob } = await acquainted(secure);
  await secure.end(bob.node);
  await passing(secure, () => alice.node.peers().length === 0, "bob's leaving");
  const forgetful = await secure.startWith("bob", await withoutFile(secure, ofBob));
  await alice.node.post("bob", "to memory");
  await until(() => forgetful.heard.length === 1, "the message");
  await settle();
  assert.ok(!fates(alice).includes("to memory: delivered"));
  await secure.end(forgetful.node);
  const mended = await secure.startWith("bob", ofBob);
  await passing(secure, () => fates(alice).includes("to memory: delivered"), "the delivery");
  assert.deepEqual(kept(mended), ["alice: hello", "alice: to memory"]);
});

Deno.test("a disk that does not keep what is written is told, and nothing is confirmed until it does", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofBob } = await acquainted(secure);
  await secure.end(bob.node);
  await passing(secure, () => alice.node.peers().length === 0, "bob's leaving");
  const { clock } = secure.world;
  let failure: StoreError | undefined = full();
  const disk = { sync: () => Promise.resolve(failure) };
  await using store = await Store.open({ path: undefined, clock, log: silentLog, disk });
  const history = { ...ofBob.history, store };
  const unlucky = await secure.startWith("bob", { ...ofBob, history });
  await alice.node.post("bob", "to a broken disk");
  await until(() => unlucky.heard.length === 1, "the message");
  await until(() => unlucky.story.some((line) => line.includes("not confirmed")), "the warning");
  await clock.advance(7_000);
  assert.ok(!fates(alice).includes("to a broken disk: delivered"));
  failure = undefined;
  await passing(secure, () => fates(alice).includes("to a broken disk: delivered"), "the delivery");
  assert.deepEqual(unlucky.heard, ["alice: to a broken disk"]);
  assert.equal(unlucky.story.filter((line) => line.includes("not confirmed")).length, 1);
  await secure.end(unlucky.node);
});

Deno.test("a message that would be lost with the program is refused, not queued", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofAlice } = await acquainted(secure);
  await secure.end(alice.node, bob.node);
  const forgetful = await secure.startWith("alice", await withoutFile(secure, ofAlice));
  await assert.rejects(forgetful.node.post("bob", "hi"), /Cannot keep a message for "bob"/);
  assert.equal(forgetful.node.messages.pendingCount, 0);
});

Deno.test("a full disk keeps nobody who is there from being told, and nothing overtakes what waits", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofAlice, ofBob } = await acquainted(secure);
  const { outbox } = ofAlice.history.store;
  outbox.enqueue = () => Promise.reject(full());
  await alice.node.post("bob", "unkept");
  await until(() => bob.heard.includes("alice: unkept"), "the message");
  assert.ok(alice.story.some((line) => line.includes("the disk is full")), "the user is told");
  await alice.node.post("bob", "before the end");
  await alice.node.messages.idle();
  assert.ok(fates(alice).includes("before the end: delivered"), "ending waits for it, too");
  Reflect.deleteProperty(outbox, "enqueue");
  await secure.end(bob.node);
  await passing(secure, () => alice.node.peers().length === 0, "bob's leaving");
  await alice.node.post("bob", "first");
  outbox.enqueue = () => Promise.reject(full());
  await assert.rejects(alice.node.post("bob", "second"), /the disk is full/);
  Reflect.deleteProperty(outbox, "enqueue");
  const back = await secure.startWith("bob", ofBob);
  await passing(secure, () => back.heard.length > 0, "the message");
  assert.deepEqual(back.heard, ["alice: first"]);
});

Deno.test("a full disk keeps nobody from being told who is there without a session", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofAlice, hosts } = await acquainted(secure);
  await secure.end(alice.node);
  const again = await secure.startWith("alice", ofAlice, { host: hosts.alice });
  await passing(secure, () => again.node.peers().length === 1, "bob");
  ofAlice.history.store.outbox.enqueue = () => Promise.reject(full());
  await Promise.all(["first", "second"].map((content) => again.node.post("bob", content)));
  await until(() => bob.heard.includes("alice: second"), "the messages");
  assert.deepEqual(bob.heard.slice(1), ["alice: first", "alice: second"]);
});

Deno.test("a store that cannot be read ends nothing, and is tried again", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofAlice, ofBob } = await acquainted(secure);
  await secure.end(bob.node);
  await passing(secure, () => alice.node.peers().length === 0, "bob's leaving");
  await alice.node.post("bob", "waits");
  const { outbox } = ofAlice.history.store;
  outbox.pending = () => {
    throw new StoreError("damaged", "Cannot read the history: it is damaged");
  };
  const back = await secure.startWith("bob", ofBob);
  await passing(secure, () => alice.story.some((line) => line.includes("damaged")), "the news");
  Reflect.deleteProperty(outbox, "pending");
  await passing(secure, () => back.heard.length > 0, "the message");
});

Deno.test("an announce that joins a known id to another nickname holds nothing up", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofAlice, ofBob, hosts } = await acquainted(secure);
  const carol = await secure.startWith("carol", await secure.profile());
  await carol.node.post("alice", "I am carol");
  await until(() => alice.heard.includes("carol: I am carol"), "carol");
  await secure.end(bob.node);
  await passing(secure, () => alice.node.peers().length === 1, "bob's leaving");
  await alice.node.post("bob", "for bob");
  await secure.end(alice.node);
  const again = await secure.startWith("alice", ofAlice, { host: hosts.alice });
  const mallory = secure.world.host();
  using socket = mallory.lan.open(mallory.interfaces[0].address);
  const claim = {
    type: "announce",
    nickname: "carol",
    version: 2,
    instance: "00000000000000aa",
    id: ofBob.security.identity.id,
    tcpPort: 1,
    ask: false,
  } as const;
  await socket.send(encodeDatagram(claim), {
    hostname: MULTICAST_GROUP,
    port: MULTICAST_PORT,
  });
  await secure.world.clock.advance(1000);
  const back = await secure.startWith("bob", ofBob);
  await passing(secure, () => back.heard.length > 0, "the message");
  assert.deepEqual(back.heard, ["alice: for bob"]);
  assert.ok(fates(again).includes("for bob: sent"));
});
