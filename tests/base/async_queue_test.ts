import assert from "node:assert/strict";
import fc from "fast-check";
import { AsyncQueue } from "../../lib/base/async_queue.ts";
import { settle } from "../support/fake_clock.ts";

async function drained<T>(queue: AsyncQueue<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of queue) items.push(item);
  return items;
}

Deno.test("items come out in the order in which they went in, then the queue ends", async () => {
  const queue = new AsyncQueue<number>(10);
  const items = drained(queue);
  queue.push(1);
  queue.push(2);
  await settle();
  queue.push(3);
  queue.close();
  queue.close();
  queue.push(4);
  assert.deepEqual(await items, [1, 2, 3]);
  assert.deepEqual(await queue.next(), { done: true, value: undefined });
});

Deno.test("a consumer that waits is woken by an item and by the end", async () => {
  const queue = new AsyncQueue<string>(1);
  const first = queue.next();
  await settle();
  queue.push("a");
  assert.deepEqual(await first, { done: false, value: "a" });
  const second = queue.next();
  await settle();
  queue.close();
  assert.deepEqual(await second, { done: true, value: undefined });
});

Deno.test("items that are there can be taken without waiting, and make room as others do", async () => {
  const queue = new AsyncQueue<number>(2);
  assert.equal(queue.poll(), undefined);
  queue.push(1);
  queue.push(2);
  let hasRoom = false;
  void queue.ready()!.then(() => hasRoom = true);
  assert.equal(queue.poll(), 1);
  await settle();
  assert.ok(hasRoom);
  assert.deepEqual(await queue.next(), { done: false, value: 2 });
  assert.equal(queue.poll(), undefined);
  queue.push(3);
  queue.close();
  assert.equal(queue.poll(), 3);
  assert.deepEqual(await queue.next(), { done: true, value: undefined });
});

Deno.test("producers wait while the queue is full and go on when there is room", async () => {
  const queue = new AsyncQueue<number>(2);
  queue.push(1);
  assert.equal(queue.ready(), undefined);
  queue.push(2);
  let woken = 0;
  for (let producer = 0; producer < 2; producer++) queue.ready()!.then(() => woken++);
  await settle();
  assert.equal(woken, 0);
  await queue.next();
  await settle();
  assert.equal(woken, 2);
  assert.equal(queue.ready(), undefined);
});

Deno.test("producers that wait are woken by the end, early or not", async () => {
  for (const end of ["close", "return"] as const) {
    const queue = new AsyncQueue<number>(1);
    queue.push(1);
    const ready = queue.ready()!;
    queue[end]();
    await ready;
    assert.equal(queue.ready(), undefined);
    assert.equal(queue.length, end === "close" ? 1 : 0);
  }
});

Deno.test("a loop that is left early drops what is there and takes nothing more", async () => {
  const queue = new AsyncQueue<number>(10);
  for (let at = 0; at < 5; at++) queue.push(at);
  for await (const item of queue) if (item === 1) break;
  queue.push(9);
  assert.equal(queue.length, 0);
  assert.deepEqual(await drained(queue), []);
});

Deno.test("no item is lost or doubled, however pushes and takes alternate", async () => {
  const steps = fc.array(fc.record({ push: fc.nat({ max: 700 }), take: fc.nat({ max: 900 }) }));
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const queue = new AsyncQueue<number>(100);
      let pushed = 0;
      let taken = 0;
      for (const { push, take } of all) {
        for (let at = 0; at < push; at++) queue.push(pushed++);
        for (let at = 0; at < take && queue.length > 0; at++) {
          assert.deepEqual(await queue.next(), { done: false, value: taken++ });
        }
        assert.equal(queue.length, pushed - taken);
      }
      queue.close();
      assert.equal((await drained(queue)).length, pushed - taken);
    }),
    { numRuns: 50 },
  );
});

Deno.test("producers wait by the weight of what is there, where items weigh differently", async () => {
  const queue = new AsyncQueue<string>(10, (item) => item.length);
  queue.push("123456789");
  assert.equal(queue.ready(), undefined);
  queue.push("0");
  const room = queue.ready();
  assert.ok(room);
  assert.deepEqual(await queue.next(), { done: false, value: "123456789" });
  await room;
  assert.equal(queue.ready(), undefined);
});

Deno.test("producers that wait are woken one after the other, in order, while there is room", async () => {
  const queue = new AsyncQueue<number>(100, (item) => item);
  queue.push(100);
  const woken: number[] = [];
  for (let producer = 0; producer < 5; producer++) {
    queue.ready()!.then(() => {
      woken.push(producer);
      queue.push(60);
    });
  }
  await queue.next();
  await settle(20);
  assert.deepEqual(woken, [0, 1], "the second one fills it");
  const late = queue.ready();
  assert.ok(late);
  late.then(() => woken.push(99));
  await queue.next();
  await settle(20);
  assert.deepEqual(woken, [0, 1, 2]);
  for (let at = 0; at < 4; at++) {
    await queue.next();
    await settle(20);
  }
  assert.deepEqual(woken, [0, 1, 2, 3, 4, 99]);
});

Deno.test("producers that wait and push nothing leave no consumer waiting", async () => {
  const queue = new AsyncQueue<string>(1);
  queue.push("first");
  for (let producer = 0; producer < 50; producer++) void queue.ready()!;
  queue.ready()!.then(() => queue.push("second"));
  assert.equal((await queue.next()).value, "first");
  assert.equal((await queue.next()).value, "second");
});
