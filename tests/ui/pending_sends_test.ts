import assert from "node:assert/strict";
import { PendingSends } from "../../lib/ui/pending_sends.ts";
import { settle } from "../support/fake_clock.ts";

Deno.test("everything is settled when the last message is", async () => {
  const sends = new PendingSends();
  await sends.settled();
  const outcomes = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  for (const { promise } of outcomes) sends.add(1, promise);
  let settled = 0;
  for (let waiter = 0; waiter < 2; waiter++) sends.settled().then(() => settled++);
  outcomes[1].resolve();
  await settle();
  assert.equal(settled, 0);
  outcomes[0].resolve();
  await settle();
  assert.equal(settled, 2);
  await sends.settled();
});

Deno.test("input waits above 8 MiB or 100,000 messages on their way, until there is room", async () => {
  for (const { count, length } of [{ count: 1, length: 8 << 20 }, { count: 100_000, length: 1 }]) {
    const sends = new PendingSends();
    const outcome = Promise.withResolvers<void>();
    const last = Promise.withResolvers<void>();
    assert.equal(sends.room(), undefined);
    for (let at = 1; at < count; at++) sends.add(length, outcome.promise);
    assert.equal(sends.room(), undefined);
    sends.add(length, last.promise);
    let room = 0;
    for (let waiter = 0; waiter < 2; waiter++) sends.room()!.then(() => room++);
    await settle();
    assert.equal(room, 0);
    last.resolve();
    await settle();
    assert.equal(room, 2);
    assert.equal(sends.room(), undefined);
    outcome.resolve();
    await sends.settled();
  }
});
