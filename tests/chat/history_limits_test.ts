import assert from "node:assert/strict";
import { HistoryLimits } from "../../lib/chat/history_limits.ts";
import { silentLog } from "../../lib/base/log.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import { contents, StoreFixture } from "../store/fixtures.ts";

const MEGABYTE = 1_000_000;
const BATCH = 250;

/** Messages of a KiB, which are 15 MB. */
const COUNT = 15_000;

Deno.test("history stays about as small as it shall be while messages pour in, and keeps the newest", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const { clock } = fixture;
  const options = { clock, log: silentLog, store, keepDays: Infinity };
  using _limits = new HistoryLimits({ ...options, maxMegabytes: 1, onProblem: assert.fail });
  // What is remembered of every message for ever is not counted: some 13 bytes.
  const size = async () => (await Deno.stat(fixture.path)).size - COUNT * 13;
  let most = 0;
  for (let first = 0; first < COUNT; first += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, at) => {
      const text = `number ${first + at} ${`word${first + at} `.repeat(100)}`;
      return store.inbox.receive(fixture.incoming(text.slice(0, 1024)));
    });
    await Promise.all(batch);
    fixture.showAll(store);
    most = Math.max(most, await size());
  }
  // No time has passed by this clock, so that it cannot have been the hour that did it.
  assert.ok(most < 6 * MEGABYTE, `it had ${most} bytes`);
  const last = `number ${COUNT - 1}`;
  const [hit] = await store.search(parseSearch(`"${last}"`));
  assert.ok(hit.message.content.startsWith(last));
  for (let tries = 0; await size() > 1.3 * MEGABYTE && tries < 1_000; tries++) {
    await fixture.turn(store);
  }
  assert.ok(await size() <= 1.3 * MEGABYTE, `it has ${await size()} bytes in the end`);
  const kept = contents(store.history({ count: 1_000 }));
  assert.ok(kept.length > 300, `${kept.length} messages are left`);
  assert.ok(kept.at(-1)!.startsWith(last));
});

Deno.test("history is cut to its age every hour", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const { clock } = fixture;
  using _limits = new HistoryLimits({
    clock,
    log: silentLog,
    store,
    keepDays: 1,
    maxMegabytes: Infinity,
    onProblem: assert.fail,
  });
  await store.inbox.receive(fixture.incoming("old"));
  fixture.showAll(store);
  for (let hour = 0; hour < 26; hour++) {
    await clock.advance(3600_000);
    await fixture.turn(store);
  }
  await store.inbox.receive(fixture.incoming("new"));
  for (let tries = 0; store.history({ count: 9 }).length > 1 && tries < 100; tries++) {
    await fixture.turn(store);
  }
  assert.deepEqual(contents(store.history({ count: 9 })), ["new"]);
});

Deno.test("user is told once an hour how many messages went because of their size before they were shown", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const { clock } = fixture;
  const problems: string[] = [];
  const onProblem = (message: string) => void problems.push(message);
  const options = { clock, log: silentLog, store, keepDays: 1, maxMegabytes: 1, onProblem };
  const flood = async () => {
    for (let sent = 0; sent < 3_000; sent += BATCH) {
      const batch = Array.from({ length: BATCH }, () => fixture.incoming("x ".repeat(500)));
      await Promise.all(batch.map((message) => store.inbox.receive(message)));
    }
    for (let tries = 0; tries < 200; tries++) await fixture.turn(store);
  };
  using _limits = new HistoryLimits(options);
  await flood();
  const left = store.inbox.unshown().length;
  assert.ok(left > 300 && left < 1_000, `${left} are left`);
  assert.equal(problems.length, 1);
  await flood();
  assert.equal(problems.length, 1);
  await clock.advance(3600_000);
  for (let tries = 0; tries < 200 && problems.length < 2; tries++) await fixture.turn(store);
  assert.equal(problems.length, 2);
  let told = 0;
  for (const problem of problems) {
    const why = /^(\d+) messages that came were deleted before .* max_mb allows 1 MB/.exec(problem);
    told += Number(why?.[1]);
  }
  assert.equal(told, 6_000 - store.inbox.unshown().length);
});
