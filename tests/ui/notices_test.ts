import assert from "node:assert/strict";
import { BoundedNotices, LOG_BOUNDS, PRESENCE_BOUNDS } from "../../lib/ui/notices.ts";
import { FakeClock } from "../support/fake_clock.ts";

function start(bounds = PRESENCE_BOUNDS) {
  const clock = new FakeClock();
  const shown: string[] = [];
  return { clock, shown, notices: new BoundedNotices(clock, bounds, (text) => shown.push(text)) };
}

Deno.test("a room full of people is shown one by one", () => {
  const { shown, notices } = start();
  for (let at = 0; at < 20; at++) notices.add(`${at} is here`);
  assert.equal(shown.length, 20);
});

Deno.test("a flood of newcomers is summed up every two seconds", async () => {
  const { clock, shown, notices } = start();
  for (let at = 0; at < 1000; at++) notices.add(`${at} is here`);
  assert.equal(shown.length, 20);
  await clock.advance(1999);
  assert.equal(shown.length, 20);
  await clock.advance(1);
  assert.deepEqual(shown.slice(20), ["* 980 more peers came or went; /peers shows who is here"]);
  for (let second = 0; second < 60; second++) {
    for (let at = 0; at < 100; at++) notices.add("flood");
    await clock.advance(1000);
  }
  assert.ok(shown.length < 20 + 60 * 3, `${shown.length} lines in a minute`);
});

Deno.test("after a flood comings and goings are shown one by one again", async () => {
  const { clock, shown, notices } = start();
  for (let at = 0; at < 30; at++) notices.add("flood");
  await clock.advance(60_000);
  notices.add("bob is here");
  assert.equal(shown.at(-1), "bob is here");
  assert.equal(clock.waiting, 0);
});

Deno.test("a flood of log entries leaves the screen to the conversation", async () => {
  const { clock, shown, notices } = start(LOG_BOUNDS);
  for (let at = 0; at < 23; at++) notices.add(`warning ${at}`);
  assert.equal(shown.length, 5);
  await clock.advance(2000);
  assert.deepEqual(shown.slice(5), [
    "* 18 more log entries; 2>FILE behind the command keeps them all",
  ]);
  for (let second = 0; second < 60; second++) {
    for (let at = 0; at < 18; at++) notices.add("flood");
    await clock.advance(1000);
  }
  assert.ok(shown.length <= 6 + 60, `${shown.length} lines in a minute`);
});

Deno.test("nothing is shown after the end", async () => {
  const { clock, shown, notices } = start();
  for (let at = 0; at < 30; at++) notices.add("flood");
  notices.close();
  await clock.advance(10_000);
  assert.equal(shown.length, 20);
  assert.equal(clock.waiting, 0);
});
