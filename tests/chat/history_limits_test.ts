import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { HistoryLimits, type HistoryLimitsOptions } from "../../lib/chat/history_limits.ts";
import { silentLog } from "../../lib/base/log.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { contents, StoreFixture } from "../store/fixtures.ts";

const MEGABYTE = 1_000_000;
const BATCH = 250;

/** Messages of a KiB, which are 15 MB. */
const COUNT = 15_000;

/** What the limit is for: not what is remembered of every message for ever. */
function countedBytes({ path }: StoreFixture): number {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database.prepare(
      `SELECT total(pgsize) AS bytes FROM dbstat WHERE aggregate = TRUE
       AND (name LIKE 'message%' OR name LIKE 'search%')`,
    ).get()!.bytes as number;
  } finally {
    database.close();
  }
}

Deno.test("history stays about as small as it shall be while messages pour in, and keeps the newest", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const { clock } = fixture;
  const options = { clock, log: silentLog, store, keepDays: Infinity };
  using _limits = new HistoryLimits({ ...options, maxMegabytes: 1, onProblem: assert.fail });
  let most = 0;
  for (let first = 0; first < COUNT; first += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, at) => {
      const text = `number ${first + at} ${`word${first + at} `.repeat(100)}`;
      return store.inbox.receive(fixture.incoming(text.slice(0, 1024)));
    });
    await Promise.all(batch);
    fixture.showAll(store);
    most = Math.max(most, (await Deno.stat(fixture.path)).size);
  }
  // No time has passed by this clock, so that it cannot have been the hour that did it.
  assert.ok(most < 6 * MEGABYTE, `it had ${most} bytes`);
  const last = `number ${COUNT - 1}`;
  const [hit] = await store.search(parseSearch(`"${last}"`));
  assert.ok(hit.message.content.startsWith(last));
  // A tenth may come before it is cut again, and what is written meanwhile.
  const allowed = 1.2 * MEGABYTE;
  for (let tries = 0; countedBytes(fixture) > allowed && tries < 1_000; tries++) {
    await fixture.turn(store);
  }
  assert.ok(countedBytes(fixture) <= allowed, `it has ${countedBytes(fixture)} bytes in the end`);
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
  const clock = new FakeClock();
  const problems: string[] = [];
  const warnings: string[] = [];
  let grow = () => {};
  const store: HistoryLimitsOptions["store"] = {
    prune: ({ onUnseen }) => {
      onUnseen?.(5);
      return Promise.resolve(7);
    },
    onGrowth: (_bytes, look) => {
      grow = look;
      return () => grow = () => assert.fail("nobody listens any more");
    },
  };
  const counts = (texts: string[]) => texts.map((text) => /^\d+/.exec(text)?.[0]);
  {
    using _limits = new HistoryLimits({
      clock,
      log: { ...silentLog, warn: (text) => void warnings.push(text) },
      store,
      keepDays: 1,
      maxMegabytes: 1,
      onProblem: (text) => void problems.push(text),
    });
    await settle();
    assert.match(problems[0], /^5 messages that came were deleted before .* max_mb allows 1 MB/);
    for (let times = 0; times < 3; times++) {
      grow();
      await settle();
    }
    assert.equal(problems.length, 1);
    await clock.advance(3600_000);
    assert.deepEqual(counts(problems), ["5", "20"]);
    grow();
    await settle();
  }
  assert.deepEqual(counts(warnings), ["5"], "what is left to tell at the end");
  assert.equal(problems.length, 2);
});
