import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { systemClock } from "../../lib/base/clock.ts";

Deno.test("the system's clock tells the time and never goes back", () => {
  assert.ok(Math.abs(systemClock.now() - Date.now()) < 1000);
  const before = systemClock.monotonic();
  assert.ok(systemClock.monotonic() >= before);
});

Deno.test("a sleep ends after its time, and one of no time in a later turn", async () => {
  const started = systemClock.monotonic();
  await systemClock.sleep(5);
  assert.ok(systemClock.monotonic() - started >= 4);
  let ended = false;
  const sleeping = systemClock.sleep(-1).then(() => ended = true);
  await Promise.resolve();
  assert.equal(ended, false);
  await sleeping;
});

Deno.test("a sleep rejects with the signal's reason at once", async () => {
  const reason = new Error("stopped");
  await assert.rejects(systemClock.sleep(60_000, AbortSignal.abort(reason)), reason);
  const controller = new AbortController();
  const sleeping = assert.rejects(systemClock.sleep(60_000, controller.signal), reason);
  controller.abort(reason);
  await sleeping; // the test runner also reports a timer that is left behind
});

Deno.test("a sleep that has ended no longer listens to its signal", async () => {
  const { signal } = new AbortController();
  for (let round = 0; round < 3; round++) await systemClock.sleep(0, signal);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

Deno.test("a callback comes once, and not after it was cancelled", async () => {
  const calls: string[] = [];
  const cancel = systemClock.after(1, () => calls.push("cancelled"));
  cancel();
  systemClock.after(1, () => calls.push("kept"));
  await new Promise<void>((resolve) => systemClock.after(5, resolve));
  assert.deepEqual(calls, ["kept"]);
});

Deno.test("the platform's timers get only delays that they know", () => {
  const platform = globalThis.setTimeout;
  const delays: (number | undefined)[] = [];
  const callbacks: (() => void)[] = [];
  globalThis.setTimeout = ((callback: () => void, delay?: number) => {
    delays.push(delay);
    callbacks.push(callback);
    return 0;
  }) as unknown as typeof setTimeout;
  try {
    let calls = 0;
    const most = 2 ** 31 - 1;
    systemClock.after(-5, () => {});
    systemClock.after(7, () => {});
    systemClock.after(most + 10, () => calls++);
    assert.deepEqual(delays, [0, 7, most]);
    callbacks[2]();
    assert.deepEqual(delays.slice(3), [10]);
    assert.equal(calls, 0);
    callbacks[3]();
    assert.equal(calls, 1);
  } finally {
    globalThis.setTimeout = platform;
  }
});

Deno.test("a wait beyond what the platform's timers know does not end at once", async () => {
  const early: number[] = [];
  const waits = [2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1, 1e15, Infinity];
  const cancels = waits.map((ms) => systemClock.after(ms, () => early.push(ms)));
  const controller = new AbortController();
  const sleeping = assert.rejects(systemClock.sleep(2 ** 31, controller.signal), /enough/);
  // The platform would fire after 1 ms: give it ample time to do so.
  await new Promise<void>((resolve) => systemClock.after(20, resolve));
  for (const cancel of cancels) cancel();
  controller.abort(new Error("enough"));
  await sleeping;
  assert.deepEqual(early, []);
});
