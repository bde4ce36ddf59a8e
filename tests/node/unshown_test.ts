import assert from "node:assert/strict";
import { silentLog } from "../../lib/base/log.ts";
import type { NodeEvent } from "../../lib/node.ts";
import { Store } from "../../lib/store/store.ts";
import { until } from "../ui/driven.ts";
import { settle } from "../support/fake_clock.ts";
import { acquainted, fates, kept, passing } from "./history_fixtures.ts";
import { Listening } from "./fixtures.ts";
import { SecureWorld } from "./secure_world.ts";

/** Of messages, what an interface tells of them. */
function messagesOf(events: readonly NodeEvent[]) {
  return events.flatMap((event) => event.type === "message" ? [event] : []);
}

for (const keepHistory of [true, false]) {
  const how = keepHistory ? "with" : "without";

  Deno.test(`node ${how} a history shows in its next run what came while it ended`, async () => {
    await using secure = new SecureWorld();
    const [ofAlice, ofBob] = [await secure.profile(), await secure.profile()];
    const { clock } = secure.world;
    await using store = await Store.open({ path: undefined, clock, log: silentLog, keepHistory });
    const bobs = { ...ofBob, history: { ...ofBob.history, store } };
    const alice = await secure.startWith("alice", ofAlice);
    const bob = await secure.startWith("bob", bobs);
    const texts = Array.from({ length: 3000 }, (_, at) => `${at}`);
    const burst = Promise.all(texts.map((text) => alice.node.post("bob", text)));
    await until(() => bob.heard.length > 1, "the first");
    await secure.end(bob.node);
    await burst;
    const back = await secure.startWith("bob", bobs);
    const delivered = () => fates(alice).filter((fate) => fate.endsWith(": delivered")).length;
    await passing(secure, () => delivered() === texts.length, "the delivery of all");
    await settle();
    const shown = [...bob.heard, ...back.heard].map((line) => line.slice("alice: ".length));
    assert.deepEqual(shown, texts);
    await secure.end(back.node, alice.node);
  });

  Deno.test(`node ${how} a history shows in its next run what nobody has taken`, async () => {
    await using secure = new SecureWorld();
    const [ofAlice, ofBob] = [await secure.profile(), await secure.profile()];
    const { clock } = secure.world;
    await using store = await Store.open({ path: undefined, clock, log: silentLog, keepHistory });
    const bobs = { ...ofBob, history: { ...ofBob.history, store } };
    const alice = await secure.startWith("alice", ofAlice);
    const unheard = await secure.world.start("bob", bobs);
    await clock.advance(250);
    const { messageId } = await alice.node.post("bob", "one");
    await until(() => fates(alice).includes("one: delivered"), "the delivery");
    await secure.end(unheard);
    const bob = await secure.startWith("bob", bobs);
    await alice.node.post("bob", "two");
    await until(() => bob.heard.length === 2, "the message");
    const [one, two] = messagesOf(bob.events);
    assert.equal(one.message.content, "one");
    const { address: _, ...rest } = two;
    const { message: { timestamp } } = one;
    const message = { from: "alice", content: "one", timestamp };
    assert.deepEqual(one, { ...rest, message, messageId, trust: "new", isEarlier: true });
    await secure.end(bob.node);
    const third = await secure.startWith("bob", bobs);
    assert.deepEqual(third.heard, []);
    assert.equal(kept(third).length, keepHistory ? 2 : 0);
    await secure.end(third.node, alice.node);
  });
}

Deno.test("node shows again what its interface has taken and not written", async () => {
  await using secure = new SecureWorld();
  const { alice, bob, ofBob } = await acquainted(secure);
  let isWritten = true;
  bob.node.events.countWritten(() => Promise.resolve(isWritten));
  for (const text of ["one", "two", "three"]) {
    isWritten = text === "one";
    await alice.node.post("bob", text);
    await until(() => fates(alice).includes(`${text}: delivered`), "the delivery");
    await settle();
  }
  assert.equal(bob.heard.length, 4);
  await secure.end(bob.node);
  const again = await secure.startWith("bob", ofBob);
  await until(() => again.heard.length > 1, "both");
  assert.deepEqual(again.heard, ["alice: two", "alice: three"]);
});

Deno.test("node names the sender of an earlier message as others of his name are told from oneself", async () => {
  await using secure = new SecureWorld();
  const ofBob = await secure.profile();
  const { store } = ofBob.history;
  const marks = { content: "hi", timestamp: 1, encrypted: false, trust: "plain" } as const;
  await store.inbox.receive({ contact: { nickname: "bob" }, ...marks });
  await store.inbox.receive({ contact: { nickname: "carol" }, ...marks });
  const bob: Listening = await secure.startWith("bob", ofBob);
  await settle();
  const seen = messagesOf(bob.events).map(({ message: { from }, label, trust }) => [
    from,
    label,
    trust,
  ]);
  assert.deepEqual(seen, [["bob", "bob~?", "plain"], ["carol", undefined, "plain"]]);
});
