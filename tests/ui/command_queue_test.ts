import assert from "node:assert/strict";
import { CommandQueue } from "../../lib/ui/command_queue.ts";
import { settle } from "../support/fake_clock.ts";

Deno.test("a command is run when those before it are done", async () => {
  const queue = new CommandQueue();
  const first = Promise.withResolvers<void>();
  const done: number[] = [];
  void queue.add(() => first.promise.then(() => void done.push(1)));
  void queue.add(() => Promise.resolve(void done.push(2)));
  await settle();
  assert.deepEqual(done, []);
  first.resolve();
  await settle();
  assert.deepEqual(done, [1, 2]);
});

Deno.test("more than 10,000 waiting commands are not taken, until one is done", async () => {
  const queue = new CommandQueue();
  const first = Promise.withResolvers<void>();
  let ran = 0;
  for (let at = 0; at < 10_000; at++) {
    assert.ok(queue.add(() => first.promise.then(() => void ran++)));
  }
  assert.equal(queue.add(() => Promise.resolve()), undefined);
  first.resolve();
  await settle();
  assert.equal(ran, 10_000);
  assert.ok(queue.add(() => Promise.resolve()));
});
