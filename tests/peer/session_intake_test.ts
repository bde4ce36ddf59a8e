import assert from "node:assert/strict";
import { AsyncQueue } from "../../lib/base/async_queue.ts";
import { silentLog } from "../../lib/base/log.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import { Intake } from "../../lib/peer/intake.ts";
import type { PeerId } from "../../lib/wire/peer_id.ts";
import { messageIdOf } from "../support/message_ids.ts";
import { settle } from "../support/fake_clock.ts";
import { addHost, memoryWorld } from "./fixtures.ts";
import { Hand, idOf, Person, withHand } from "./session_fixtures.ts";

const MIB = 1024 * 1024;

const message = (seq: number, content = "flood") => ({
  type: "message",
  seq,
  id: messageIdOf(seq),
  content,
  timestamp: 1,
});

/** Alice, whose user takes what comes one by one. */
function busyWorld(isTrusted: (id: PeerId) => boolean = () => false) {
  const world = memoryWorld();
  const queue = new AsyncQueue<string>(100);
  const intake = new Intake(new Refusals(world.clock, silentLog), () => queue.ready());
  const alice = new Person(world.clock, addHost(world.network, "10.0.0.1"), "alice", 1, {
    intake,
    isTrusted,
    onMessage: ({ content }, _session, taken) => {
      queue.push(content);
      taken();
      return true;
    },
  });
  /** What the user sees next. */
  const take = async (count: number): Promise<string[]> => {
    const texts: string[] = [];
    for (let index = 0; index < count; index++) {
      texts.push((await queue.next()).value!);
      await settle(1);
    }
    return texts;
  };
  return { ...world, alice, queue, take };
}

/** Sends messages for as long as somebody takes them. */
async function flood(hand: Hand, content: string): Promise<void> {
  await hand.hello();
  try {
    for (let seq = 1;; seq += 100) {
      await hand.say(...Array.from({ length: 100 }, (_, index) => message(seq + index, content)));
    }
  } catch {
    // ended
  }
}

Deno.test("a friend begins a session and is heard while strangers of his own host flood", async () => {
  const friend = idOf(3);
  const { network, alice, queue, take, clock } = busyWorld((id) => id === friend);
  const host = addHost(network, "10.0.0.2");
  for (let number = 10; number < 30; number++) {
    void flood(await Hand.dial(host, alice.address, idOf(number)), "flood");
  }
  await take(3000);
  const carol = new Person(clock, host, "carol", 3);
  carol.meet(alice);
  const send = carol.say(alice.id, "help");
  // A few turns, as if she came from a host of her own; twenty sessions are before her on this one.
  const seen = await take(800);
  assert.ok(seen.includes("help"));
  assert.equal(send.state, "sent");
  queue.close();
  await carol[Symbol.asyncDispose]();
  await alice[Symbol.asyncDispose]();
});

Deno.test("hosts take turns: one with twenty sessions drowns nobody who has one", async () => {
  const { network, alice, queue, take } = busyWorld();
  const [many, one] = ["10.0.0.2", "10.0.0.3"].map((address) => addHost(network, address));
  for (let number = 10; number < 30; number++) {
    void flood(await Hand.dial(many, alice.address, idOf(number)), "many");
  }
  void flood(await Hand.dial(one, alice.address, idOf(40)), "one");
  await take(1000);
  const seen = await take(10_000);
  const share = seen.filter((content) => content === "one").length / seen.length;
  // Without turns it would be 1 in 21; between two of its own it has to be read again.
  assert.ok(share > 0.15, `${share}`);
  queue.close();
  await alice[Symbol.asyncDispose]();
});

Deno.test("unfinished lines of sessions above 32 MiB together cost whoever holds most, and nobody else", async () => {
  const { network, alice } = busyWorld();
  const [greedy, modest] = ["10.0.0.2", "10.0.0.3"].map((address) => addHost(network, address));
  const honest = await Hand.dial(modest, alice.address, idOf(200));
  await honest.hello();
  await honest.stream.write(new TextEncoder().encode('{"type":"mess'));
  const part = new Uint8Array(MIB - 1000).fill(0x78);
  const hands: Hand[] = [];
  for (let number = 10; number < 50; number++) {
    const hand = await Hand.dial(greedy, alice.address, idOf(number));
    hands.push(hand);
    await hand.hello();
    try {
      for (let at = 0; at < part.length;) at += await hand.stream.write(part.subarray(at));
    } catch {
      // ended
    }
    await settle(2);
    // A decoder's buffer may be twice as large as what is in it, up to a line's 1 MiB.
    assert.ok(alice.sessions.count <= 34, "what is held is bounded");
  }
  assert.equal(hands.filter(({ ended }) => ended).length, 40 - 32);
  assert.equal(honest.ended, false);
  await alice[Symbol.asyncDispose]();
});

Deno.test("a line on a session has to be complete after 30 s, however alive the peer is", async () => {
  const { clock, alice, hand } = await withHand();
  await hand.hello();
  await settle();
  const byte = new TextEncoder().encode("x");
  for (let second = 0; second < 30; second += 2) {
    await hand.stream.write(byte);
    await clock.advance(2000);
    assert.equal(hand.ended, false);
  }
  for (let second = 0; second < 10; second += 2) {
    await hand.stream.write(byte).catch(() => {});
    await clock.advance(2000);
  }
  assert.ok(hand.ended);
  assert.equal(alice.refusals.totals()["line that was not complete within 30 s"], 1);
  await alice[Symbol.asyncDispose]();
});

Deno.test("a line is not late because its receiver's user is slow, nor many that never pause at an end", async () => {
  const { clock, alice, hand } = await withHand();
  await hand.hello();
  await settle();
  const line = JSON.stringify(message(1, "slow"));
  await hand.stream.write(new TextEncoder().encode(line.slice(0, 9)));
  await settle();
  alice.room = Promise.withResolvers();
  await hand.stream.write(new TextEncoder().encode(line.slice(9)));
  await clock.advance(60_000);
  alice.room.resolve();
  alice.room = undefined;
  await settle();
  await hand.say("");
  await settle();
  assert.deepEqual(alice.heard, ["slow"]);
  let rest = "";
  for (let seq = 2; seq < 30; seq++) {
    const next = `${rest}${JSON.stringify(message(seq, "text"))}\n`;
    await hand.stream.write(new TextEncoder().encode(next.slice(0, -10)));
    rest = next.slice(-10);
    await clock.advance(2000);
  }
  assert.equal(alice.heard.length, 28);
  await alice[Symbol.asyncDispose]();
});

for (
  const [what, line] of [
    ["of an unknown type", { type: "file-offer" }],
    ["that only say that it is there", { type: "pong" }],
    ["that ask for nothing but signs of life", { type: "ping" }],
    ["that confirm nothing new", { type: "ack", seq: 1 }],
    ["that refuse what was answered before", { type: "refused", seq: 1, reason: "no" }],
  ] as const
) {
  Deno.test(`more than 1,000 lines at once ${what} end a session, and 100 a second do not`, async () => {
    const { clock, alice, hand, id } = await withHand();
    await hand.hello();
    await settle();
    alice.say(id, "hi");
    await settle();
    await hand.say({ type: "ack", seq: 1 });
    await hand.say(...Array.from({ length: 1000 }, () => line));
    for (let second = 0; second < 20; second++) {
      await clock.advance(1000);
      await hand.say(...Array.from({ length: 100 }, () => line));
    }
    await settle();
    assert.equal(hand.ended, false);
    await hand.say(...Array.from({ length: 100 }, () => line));
    await settle();
    assert.ok(hand.ended);
    assert.equal(alice.refusals.totals()["lines above the limit that say nothing new"], 1);
    await alice[Symbol.asyncDispose]();
  });
}

Deno.test("200,000 messages again are as many as a break can cost, and more end the session", async () => {
  const { alice, hand } = await withHand();
  await hand.hello();
  await hand.say({ ...message(1), content: "" });
  const again = `${JSON.stringify(message(1, ""))}\n`;
  for (let count = 0; count < 200_000; count += 1000) {
    await hand.say(again.repeat(1000).slice(0, -1));
  }
  await settle();
  assert.equal(hand.ended, false);
  await hand.say(message(1, ""));
  await settle();
  assert.ok(hand.ended);
  assert.equal(alice.heard.length, 1);
  await alice[Symbol.asyncDispose]();
});
