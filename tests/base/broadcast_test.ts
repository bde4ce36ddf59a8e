import assert from "node:assert/strict";
import { Broadcast } from "../../lib/base/broadcast.ts";

Deno.test("a watcher gets what is pushed from then on, as the consumer does", async () => {
  const queue = new Broadcast<number>(10);
  queue.push(1);
  const watcher = queue.watch(10, () => assert.fail("it keeps up"));
  queue.push(2);
  queue.push(3);
  queue.close();
  assert.deepEqual(await Array.fromAsync(queue), [1, 2, 3]);
  assert.deepEqual(await Array.fromAsync(watcher), [2, 3]);
  assert.equal(queue.watchers, 0);
});

Deno.test("a watcher that falls behind is cut off, and holds up nobody", async () => {
  const queue = new Broadcast<string>(100, (text) => text.length);
  let overruns = 0;
  const slow = queue.watch(4, () => overruns++);
  const quick = queue.watch(100, () => assert.fail("it keeps up"));
  for (const text of ["ab", "cd", "ef", "gh"]) assert.equal(queue.push(text), true);
  assert.equal(overruns, 1);
  assert.equal(queue.watchers, 1);
  assert.equal(queue.ready(), undefined, "only the consumer makes producers wait");
  assert.deepEqual(await slow.next(), { done: true, value: undefined }, "what it had is dropped");
  queue.close();
  assert.deepEqual(await Array.fromAsync(quick), ["ab", "cd", "ef", "gh"]);
  assert.deepEqual(await Array.fromAsync(queue), ["ab", "cd", "ef", "gh"]);
});

Deno.test("only the consumer makes producers wait", () => {
  const queue = new Broadcast<number>(2);
  const watcher = queue.watch(10, () => {});
  queue.push(1);
  queue.push(2);
  assert.ok(queue.ready() instanceof Promise);
  void watcher.return!();
  queue.close();
});

Deno.test("a watcher that leaves is forgotten, and one that comes too late ends at once", async () => {
  const queue = new Broadcast<number>(10);
  const watcher = queue.watch(10, () => {});
  await watcher.return!();
  assert.equal(queue.watchers, 0);
  queue.push(1);
  assert.equal((await watcher.next()).done, true);
  queue.close();
  assert.deepEqual(await Array.fromAsync(queue.watch(10, () => {})), []);
});
