import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { silentLog } from "../../lib/base/log.ts";
import { checkHistory } from "../../lib/store/check.ts";
import { exportHistory } from "../../lib/store/export.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import type { Store } from "../../lib/store/store.ts";
import { StoreError } from "../../lib/store/store_error.ts";
import { StoreFixture } from "./fixtures.ts";

const PAGE = 4096;

/** A log, and what came into it for the user. */
function warningLog() {
  const warnings: string[] = [];
  return { warnings, log: { ...silentLog, warn: (text: string) => void warnings.push(text) } };
}

/** Closes a store with so many messages in it. */
async function filled(fixture: StoreFixture, count: number): Promise<void> {
  await using store = await fixture.open();
  const text = (at: number) => `message ${at} ${"and so on ".repeat(20)}`;
  const messages = Array.from({ length: count }, (_, at) => fixture.incoming(text(at)));
  await Promise.all(messages.map((message) => store.inbox.receive(message)));
  await store.search(parseSearch("message"));
}

/** Overwrites a part of pages of a table or an index; the head of a page is at its beginning. */
function damage(
  path: string,
  name: string,
  choose: (pages: number[]) => number[],
  at = 0,
): void {
  const database = new DatabaseSync(path, { readOnly: true });
  const pages = database.prepare(
    "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path",
  ).all(name).map(({ pageno }) => pageno as number);
  database.close();
  using file = Deno.openSync(path, { write: true });
  for (const page of choose(pages)) {
    file.seekSync((page - 1) * PAGE + at, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(200).fill(0xa5));
  }
}

async function exported(path: string) {
  const keys: number[] = [];
  const gaps: [number, number][] = [];
  for await (const item of exportHistory(path)) {
    if (item.kind === "message") keys.push(item.message.key);
    else if (item.kind === "unreadable") gaps.push([item.from, item.to ?? Infinity]);
  }
  return { keys, gaps };
}

/** Deletes everything. */
async function clear(fixture: StoreFixture, store: Store): Promise<void> {
  let isDone = false;
  const clearing = store.clear().finally(() => isDone = true);
  while (!isDone) await fixture.clock.advance(100);
  await clearing;
}

Deno.test("check finds nothing wrong with a good history, also while it is in use", async () => {
  await using fixture = await StoreFixture.make();
  await filled(fixture, 300);
  await using store = await fixture.open();
  await store.outbox.enqueue(fixture.outgoing("pending"));
  const report = await checkHistory(fixture.path);
  assert.deepEqual(report, {
    path: fixture.path,
    problems: [],
    version: 1,
    messages: 301,
    pending: 1,
    contacts: 1,
    received: 300,
    bytes: report.bytes,
  });
  assert.equal((await exported(fixture.path)).keys.length, 301);
});

Deno.test("check and export read what is readable of a damaged history and leave it", async () => {
  await using fixture = await StoreFixture.make();
  await filled(fixture, 1_000);
  damage(fixture.path, "message", (pages) => [pages[3], pages[10], pages[11], pages.at(-1)!]);
  const before = await Deno.readFile(fixture.path);
  const report = await checkHistory(fixture.path);
  assert.ok(report.problems.length > 0);
  assert.equal(report.contacts, 1);
  const { keys, gaps } = await exported(fixture.path);
  assert.equal(gaps.length, 3);
  const lost = gaps.reduce((sum, [from, to]) => sum + to - from + 1, 0);
  assert.equal(keys.length + lost, 1_000);
  assert.ok(lost < 100, `${lost} messages are lost with 4 pages`);
  assert.deepEqual(keys, [...keys].sort((a, b) => a - b));
  assert.deepEqual(await Deno.readFile(fixture.path), before);
});

Deno.test("store says that a page is damaged, and goes on with what is readable", async () => {
  await using fixture = await StoreFixture.make();
  await filled(fixture, 1_000);
  damage(fixture.path, "message", (pages) => [pages[3]]);
  await using store = await fixture.open();
  assert.equal(store.history({ count: 10 }).length, 10);
  assert.throws(() => store.history({ count: 10, before: 60 }), (error) => {
    assert.ok(error instanceof StoreError);
    assert.equal(error.kind, "damaged");
    assert.match(error.message, /nothing was overwritten: save what is readable with `parlance/);
    return true;
  });
  await store.inbox.receive(fixture.incoming("new"));
  assert.equal(store.history({ count: 1 })[0].content, "new");
});

Deno.test("store makes a damaged search index anew", async () => {
  await using fixture = await StoreFixture.make();
  await filled(fixture, 1_000);
  damage(fixture.path, "search_data", (pages) => pages, PAGE / 2);
  await using store = await fixture.open();
  await store.inbox.receive(fixture.incoming("needle"));
  assert.equal((await store.search(parseSearch("message"))).length, 20);
  assert.equal((await store.search(parseSearch("needle"))).length, 1);
  assert.deepEqual(store.state, { kind: "ok" });
});

const FIRST_PAGES = ["search_data", "search_idx", "search_config"];
const SPOILT: Record<string, Uint8Array> = {
  "random bytes": crypto.getRandomValues(new Uint8Array(PAGE)),
  "zeros": new Uint8Array(PAGE),
};

for (const name of FIRST_PAGES) {
  for (const [what, bytes] of Object.entries(SPOILT)) {
    Deno.test(`store makes a search index anew whose ${name} begins with ${what}`, async () => {
      await using fixture = await StoreFixture.make();
      await filled(fixture, 300);
      const database = new DatabaseSync(fixture.path, { readOnly: true });
      const { rootpage } = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?")
        .get(name)!;
      database.close();
      {
        using file = Deno.openSync(fixture.path, { write: true });
        file.seekSync((rootpage as number - 1) * PAGE, Deno.SeekMode.Start);
        file.writeSync(bytes);
      }
      const { log, warnings } = warningLog();
      {
        await using store = await fixture.open({ log });
        await store.inbox.receive(fixture.incoming("needle"));
        assert.equal((await store.search(parseSearch("message"))).length, 20);
        assert.equal((await store.search(parseSearch("needle"))).length, 1);
        await clear(fixture, store);
        assert.deepEqual(await store.search(parseSearch("message")), []);
      }
      {
        await using store = await fixture.open({ log });
        assert.equal((await store.search(parseSearch("needle"))).length, 0);
      }
      assert.deepEqual(warnings, [
        "The search index is damaged and is made anew; messages are not affected",
      ]);
      assert.deepEqual((await checkHistory(fixture.path)).problems, []);
    });
  }
}

Deno.test("store makes a search index anew of which a record is gone", async () => {
  await using fixture = await StoreFixture.make();
  await filled(fixture, 300);
  const database = new DatabaseSync(fixture.path, { defensive: false } as object);
  database.exec("DELETE FROM search_config");
  database.close();
  const { log, warnings } = warningLog();
  await using store = await fixture.open({ log });
  assert.equal((await store.search(parseSearch("message"))).length, 20);
  assert.equal(warnings.length, 1);
  assert.deepEqual((await checkHistory(fixture.path)).problems, []);
});

Deno.test("store deletes for good what a search index had that was made anew", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    await store.inbox.receive(fixture.incoming("a confidential word"));
    await store.search(parseSearch("word"));
  }
  damage(fixture.path, "search_config", (pages) => pages);
  {
    await using store = await fixture.open();
    await store.search(parseSearch("word"));
    await clear(fixture, store);
  }
  const left = new TextDecoder("latin1").decode(await Deno.readFile(fixture.path));
  assert.equal(left.includes("confidential"), false);
});

Deno.test("store gives up a search index that is damaged again and again, not messages", async () => {
  await using fixture = await StoreFixture.make();
  await filled(fixture, 100);
  const { log, warnings } = warningLog();
  await using store = await fixture.open({ log });
  const find = () => store.search(parseSearch("message"));
  const spoil = () => {
    const database = new DatabaseSync(fixture.path, { defensive: false } as object);
    database.exec("UPDATE search_data SET block = x'00ff' WHERE id > 10");
    database.close();
  };
  for (let time = 1; time <= 3; time++) {
    spoil();
    assert.equal((await find()).length, 20, `the ${time}. time`);
  }
  spoil();
  for (let tries = 0; tries < 2; tries++) {
    await assert.rejects(find(), (error) => {
      assert.ok(error instanceof StoreError);
      assert.equal(error.kind, "damaged");
      assert.match(
        error.message,
        /^Cannot search the history in .*: its index was damaged 3 times .* history export`, then /,
      );
      return true;
    });
  }
  assert.equal(warnings.length, 1);
  const write = store.inbox.receive(fixture.incoming("another"));
  assert.equal((await write).kind, "new");
  await fixture.clock.advance(10_000);
  await store.inbox.receive(fixture.incoming("one more"));
  assert.equal(store.history({ count: 1 })[0].content, "one more");
});

for (const [name, nul] of [["text", ""], ["text with a NUL", "\0"]]) {
  Deno.test(`search ends although the middle of a long ${name} is damaged`, async () => {
    await using fixture = await StoreFixture.make();
    {
      await using store = await fixture.open();
      await store.inbox.receive(fixture.incoming("needle before"));
      await store.inbox.receive(fixture.incoming(`long ${nul} ${"x ".repeat(8_000)}`));
      await store.inbox.receive(fixture.incoming("needle behind"));
    }
    const database = new DatabaseSync(fixture.path);
    const pages = database.prepare(
      "SELECT pageno FROM dbstat WHERE name = 'message' AND pagetype = 'overflow' ORDER BY path",
    ).all();
    database.exec("INSERT INTO search (search) VALUES ('delete-all'); DELETE FROM meta");
    database.close();
    {
      using file = Deno.openSync(fixture.path, { write: true });
      file.seekSync((pages[1].pageno as number - 1) * PAGE, Deno.SeekMode.Start);
      file.writeSync(new Uint8Array([0x7f, 0xff, 0xff, 0xff]));
    }
    const { log, warnings } = warningLog();
    await using store = await fixture.open({ log });
    assert.equal((await store.search(parseSearch("needle"))).length, 2);
    assert.deepEqual(warnings, ["Messages 2 to 2 are damaged: a search finds none of them"]);
  });
}

Deno.test("check and export need a history", async () => {
  await using fixture = await StoreFixture.make();
  await assert.rejects(checkHistory(fixture.path), StoreError);
  await Deno.writeTextFile(fixture.path, "no database ".repeat(100));
  await assert.rejects(exported(fixture.path), { name: "StoreError", kind: "damaged" });
});

Deno.test("search leaves out damaged messages, and the index goes on behind them", async () => {
  await using fixture = await StoreFixture.make();
  await filled(fixture, 1_000);
  damage(fixture.path, "message", (pages) => [pages[3]]);
  const find = async (store: Store, text: string) =>
    (await store.search(parseSearch(text), { limit: 200 })).map(({ message }) => message.content);
  const { keys } = await exported(fixture.path);
  const lost = Array.from({ length: 1_000 }, (_, at) => at + 1).filter((key) =>
    !keys.includes(key)
  );
  assert.ok(lost.length > 0 && lost.length < 50);
  const whole = Array.from({ length: 200 }, (_, at) => 999 - at);
  {
    await using store = await fixture.open();
    assert.deepEqual((await find(store, "message")).map((text) => parseInt(text.slice(8))), whole);
    await assert.rejects(find(store, `"message ${lost[5] - 1}"`), {
      name: "StoreError",
      kind: "damaged",
      message: /^Cannot read what was found in the history in .*parlance history export/,
    });
    assert.equal((await find(store, `"message ${lost[0] - 2}"`)).length, 1);
    await store.inbox.receive(fixture.incoming("needle"));
    assert.equal((await find(store, "needle")).length, 1);
  }
  // An index that has to be made anew stops at nothing.
  const database = new DatabaseSync(fixture.path);
  database.exec(
    "INSERT INTO search (search) VALUES ('delete-all'); DELETE FROM meta WHERE name = 'indexed_to'",
  );
  database.close();
  await using store = await fixture.open();
  assert.deepEqual(await find(store, `"message ${lost[5] - 1}"`), []);
  for (const key of [lost[0] - 1, lost.at(-1)! + 1, 1_000]) {
    assert.equal((await find(store, `"message ${key - 1}"`)).length, 1, `${key}`);
  }
  assert.equal((await find(store, "needle")).length, 1);
});
