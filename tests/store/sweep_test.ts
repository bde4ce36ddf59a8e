import assert from "node:assert/strict";
import { DatabaseSync, StatementSync } from "node:sqlite";
import { checkHistory } from "../../lib/store/check.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import type { Store } from "../../lib/store/store.ts";
import { bob, carol, StoreFixture } from "./fixtures.ts";

const SIZE = 60_000;
const COUNT = 60;

/** What is left of a word in the index, where words share their beginnings. */
const TRACE = "phonequartet";

/** A long text of words that are all different, one of which is rare. */
function words(seed: number): string {
  let text = `xylo${TRACE}${seed} `;
  for (let at = 0; text.length < SIZE; at++) text += `${(seed * 100_000 + at).toString(36)} `;
  return text;
}

/** What one transaction does to the index, in bytes of text. */
interface Work {
  taken: number;
  removed: number;
  removedForGood: number;
}

/** Runs something and returns the work of each of its transactions; messages have `SIZE` bytes. */
async function workOf(body: () => Promise<void>): Promise<Work[]> {
  const transactions: Work[] = [];
  let isForGood = true;
  const { run } = StatementSync.prototype;
  // Files of this test run in a process of their own.
  StatementSync.prototype.run = function (
    this: StatementSync,
    ...values: unknown[]
  ): ReturnType<typeof run> {
    const sql = this.sourceSQL;
    if (/^BEGIN/.test(sql)) transactions.push({ taken: 0, removed: 0, removedForGood: 0 });
    const work = transactions.at(-1);
    if (/secure-delete/.test(sql)) isForGood = values[0] === 1;
    if (/^INSERT INTO search \(rowid/.test(sql)) {
      work!.taken += Math.min(COUNT, Number(values[1]) - Number(values[0]) + 1) * SIZE;
    }
    if (/SELECT 'delete', key/.test(sql)) work![isForGood ? "removedForGood" : "removed"] += SIZE;
    return Reflect.apply(run, this, values);
  };
  try {
    await body();
  } finally {
    StatementSync.prototype.run = run;
  }
  return transactions;
}

for (const how of ["prune", "clear"] as const) {
  Deno.test(`store takes in and deletes (${how}) long messages with few bytes in each step`, async () => {
    await using fixture = await StoreFixture.make();
    await using store = await fixture.open();
    const contact = carol;
    for (let at = 0; at < COUNT; at++) {
      await store.inbox.receive(fixture.incoming(words(at), { contact }));
    }
    const indexing = await workOf(async () => void await store.search(parseSearch("nothing")));
    assert.equal(indexing.reduce((sum, { taken }) => sum + taken, 0), COUNT * SIZE);
    assert.ok(Math.max(...indexing.map(({ taken }) => taken)) <= 128 * 1024);
    const deleting = await workOf(async () => {
      const before = fixture.clock.now() + 1;
      assert.equal(
        how === "prune" ? await fixture.prune(store, { before }) : await store.clear(carol),
        COUNT,
      );
    });
    assert.equal(deleting.reduce((sum, { removed }) => sum + removed, 0), COUNT * SIZE);
    assert.ok(Math.max(...deleting.map(({ removed }) => removed)) <= 128 * 1024);
    // That takes half a second for such a message.
    assert.deepEqual(deleting.filter(({ removedForGood }) => removedForGood > 0), []);
    for (const suffix of ["", "-wal"]) {
      const bytes = await Deno.readFile(fixture.path + suffix);
      const content = new TextDecoder("latin1").decode(bytes);
      assert.equal(content.includes(TRACE), false);
    }
  });
}

Deno.test("store deletes few messages in each step, however short they are", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const count = 1_500; // so many are not taken out of the index one by one
  const messages = Array.from({ length: count }, (_, at) => fixture.incoming(`${at}`));
  await Promise.all(messages.map((message) => store.inbox.receive(message)));
  await store.search(parseSearch("nothing"));
  const deleting = await workOf(async () => void await store.clear(bob));
  assert.equal(deleting.reduce((sum, { removed }) => sum + removed, 0), count * SIZE);
  assert.ok(Math.max(...deleting.map(({ removed }) => removed)) <= 200 * SIZE);
});

Deno.test("store ends at the next start what it began to take out of the index", async () => {
  await using fixture = await StoreFixture.make();
  const holds = async () => {
    const content = new TextDecoder("latin1").decode(await Deno.readFile(fixture.path));
    return content.includes(TRACE);
  };
  {
    const store = await fixture.open();
    for (let at = 0; at < COUNT; at++) await store.inbox.receive(fixture.incoming(words(at)));
    await store.inbox.receive(fixture.incoming("hello", { contact: carol }));
    await store.search(parseSearch("hello"));
    const controller = new AbortController();
    const [deleting] = [
      fixture.prune(store, { before: fixture.clock.now() + 1, signal: controller.signal }),
    ];
    while (store.history({ count: COUNT, contacts: [1] }).length > 0) await fixture.turn(store);
    controller.abort(new Error("stop"));
    await assert.rejects(deleting, /stop/);
    await store[Symbol.asyncDispose]();
    assert.equal(await holds(), true);
  }
  const database = new DatabaseSync(fixture.path, { readOnly: true });
  const open = () => database.prepare("SELECT 1 FROM meta WHERE name = 'unmerged'").get();
  assert.notEqual(open(), undefined);
  await using store = await fixture.open();
  while (open() !== undefined) await fixture.turn(store);
  database.close();
  await store[Symbol.asyncDispose]();
  assert.equal(await holds(), false);
});

/** Has a store with an index of some MB. */
async function withMuch(store: Store, fixture: StoreFixture): Promise<void> {
  for (let at = 0; at < COUNT; at++) await store.inbox.receive(fixture.incoming(words(at)));
  await store.search(parseSearch("nothing"));
}

Deno.test("store empties the index in small steps, and then finds what has come meanwhile", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  await withMuch(store, fixture);
  const reader = new DatabaseSync(fixture.path, { readOnly: true });
  const pages = reader.prepare("SELECT count(*) AS count FROM search_data");
  const counts = [pages.get()!.count as number];
  assert.ok(counts[0] > 1_000, `the index has ${counts[0]} pages only`);
  const clearing = store.clear();
  const coming = store.inbox.receive(fixture.incoming("hello from outside"));
  let found: Promise<unknown[]> | undefined;
  while (counts.at(-1)! > 20) {
    await fixture.turn(store);
    const count = pages.get()!.count as number;
    if (count === counts.at(-1)) continue;
    counts.push(count);
    // What is asked now has to wait until the index can be asked.
    found ??= store.search(parseSearch("hello"));
  }
  reader.close();
  assert.equal(await clearing, COUNT);
  await coming;
  assert.equal((await found!).length, 1);
  const steps = counts.slice(1).map((count, at) => counts[at] - count);
  assert.ok(Math.max(...steps) <= 512 + 10, `pages at a time: ${steps}`);
});

Deno.test("store makes the index anew where a crash ended its emptying", async () => {
  await using fixture = await StoreFixture.make();
  const isBegun = (reader: DatabaseSync) =>
    reader.prepare("SELECT 1 FROM meta WHERE name = 'index_clearing'").get() !== undefined;
  {
    const store = await fixture.open();
    await withMuch(store, fixture);
    const reader = new DatabaseSync(fixture.path, { readOnly: true });
    const clearing = store.clear();
    const refused = assert.rejects(clearing);
    await store.inbox.receive(fixture.incoming("hello from outside"));
    for (let tries = 0; !isBegun(reader) && tries < 1_000; tries++) await fixture.turn(store);
    reader.close();
    await store[Symbol.asyncDispose]();
    await refused;
  }
  const file = new DatabaseSync(fixture.path, { readOnly: true });
  assert.ok(isBegun(file), "the end came too late");
  file.close();
  await using store = await fixture.open();
  assert.equal((await store.search(parseSearch("hello"))).length, 1);
  assert.deepEqual(await store.search(parseSearch("xylo*")), []);
  await store.clear();
  assert.deepEqual((await checkHistory(fixture.path)).problems, []);
  await store[Symbol.asyncDispose]();
  const content = new TextDecoder("latin1").decode(await Deno.readFile(fixture.path));
  assert.equal(content.includes(TRACE), false);
});
