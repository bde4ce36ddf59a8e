import assert from "node:assert/strict";
import { ConnectError } from "../../lib/errors.ts";
import { settle } from "../support/fake_clock.ts";
import { texts, withHand } from "./session_fixtures.ts";

const UNCONFIRMED = /^Cannot tell whether the message to "hand" arrived: .* nothing for 30 s$/;

/** What a message was given up with. */
function givenUp({ state }: { state: unknown }): string {
  assert.ok(state instanceof ConnectError, String(state));
  return state.message;
}

Deno.test("a peer that answers pings and confirms nothing for 30 s lets nobody wait, and its session stays", async () => {
  const { clock, alice, hand, id } = await withHand();
  await hand.hello();
  await settle();
  const sends = texts(3).map((text) => alice.say(id, text));
  for (let second = 0; second < 28; second += 4) {
    await hand.say({ type: "pong" });
    await clock.advance(4000);
  }
  await hand.say({ type: "pong" });
  assert.ok(sends.every(({ state }) => state === "waiting"));
  await clock.advance(2500);
  for (const send of sends) assert.match(givenUp(send), UNCONFIRMED);
  assert.deepEqual(alice.ended, []);
  assert.ok(!alice.sessions.isAnswering(id));
  await assert.rejects(
    alice.sessions.connect(alice.announced.get(id)!, id),
    /Cannot send to "hand": it has confirmed nothing for 30 s/,
  );
  await hand.say({ type: "ack", seq: 2 });
  await settle();
  assert.ok(alice.sessions.isAnswering(id), "it answers again");
  await alice[Symbol.asyncDispose]();
  await clock.advance(2000);
  assert.equal(clock.waiting, 0);
});

Deno.test("a peer that takes session after session and confirms nothing is given up after 30 s as well", async () => {
  const { clock, alice, hand, dial, id } = await withHand();
  await hand.hello();
  await settle();
  const send = alice.say(id, "hi");
  let last = hand;
  for (let ordinal = 2; ordinal < 12; ordinal++) {
    last.stream.close();
    await clock.advance(100);
    last = await dial();
    await last.hello({ ordinal, dialled: ordinal - 1 });
    await clock.advance(3000);
    if (ordinal < 11) assert.equal(send.state, "waiting");
  }
  assert.match(givenUp(send), UNCONFIRMED);
  await alice[Symbol.asyncDispose]();
});

Deno.test("a peer that confirms one message in 25 s is slow, and never given up", async () => {
  const { clock, alice, hand, id } = await withHand();
  await hand.hello();
  await settle();
  const sends = texts(12).map((text) => alice.say(id, text));
  for (let seq = 1; seq <= 12; seq++) {
    for (let second = 0; second < 25; second += 5) {
      await hand.say({ type: "pong" });
      await clock.advance(5000);
    }
    await hand.say(seq % 4 === 0 ? { type: "refused", seq, reason: "no" } : { type: "ack", seq });
    await settle();
  }
  const isRefused = (index: number) => index % 4 === 3;
  for (const [index, { state }] of sends.entries()) {
    if (isRefused(index)) assert.match(String(state), /the peer refuses the message: no/);
    else assert.equal(state, "sent");
  }
  await alice[Symbol.asyncDispose]();
});

Deno.test("while this side reads nothing the peer's confirmation is not late", async () => {
  const { clock, alice, hand, id } = await withHand();
  await hand.hello();
  await settle();
  alice.room = Promise.withResolvers();
  const send = alice.say(id, "hi");
  await settle();
  await hand.say({ type: "ack", seq: 1 });
  await clock.advance(120_000);
  assert.equal(send.state, "waiting");
  alice.room.resolve();
  alice.room = undefined;
  await settle();
  assert.equal(send.state as string, "sent");
  await alice[Symbol.asyncDispose]();
});

Deno.test("who answers a message that was never sent is cut off", async () => {
  for (const answer of [{ type: "ack", seq: 2 }, { type: "refused", seq: 2, reason: "no" }]) {
    const { alice, hand, id } = await withHand();
    await hand.hello();
    await settle();
    const send = alice.say(id, "hi");
    await settle();
    await hand.say(answer, { type: "ack", seq: 1 });
    await settle();
    assert.ok(hand.ended);
    assert.equal(send.state, "waiting");
    assert.equal(alice.refusals.totals()["answer to a message that was never sent"], 1);
    await alice[Symbol.asyncDispose]();
  }
});
