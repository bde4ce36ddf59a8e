import assert from "node:assert/strict";
import { PendingSends } from "../../lib/ui/pending_sends.ts";
import { watched } from "../peer/fixtures.ts";
import { settle } from "../support/fake_clock.ts";

/** Sends that a test settles by hand, one by one. */
function world() {
  const sends = new PendingSends();
  const outcomes: (() => void)[] = [];
  return {
    sends,
    add(length: number): void {
      const { promise, resolve } = Promise.withResolvers<void>();
      outcomes.push(resolve);
      sends.add(length, promise);
    },
    /** Adds messages until there is no room; returns how many there was room for, and the wait. */
    fill(length: number) {
      for (let count = 0;; count++) {
        const room = sends.room();
        if (room !== undefined) return { count, room: watched(room) };
        this.add(length);
      }
    },
    /** Settles the oldest messages. */
    async settle(count = outcomes.length): Promise<void> {
      for (const resolve of outcomes.splice(0, count)) resolve();
      await settle();
    },
  };
}

Deno.test("everything is settled when the last message is", async () => {
  const { sends, add, settle: settleSome } = world();
  await sends.settled();
  add(1);
  const command = Promise.withResolvers<void>();
  sends.add(0, command.promise);
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

Deno.test("input waits while 4 Mi characters or 4,000 messages wait for the disk", async () => {
  for (const { length, most } of [{ length: 1 << 20, most: 4 }, { length: 1, most: 4000 }]) {
    const at = world();
    const { count, room } = at.fill(length);
    assert.equal(count, most);
    await settle();
    assert.equal(room.state, "waiting");
    await at.settle(1);
    assert.equal(room.state, "sent");
    assert.equal(at.sends.room(), undefined);
    await at.settle();
    await at.sends.settled();
    assert.equal(at.sends.count, 0);
  }
});
