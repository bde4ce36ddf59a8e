import assert from "node:assert/strict";
import fc from "fast-check";
import type { Session } from "../../lib/peer/session.ts";
import { stayingSession } from "../../lib/peer/session_choice.ts";
import { MemoryNetwork } from "../../lib/transport/memory.ts";
import type { Hello } from "../../lib/wire/session.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { evenRandom, memoryWorld } from "./fixtures.ts";
import { couple, idOf, type Person, type Sent } from "./session_fixtures.ts";

/** Whether both are left with the two ends of one session. */
function assertOneSession(alice: Person, bob: Person, note: string): void {
  const [here, there] = [alice.sessions.with(bob.id), bob.sessions.with(alice.id)];
  assert.ok(here !== undefined && there !== undefined, `${note}: no session`);
  assert.deepEqual(here.hello.ordinal, there.peerHello.ordinal, `${note}: two sessions`);
  assert.deepEqual(here.peerHello.ordinal, there.hello.ordinal, `${note}: two sessions`);
  assert.deepEqual([alice.sessions.count, bob.sessions.count], [1, 1], `${note}: more sessions`);
}

/** A network on which every write, and every dial, takes a time of its own. */
function jitteryWorld(delays: Iterator<number>) {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock, evenRandom);
  Object.defineProperty(network, "delayMs", { get: () => delays.next().value });
  return { clock, network };
}

function* cycle(values: readonly number[]): Generator<number, never> {
  for (let at = 0;; at++) yield values[at % values.length];
}

async function assertAllArrive(
  world: { clock: FakeClock; network: MemoryNetwork },
  startMs: readonly [number, number],
  note: string,
): Promise<void> {
  const { alice, bob } = couple(world);
  const sends: Sent[] = [];
  const say = (from: Person, to: Person, text: string) => sends.push(from.say(to.id, text));
  let now = 0;
  const until = async (ms: number) => {
    await world.clock.advance(Math.max(0, ms - now));
    now = Math.max(now, ms);
  };
  const events = [
    ...[0, 1, 2, 3].map((n) => ({
      at: startMs[0] + n * 3,
      run: () => say(alice, bob, `a${n}`),
    })),
    ...[0, 1, 2, 3].map((n) => ({
      at: startMs[1] + n * 3,
      run: () => say(bob, alice, `b${n}`),
    })),
  ].sort((a, b) => a.at - b.at);
  for (const { at, run } of events) {
    await until(at);
    run();
  }
  await until(now + 6000);
  assert.deepEqual(bob.heard, ["a0", "a1", "a2", "a3"], note);
  assert.deepEqual(alice.heard, ["b0", "b1", "b2", "b3"], note);
  for (const { state, content } of sends) assert.equal(state, "sent", `${note}: ${content}`);
  assertOneSession(alice, bob, note);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
  await world.clock.advance(1000);
  assert.deepEqual([alice.sessions.count, bob.sessions.count], [0, 0], note);
}

Deno.test("dials that cross in one turn end in one session, dialled by the smaller id", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  const sends = [alice.say(bob.id, "a"), bob.say(alice.id, "b")];
  await world.clock.advance(2000);
  assert.deepEqual(sends.map(({ state }) => state), ["sent", "sent"]);
  assert.deepEqual([alice.dials, bob.dials], [1, 1], "nobody dials again");
  assertOneSession(alice, bob, "at once");
  assert.equal(alice.sessions.with(bob.id)?.isDialler, true);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("crossed dials end in one session for every pattern of short and long delays", async () => {
  // The seven first writes and dials each take 1 or 20 ms; Bob starts at once, or on the way.
  for (let pattern = 0; pattern < 128; pattern++) {
    const delays = Array.from({ length: 7 }, (_, bit) => (pattern >> bit) & 1 ? 20 : 1);
    for (const start of [0, 10]) {
      const note = `delays ${delays}, start ${start}`;
      await assertAllArrive(jitteryWorld(cycle(delays)), [0, start], note);
    }
  }
});

Deno.test("whatever the delays, both sides keep the same session, and every message comes once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 5, maxLength: 40 }),
      fc.nat(60),
      fc.nat(60),
      (delays, here, there) =>
        assertAllArrive(jitteryWorld(cycle(delays)), [here, there], "random delays"),
    ),
    { numRuns: 150 },
  );
});

Deno.test("however often sessions break while both send, messages come once, in order, and none is lost", async () => {
  const steps = fc.array(
    fc.oneof(
      { arbitrary: fc.record({ a: fc.integer({ min: 1, max: 5 }) }), weight: 3 },
      { arbitrary: fc.record({ b: fc.integer({ min: 1, max: 5 }) }), weight: 3 },
      { arbitrary: fc.constant("cut" as const), weight: 2 },
      { arbitrary: fc.record({ wait: fc.nat(80) }), weight: 4 },
      { arbitrary: fc.record({ wait: fc.nat(3000) }), weight: 1 },
    ),
    { maxLength: 30 },
  );
  const delays = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 5, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(steps, delays, async (all, times) => {
      const world = jitteryWorld(cycle(times));
      const { alice, bob } = couple(world);
      const sends: Sent[] = [];
      const counts = { a: 0, b: 0 };
      const first = [alice.say(bob.id, `${counts.a++}`), bob.say(alice.id, `${counts.b++}`)];
      await world.clock.advance(3000);
      assert.ok(first.every(({ state }) => state === "sent"), "before the first break");
      for (const step of all) {
        if (step === "cut") world.network.cut(alice.host);
        else if ("wait" in step) await world.clock.advance(step.wait);
        else if ("a" in step) {
          for (let n = 0; n < step.a; n++) sends.push(alice.say(bob.id, `${counts.a++}`));
        } else for (let n = 0; n < step.b; n++) sends.push(bob.say(alice.id, `${counts.b++}`));
      }
      await world.clock.advance(10_000);
      for (const { state, content } of sends) assert.equal(state, "sent", content);
      const upTo = (count: number) => Array.from({ length: count }, (_, index) => `${index}`);
      assert.deepEqual(bob.heard, upTo(counts.a));
      assert.deepEqual(alice.heard, upTo(counts.b));
      assertOneSession(alice, bob, "at the end");
      await alice[Symbol.asyncDispose]();
      await bob[Symbol.asyncDispose]();
    }),
    { numRuns: 150 },
  );
});

Deno.test("both sides choose the same one of two sessions, in whatever order they see them", () => {
  const [small, large] = [idOf(1), idOf(2)];
  const hello = (ordinal: number, dialled?: number): Hello => ({
    type: "hello",
    version: 2,
    nickname: "x",
    instance: "00000000000000aa",
    ordinal,
    dialled,
  });
  const count = fc.integer({ min: 1, max: 4 });
  const sessions = fc.record({
    isSmallDialling: fc.boolean(),
    ordinals: fc.tuple(count, count),
    dialled: fc.nat(4),
  });
  fc.assert(
    fc.property(sessions, sessions, (one, other) => {
      // A run numbers its sessions apart, and dials before it numbers.
      fc.pre(one.ordinals.every((ordinal, side) => ordinal !== other.ordinals[side]));
      for (const { isSmallDialling, ordinals, dialled } of [one, other]) {
        fc.pre(dialled < ordinals[isSmallDialling ? 0 : 1]);
      }
      const seenBy = (isSmall: boolean, it: typeof one) => {
        const [own, peer] = isSmall ? it.ordinals : it.ordinals.toReversed();
        const isDialler = it.isSmallDialling === isSmall;
        return {
          isDialler,
          peerId: isSmall ? large : small,
          hello: hello(own, isDialler ? it.dialled : undefined),
          peerHello: hello(peer, isDialler ? undefined : it.dialled),
        } as Session;
      };
      const choices = [true, false].flatMap((isSmall) => {
        const [a, b] = [seenBy(isSmall, one), seenBy(isSmall, other)];
        const own = isSmall ? small : large;
        return [stayingSession(own, a, b) === a, stayingSession(own, b, a) === a];
      });
      // Two that replace one another cannot be: each would have been dialled before the other.
      const replace = (a: typeof one, b: typeof one) =>
        a.dialled >= b.ordinals[a.isSmallDialling ? 0 : 1];
      fc.pre(
        one.isSmallDialling === other.isSmallDialling || !replace(one, other) ||
          !replace(other, one),
      );
      assert.equal(new Set(choices).size, 1);
    }),
    { numRuns: 2000 },
  );
});
