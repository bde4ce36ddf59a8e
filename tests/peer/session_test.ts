import assert from "node:assert/strict";
import { settle } from "../support/fake_clock.ts";
import { Hand, texts, withHand } from "./session_fixtures.ts";

const message = (seq: number, content = `text ${seq}`) => ({
  type: "message",
  seq,
  content,
  timestamp: 1_700_000_000,
});

/** The numbers that were acknowledged, in order. */
const acks = ({ lines }: Hand) => lines.flatMap((line) => line.type === "ack" ? [line.seq] : []);

/** The numbers of the messages that came. */
const seqs = ({ lines }: Hand) =>
  lines.flatMap((line) => line.type === "message" ? [line.seq] : []);

Deno.test("the hello goes out first, without waiting for the other side's", async () => {
  const { alice, hand } = await withHand();
  await settle();
  assert.deepEqual(hand.lines, [{
    type: "hello",
    version: 2,
    nickname: "alice",
    instance: "0000000000000001",
    ordinal: 1,
    dialled: undefined,
  }]);
  assert.equal(alice.established.length, 0);
  await hand.hello();
  await settle();
  assert.equal(alice.established[0].peerHello.nickname, "hand");
  await alice[Symbol.asyncDispose]();
});

Deno.test("a session without a hello ends after 5 s", async () => {
  const { clock, alice, hand } = await withHand();
  await clock.advance(4999);
  assert.equal(hand.ended, false);
  await clock.advance(1);
  assert.equal(hand.ended, true);
  assert.equal(alice.sessions.count, 0);
  assert.deepEqual(alice.ended, [], "nobody was told of it, so nobody is told of its end");
  assert.equal(clock.waiting, 0);
});

Deno.test("a session that does not begin with a hello, or says it twice, ends", async () => {
  for (const isFirst of [true, false]) {
    const { alice, hand } = await withHand();
    if (!isFirst) await hand.hello();
    await hand.say(isFirst ? message(1) : { ...hand.lines[0], type: "hello" });
    if (!isFirst) await hand.hello();
    await settle();
    assert.equal(hand.types.at(-1), "bye");
    assert.ok(hand.ended);
    assert.deepEqual(alice.heard, []);
    await alice[Symbol.asyncDispose]();
  }
});

Deno.test("one acknowledgement answers many messages, and duplicates are dropped and acknowledged again", async () => {
  const { alice, hand } = await withHand();
  await hand.hello();
  await hand.say(...texts(50).map((_, index) => message(index + 1)));
  await settle();
  assert.equal(alice.heard.length, 50);
  assert.deepEqual(acks(hand), [50]);
  await hand.say(message(3), message(4));
  await settle();
  assert.equal(alice.heard.length, 50);
  assert.equal(acks(hand).length, 2);
  assert.ok(acks(hand)[1] >= 4);
  await hand.say(message(60), message(51));
  await settle();
  assert.deepEqual(alice.heard.slice(50), ["text 60"], "numbers only go up; they may be left out");
  await alice[Symbol.asyncDispose]();
});

Deno.test("lines of unknown types are ignored, and malformed ones end the session with a reason", async () => {
  const { alice, hand } = await withHand();
  await hand.hello();
  await hand.say({ type: "file-offer", name: "x" }, { ...message(1), colour: "red" });
  await settle();
  assert.deepEqual(alice.heard, ["text 1"]);
  await hand.say("{nonsense}", message(2));
  await settle();
  const bye = hand.lines.at(-1)!;
  assert.equal(bye.type === "bye" && bye.reason, "session line is not JSON");
  assert.deepEqual(alice.heard, ["text 1"]);
  await alice[Symbol.asyncDispose]();
});

Deno.test("a message under another name than the hello's ends the session", async () => {
  const { alice, hand } = await withHand();
  await hand.hello();
  await hand.say({ ...message(1), from: "hand" }, { ...message(2), from: "bob" }, message(3));
  await settle();
  assert.deepEqual(alice.heard, ["text 1"]);
  assert.ok(hand.ended);
  await alice[Symbol.asyncDispose]();
});

Deno.test("messages to a peer go on from session to session with their numbers, until acknowledged", async () => {
  const { clock, alice, hand, dial, id } = await withHand();
  await hand.hello();
  await settle();
  const sends = texts(4).map((text) => alice.say(id, text));
  await settle();
  await hand.say({ type: "ack", seq: 1 }, { type: "refused", seq: 3, reason: "no" });
  await settle();
  assert.deepEqual(sends.map(({ state }) => state instanceof Error ? "refused" : state), [
    "sent",
    "waiting",
    "refused",
    "waiting",
  ]);
  hand.stream.close();
  await clock.advance(100);
  const again = await dial();
  await again.hello({ ordinal: 2, dialled: 1 });
  await settle();
  assert.deepEqual(seqs(again), [2, 4]);
  await again.say({ type: "ack", seq: 4 });
  await settle();
  assert.deepEqual([sends[1].state, sends[3].state], ["sent", "sent"]);
  again.stream.close();
  await alice[Symbol.asyncDispose]();
});

Deno.test("a session that its dialler began with the other one in hand replaces that, whoever's id is smaller", async () => {
  for (const number of [0, 9]) {
    const { clock, network, alice, dial, hand, id } = await withHand(number);
    hand.stream.close();
    const listener = network.host({
      name: "eth0",
      address: "10.0.0.8",
      netmask: "255.0.0.0",
      lan: "lan",
    }).transport.listen({ hostname: "0.0.0.0", port: 0 });
    alice.meet({
      id,
      nickname: "hand",
      address: { hostname: "10.0.0.8", port: listener.address.port },
    });
    const send = alice.say(id, "hi");
    const first = await Hand.on(await listener.accept(), id);
    await first.hello({ ordinal: 1, dialled: undefined });
    await settle();
    assert.equal(alice.sessions.with(id)?.isDialler, true);
    // The other side has lost it, which Alice cannot see yet.
    const second = await dial();
    await second.hello({ ordinal: 2, dialled: 1 });
    await settle();
    assert.equal(alice.sessions.with(id)?.isDialler, false);
    assert.deepEqual(seqs(second), [1], "what was not acknowledged is sent again");
    assert.equal(alice.sessions.count, 1);
    await second.say({ type: "ack", seq: 1 });
    await settle();
    assert.equal(send.state, "sent");
    assert.ok(first.ended);
    listener.close();
    await alice[Symbol.asyncDispose]();
    await clock.advance(2000);
    assert.equal(clock.waiting, 0);
  }
});

Deno.test("a user who is slow makes the peer wait, and reads no more than one read beyond", async () => {
  const { alice, hand } = await withHand();
  await hand.hello();
  await settle();
  alice.room = Promise.withResolvers();
  let written = 0;
  void (async () => {
    for (let seq = 1; seq <= 1000; seq++) {
      await hand.say(message(seq, "y".repeat(1000)));
      written = seq;
    }
  })();
  await settle(50);
  assert.ok(written < 200, `${written} messages were taken`);
  assert.ok(alice.heard.length <= 8);
  alice.room.resolve();
  alice.room = undefined;
  await settle(200);
  assert.equal(alice.heard.length, 1000);
  await alice[Symbol.asyncDispose]();
});

Deno.test("the end says goodbye, and waits no longer than a second for a peer that does not read", async () => {
  const { clock, alice, hand, id } = await withHand();
  await hand.hello();
  await settle();
  await alice.sessions.drop(id, "enough");
  await settle();
  const bye = hand.lines.at(-1)!;
  assert.equal(bye.type === "bye" && bye.reason, "enough");

  const other = await withHand();
  await other.hand.hello();
  await settle();
  other.hand.reads = false;
  other.alice.say(id, "x".repeat(1_000_000));
  await settle();
  let ended = false;
  const dispose = other.alice[Symbol.asyncDispose]().then(() => ended = true);
  await other.clock.advance(999);
  assert.equal(ended, false);
  await other.clock.advance(2);
  await dispose;
  await alice[Symbol.asyncDispose]();
  await settle();
  assert.equal(clock.waiting, 0);
});
