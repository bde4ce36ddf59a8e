import assert from "node:assert/strict";
import { PendingSends } from "../../lib/ui/pending_sends.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

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

Deno.test("input that is far ahead of the network waits for it, but no longer than 100 ms", async () => {
  const clock = new FakeClock();
  const sends = new PendingSends();
  const outcome = Promise.withResolvers<void>();
  const first = Promise.withResolvers<void>();
  for (let at = 0; at < 998; at++) sends.add(1, outcome.promise);
  sends.add(1, first.promise);
  assert.equal(sends.paced(clock), undefined);
  sends.add(1, outcome.promise);
  let paced = 0;
  sends.paced(clock)!.then(() => paced++);
  await clock.advance(99);
  assert.equal(paced, 0);
  await clock.advance(1);
  assert.equal(paced, 1);
  sends.paced(clock)!.then(() => paced++);
  first.resolve();
  await settle();
  assert.equal(paced, 2);
  assert.equal(clock.waiting, 0);
  assert.equal(sends.paced(clock), undefined);
});
