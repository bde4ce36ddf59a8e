import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { ReadOnlyHistory } from "../../lib/control/read_only_history.ts";
import { checkHistory } from "../../lib/store/check.ts";
import { silentLog } from "../../lib/base/log.ts";
import { Database } from "../../lib/store/database.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import type { Store } from "../../lib/store/store.ts";
import { contents, StoreFixture } from "./fixtures.ts";

const DAY = 86_400_000;

async function fill(fixture: StoreFixture, store: Store, count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, at) => fixture.incoming(`holiday ${at}`));
  await Promise.all(messages.map((message) => store.inbox.receive(message)));
  await store.search(parseSearch("nothing"));
}

/** Changes the file as a crash may leave it. */
function change(path: string, ...statements: string[]): void {
  const database = new DatabaseSync(path, { defensive: false } as never);
  for (const sql of statements) database.exec(sql);
  database.close();
}

/** How often `body` asks the index, and how many turns of the event loop others have. */
async function workOf(body: () => Promise<unknown>): Promise<{ asked: number; turns: number }> {
  const original = Database.prototype.all;
  let [asked, turns, done] = [0, 0, false];
  Database.prototype.all = function <T>(sql: string, ...values: never[]): T[] {
    if (sql.includes("MATCH")) asked++;
    return original.call(this, sql, ...values) as T[];
  };
  const turn = () => {
    turns++;
    if (!done) setImmediate(turn);
  };
  try {
    setImmediate(turn);
    await body();
  } finally {
    done = true;
    Database.prototype.all = original;
  }
  return { asked, turns };
}

Deno.test("search does not go through entries of the index whose messages are gone", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    await fill(fixture, store, 5_000);
  }
  change(fixture.path, "DELETE FROM message WHERE key > 10 AND key <> 2500");
  await using store = await fixture.open();
  let found: string[] = [];
  const { asked } = await workOf(async () => {
    const hits = await store.search(parseSearch("holiday"));
    found = contents(hits.map(({ message }) => message));
  });
  assert.equal(found.length, 11);
  assert.equal(found[0], "holiday 2499");
  assert.ok(asked <= 4, `the index was asked ${asked} times`);
});

Deno.test("search that looks at many messages lets others have their turn", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  await fixture.clock.advance(DAY);
  await fill(fixture, store, 2_000);
  // What came last was stored under a much too old clock, so that no date bounds the keys.
  fixture.clock.jump(-3_650 * DAY);
  await fill(fixture, store, 1);
  const { turns } = await workOf(async () => {
    const hits = await store.search(parseSearch("holiday before:2020-01-01"));
    assert.deepEqual(hits.map(({ message }) => message.key), [2_001]);
  });
  assert.ok(turns >= 40, `others had ${turns} turns`);
});

Deno.test("search finds nothing that a crash ended the clearing of", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    await fill(fixture, store, 100);
  }
  change(fixture.path, "INSERT INTO clearing (contact, last_key) VALUES (0, 98)");
  await using history = await ReadOnlyHistory.open(fixture.path);
  const hits = await history.search(parseSearch("holiday"));
  assert.deepEqual(contents(hits.map(({ message }) => message)), ["holiday 99", "holiday 98"]);
});

for (const [what, gone] of [["half", "id > 10 AND id % 2 = 0"], ["all", "id > 10"]]) {
  Deno.test(`an index whose emptying a crash ended is not asked, and not called damaged: ${what}`, async () => {
    await using fixture = await StoreFixture.make();
    {
      await using store = await fixture.open();
      await fill(fixture, store, 5_000);
    }
    change(
      fixture.path,
      "INSERT INTO meta (name, value) VALUES ('index_clearing', 1)",
      `DELETE FROM search_data WHERE ${gone}`,
    );
    assert.deepEqual((await checkHistory(fixture.path)).problems, []);
    {
      await using history = await ReadOnlyHistory.open(fixture.path);
      await assert.rejects(history.search(parseSearch("holiday")), { kind: "readonly" });
    }
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (text: string) => void warnings.push(text) };
    await using store = await fixture.open({ log });
    assert.equal((await store.search(parseSearch("holiday"))).length, 20);
    await store[Symbol.asyncDispose]();
    assert.deepEqual(warnings, []);
    assert.deepEqual((await checkHistory(fixture.path)).problems, []);
  });
}
