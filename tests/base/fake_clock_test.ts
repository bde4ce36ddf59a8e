import assert from "node:assert/strict";
import { FakeClock, settle } from "../support/fake_clock.ts";

Deno.test("the fake clock stands still until it is moved", async () => {
  const clock = new FakeClock(1000);
  await settle();
  assert.equal(clock.now(), 1000);
  assert.equal(clock.monotonic(), 0);
  await clock.advance(250);
  assert.equal(clock.now(), 1250);
  assert.equal(clock.monotonic(), 250);
});

Deno.test("a jump of the fake wall clock moves neither ages nor timers", async () => {
  const clock = new FakeClock(1000);
  let calls = 0;
  clock.after(10, () => calls++);
  clock.jump(-500);
  await clock.advance(9);
  assert.equal(calls, 0);
  assert.equal(clock.now(), 509);
  assert.equal(clock.monotonic(), 9);
  await clock.advance(1);
  assert.equal(calls, 1);
});

Deno.test("fake timers fire in the order of their times, then of their making", async () => {
  const clock = new FakeClock();
  const fired: string[] = [];
  const note = (name: string) => () => fired.push(`${name} at ${clock.monotonic()}`);
  clock.after(20, note("c"));
  clock.after(10, note("a"));
  clock.after(20, note("d"));
  clock.after(10, note("b"));
  clock.after(31, note("late"));
  await clock.advance(30);
  assert.deepEqual(fired, ["a at 10", "b at 10", "c at 20", "d at 20"]);
  assert.equal(clock.waiting, 1);
});

Deno.test("what a fake timer starts belongs to the same stretch of time", async () => {
  const clock = new FakeClock();
  const times: number[] = [];
  const loop = (async () => {
    for (let round = 0; round < 5; round++) {
      await clock.sleep(10);
      times.push(clock.monotonic());
    }
  })();
  await clock.advance(35);
  assert.deepEqual(times, [10, 20, 30]);
  await clock.advance(100);
  await loop;
  assert.deepEqual(times, [10, 20, 30, 40, 50]);
  assert.equal(clock.monotonic(), 135);
});

Deno.test("a fake timer that was cancelled does not fire, not even by one of the same time", async () => {
  const clock = new FakeClock();
  let calls = 0;
  const cancel = clock.after(10, () => calls++);
  clock.after(20, () => cancelSame());
  const cancelSame = clock.after(20, () => calls++);
  cancel();
  cancel();
  await clock.advance(100);
  assert.equal(calls, 0);
  assert.equal(clock.waiting, 0);
});

Deno.test("a fake wait of no time ends in a later turn and not before time is moved", async () => {
  const clock = new FakeClock();
  const ended: number[] = [];
  for (const ms of [0, -5]) clock.after(ms, () => ended.push(ms));
  await settle();
  assert.deepEqual(ended, []);
  await clock.advance(0);
  assert.deepEqual(ended, [0, -5]);
});

Deno.test("a fake sleep rejects with the signal's reason and leaves no timer", async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const reason = new Error("stopped");
  const sleeping = assert.rejects(clock.sleep(10, controller.signal), reason);
  assert.equal(clock.waiting, 1);
  controller.abort(reason);
  assert.equal(clock.waiting, 0);
  await sleeping;
  await assert.rejects(clock.sleep(10, controller.signal), reason);
  assert.equal(clock.waiting, 0);
});
