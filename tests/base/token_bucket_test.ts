import assert from "node:assert/strict";
import fc from "fast-check";
import { TokenBucket } from "../../lib/base/token_bucket.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** How many of `tries` single tokens a bucket gives now. */
function taken(bucket: TokenBucket, tries = 100): number {
  let count = 0;
  for (let at = 0; at < tries; at++) if (bucket.take()) count++;
  return count;
}

Deno.test("a bucket gives its burst at once and then what the rate allows", async () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(clock, 10, 5);
  assert.equal(taken(bucket), 5);
  await clock.advance(99);
  assert.equal(taken(bucket), 0);
  await clock.advance(1);
  assert.equal(taken(bucket), 1);
  await clock.advance(300);
  assert.equal(taken(bucket), 3);
});

Deno.test("a bucket that rests gains no more than its burst", async () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(clock, 10, 5);
  await clock.advance(3_600_000);
  assert.equal(taken(bucket), 5);
});

Deno.test("several tokens are taken together or not at all", async () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(clock, 1, 5);
  assert.equal(bucket.take(6), false);
  assert.equal(bucket.take(3), true);
  assert.equal(bucket.take(3), false);
  assert.equal(bucket.take(2), true);
  await clock.advance(3_600_000);
  assert.equal(bucket.take(6), false, "more than the burst is never there");
});

Deno.test("refusals cost no tokens and frequent tries lose none", async () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(clock, 1, 1);
  assert.equal(bucket.take(), true);
  for (let at = 0; at < 9; at++) {
    await clock.advance(100);
    assert.equal(bucket.take(), false);
  }
  await clock.advance(101);
  assert.equal(bucket.take(), true);
});

Deno.test("a jump of the wall clock gives no tokens", () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(clock, 10, 5);
  taken(bucket);
  clock.jump(3_600_000);
  assert.equal(bucket.take(), false);
});

Deno.test("no stretch of time sees more than the burst and the rate allow", () => {
  const steps = fc.array(
    fc.record({ ms: fc.nat({ max: 500 }), count: fc.integer({ min: 1, max: 4 }) }),
  );
  fc.assert(
    fc.property(
      steps,
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 20 }),
      (all, rate, burst) => {
        let time = 0;
        const bucket = new TokenBucket({ monotonic: () => time }, rate, burst);
        const takes: { time: number; count: number }[] = [];
        for (const { ms, count } of all) {
          time += ms;
          if (bucket.take(count)) takes.push({ time, count });
        }
        for (let from = 0; from < takes.length; from++) {
          let sum = 0;
          for (const take of takes.slice(from)) {
            sum += take.count;
            const allowed = burst + (take.time - takes[from].time) * rate / 1000;
            assert.ok(sum <= allowed + 1e-6, `${sum} tokens where ${allowed} are allowed`);
          }
        }
      },
    ),
  );
});
