import assert from "node:assert/strict";
import { LimitError } from "../../lib/errors.ts";
import { PendingSends } from "../../lib/ui/pending_sends.ts";
import { watched } from "../peer/fixtures.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

/** Sends that a test settles by hand, one by one. */
function world() {
  const clock = new FakeClock();
  const sends = new PendingSends(clock);
  const outcomes: (() => void)[] = [];
  return {
    clock,
    sends,
    add(target: string, length: number): void {
      const { promise, resolve } = Promise.withResolvers<void>();
      outcomes.push(resolve);
      sends.add(target, length, promise);
    },
    /** Adds messages until there is no room; returns how many there was room for, and the wait. */
    fill(target: string, length: number) {
      for (let count = 0;; count++) {
        const room = sends.room(target);
        if (room !== undefined) return { count, room: watched(room) };
        this.add(target, length);
      }
    },
    /** Settles the oldest messages. */
    async settle(count = outcomes.length): Promise<void> {
      for (const resolve of outcomes.splice(0, count)) resolve();
      await settle();
    },
  };
}

/** Has a target wait in vain, so that what it has is all that it gets. */
async function stall(at: ReturnType<typeof world>, target: string): Promise<void> {
  const { room } = at.fill(target, 8000);
  await at.clock.advance(2000);
  assert.ok(room.state instanceof LimitError);
}

Deno.test("everything is settled when the last message is", async () => {
  const { sends, add, settle: settleSome } = world();
  await sends.settled();
  add("bob", 1);
  const command = Promise.withResolvers<void>();
  sends.addCommand(command.promise);
  assert.equal(sends.count, 2);
  let settled = 0;
  for (let waiter = 0; waiter < 2; waiter++) sends.settled().then(() => settled++);
  command.resolve();
  await settle();
  assert.equal(settled, 0);
  await settleSome();
  assert.equal(settled, 2);
  await sends.settled();
});

Deno.test("input waits above 4 Mi characters or 50,000 messages for a peer, until it takes some", async () => {
  for (const { length, most } of [{ length: 1 << 20, most: 4 }, { length: 1, most: 50_000 }]) {
    const at = world();
    const { count, room } = at.fill("bob", length);
    assert.equal(count, most);
    await at.clock.advance(1999);
    assert.equal(room.state, "waiting");
    await at.settle(1);
    assert.equal(room.state, "sent");
    assert.equal(at.sends.room("bob"), undefined);
    await at.settle();
    await at.sends.settled();
    assert.equal(at.clock.waiting, 0);
  }
});

Deno.test("input does not wait longer than 2 s for a peer that takes nothing, and says what waits", async () => {
  const at = world();
  const { room } = at.fill("bob", 1 << 20);
  await at.clock.advance(2000);
  assert.ok(room.state instanceof LimitError);
  assert.equal(
    room.state.message,
    'Cannot send to "bob": 4 messages with 4194304 characters are waiting for it, and it takes ' +
      "none; wait until it has read them",
  );
  const next = watched(at.sends.room("bob")!);
  await settle();
  assert.ok(next.state instanceof LimitError, "the next one fails at once");
  await at.settle(1);
  assert.equal(at.sends.room("bob"), undefined, "until it takes something");
  assert.equal(at.clock.waiting, 0);
});

Deno.test("a peer that goes on taking is waited for as long as that lasts", async () => {
  const at = world();
  at.add("bob", 1);
  for (let more = 0; more < 40; more++) at.add("bob", 1);
  at.add("bob", 5 << 20);
  const room = watched(at.sends.room("bob")!);
  for (let taken = 0; taken < 40; taken++) {
    await at.clock.advance(1900);
    await at.settle(1);
    assert.equal(room.state, "waiting");
  }
  await at.clock.advance(2000);
  assert.ok(room.state instanceof LimitError);
});

Deno.test("however many peers take nothing, the others have room", async () => {
  const at = world();
  for (let number = 0; number < 50; number++) await stall(at, `stopped ${number}`);
  assert.equal(at.sends.room("bob"), undefined);
  const held = at.sends.count;
  assert.ok(at.fill("bob", 8000).count >= 8);
  assert.ok(held < 1049 + 50 * 10, `${held} messages wait for those that take nothing`);
  const short = world();
  short.fill("stopped", 1);
  short.fill("another", 1);
  assert.equal(short.fill("bob", 1).count, 12_500);
});

Deno.test("input that is far ahead of a peer waits until it catches up, but no longer than 100 ms", async () => {
  const at = world();
  assert.equal(at.sends.paced(), undefined);
  for (let more = 0; more < 999; more++) at.add("bob", 1);
  assert.equal(at.sends.paced(), undefined);
  at.add("bob", 1);
  const late = watched(at.sends.paced()!);
  await at.clock.advance(99);
  assert.equal(late.state, "waiting");
  await at.clock.advance(1);
  assert.equal(late.state, "sent");
  const prompt = watched(at.sends.paced()!);
  await at.settle(1);
  assert.equal(prompt.state, "sent");
  assert.equal(at.clock.waiting, 0);
  at.add("bob", 1);
  at.add("carol", 1);
  assert.equal(at.sends.paced(), undefined, "and not at all for somebody else");
});
