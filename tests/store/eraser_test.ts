import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { checkHistory } from "../../lib/store/check.ts";
import type { Store } from "../../lib/store/store.ts";
import { contact, StoreFixture } from "./fixtures.ts";

const people = ["ann", "ben", "cat"].map((name, at) => contact(name, at + 1));

/** Whole numbers from 0 to `limit - 1`, always the same. */
function seeded(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => (state = (state * 48_271) % 0x7fffffff) % limit;
}

/** A word that is nowhere else, and a text of any length that begins with it. */
function uniqueText(random: (limit: number) => number, who: number, at: number) {
  const mark = `xq${who}z${at}y${random(1e9)}`;
  const length = [0, 5, 30, 100, 300][random(5)];
  const words = Array.from({ length }, () => `w${random(5_000)}`);
  return { mark, content: [mark, ...words].join(" ") };
}

/** Writes what three people say by turns, as much at a time as chance will; their marks. */
async function chat(fixture: StoreFixture, store: Store, seed: number): Promise<string[][]> {
  const random = seeded(seed);
  const marks: string[][] = [[], [], []];
  for (let at = 0; at < 1_200; at++) {
    const who = random(3);
    const { mark, content } = uniqueText(random, who, at);
    marks[who].push(mark);
    void store.inbox.receive(fixture.incoming(content, { contact: people[who] }));
    if (random(40) === 0) await fixture.turn(store);
  }
  await fixture.turn(store);
  return marks;
}

/** The key of one of the people. */
function keyOf(store: Store, who: number): number {
  return store.contactsNamed(people[who].nickname)[0].key;
}

/** Which of the marks are anywhere in the file or its log. */
function remains(fixture: StoreFixture, marks: readonly string[]): string[] {
  const bytes = ["", "-wal"].map((suffix) => {
    try {
      return new TextDecoder("latin1").decode(Deno.readFileSync(fixture.path + suffix));
    } catch {
      return "";
    }
  }).join("");
  return marks.filter((mark) => bytes.includes(mark));
}

async function untilDone<T>(fixture: StoreFixture, promise: Promise<T>): Promise<T> {
  let done = false;
  const settled = promise.finally(() => done = true);
  settled.catch(() => {});
  while (!done) await fixture.clock.advance(100);
  return await settled;
}

for (const seed of [11, 12, 13]) {
  Deno.test(`what was cleared of two among three is nowhere in the file, seed ${seed}`, async () => {
    await using fixture = await StoreFixture.make();
    await using store = await fixture.open();
    const marks = await chat(fixture, store, seed);
    for (const who of [0, 1]) {
      await untilDone(fixture, store.clear(people[who]));
      assert.deepEqual(remains(fixture, marks[who]), []);
    }
    // Rows that are moved now must not bring anything back.
    const later = await chat(fixture, store, seed + 100);
    assert.deepEqual(remains(fixture, [...marks[0], ...marks[1]]), []);
    await untilDone(fixture, store.clear(people[1]));
    assert.deepEqual(remains(fixture, [...marks[0], ...marks[1], ...later[1]]), []);
    assert.equal(remains(fixture, marks[2]).length, marks[2].length);
    const kept = store.history({ count: 1_000, contacts: [keyOf(store, 2)] });
    const words = new Set(kept.map(({ content }) => content.split(" ")[0]));
    assert.deepEqual(words, new Set([...marks[2], ...later[2]]));
    assert.deepEqual((await checkHistory(fixture.path)).problems, []);
  });
}

Deno.test("without a history nothing stays of what was delivered", async () => {
  await using fixture = await StoreFixture.make();
  const store = await fixture.open({ keepHistory: false });
  const random = seeded(3);
  const marks: string[] = [];
  for (let at = 0; at < 900; at++) {
    const { mark, content } = uniqueText(random, 0, at);
    marks.push(mark);
    void store.outbox.enqueue(fixture.outgoing(content, { contact: people[random(3)] }));
    if (random(40) === 0) await fixture.turn(store);
  }
  await fixture.turn(store);
  const deliver = async (name: typeof people[0]) => {
    for (;;) {
      const page = store.outbox.pending(name, { limit: 50 });
      if (page.length === 0) break;
      await store.outbox.delivered(name, page.map(({ id }) => id!));
    }
  };
  const waiting = () => {
    const left = new Set<string>();
    for (const name of people) {
      for (let after = 0;;) {
        const page = store.outbox.pending(name, { after });
        if (page.length === 0) break;
        for (const { content } of page) left.add(content.split(" ")[0]);
        after = page.at(-1)!.key;
      }
    }
    return left;
  };
  const gone = () => {
    const left = waiting();
    return marks.filter((mark) => !left.has(mark));
  };
  const erased = async () => {
    for (let tries = 0; isMarked(fixture) && tries < 1_000; tries++) await fixture.turn(store);
  };
  await deliver(people[0]);
  await fixture.clock.advance(1_000);
  await erased();
  assert.deepEqual(remains(fixture, gone()), []);
  await deliver(people[1]);
  await fixture.clock.advance(60_000);
  await erased();
  assert.deepEqual(remains(fixture, gone()), []);
  // Others' messages are there until they were shown.
  const received: string[] = [];
  let last = 0;
  for (let at = 0; at < 300; at++) {
    const { mark, content } = uniqueText(random, 1, at);
    received.push(mark);
    const reception = await store.inbox.receive(
      fixture.incoming(content, { contact: people[random(3)] }),
    );
    if (reception.kind === "new") last = reception.key;
  }
  assert.equal(remains(fixture, received).length, 300);
  store.inbox.shownTo(last);
  await fixture.clock.advance(1_000);
  await fixture.turn(store);
  await fixture.clock.advance(60_000);
  await erased();
  assert.deepEqual(remains(fixture, received), []);
  // What is deleted right before the end is gone at the end.
  await store.outbox.failed(store.outbox.pending(people[2])[0].id!, "no");
  await deliver(people[2]);
  await store[Symbol.asyncDispose]();
  assert.deepEqual(remains(fixture, marks), []);
});

Deno.test("what a cancelled clear has deleted is overwritten all the same", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const marks = await chat(fixture, store, 41);
  using reader = new DatabaseSync(fixture.path, { readOnly: true });
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM message").get();
  const abort = new AbortController();
  const cleared = assert.rejects(store.clear(people[0], abort.signal), /enough/);
  // The rows are gone, and what follows waits for the reader.
  for (let tries = 0; tries < 200; tries++) await fixture.turn(store);
  abort.abort(new Error("enough"));
  await cleared;
  reader.exec("COMMIT");
  assert.ok(isMarked(fixture));
  for (let tries = 0; isMarked(fixture) && tries < 50; tries++) {
    await fixture.clock.advance(1_000);
    await fixture.turn(store);
  }
  assert.deepEqual(remains(fixture, marks[0]), []);
});

Deno.test("what a crash left of deleted messages is overwritten at the next start", async () => {
  await using fixture = await StoreFixture.make();
  await using copy = await StoreFixture.make();
  let marks: string[][];
  {
    await using store = await fixture.open();
    marks = await chat(fixture, store, 21);
    const cleared = store.clear(people[0]);
    // Its rows are gone, and nothing is overwritten yet.
    while (store.history({ count: 1, contacts: [keyOf(store, 0)] }).length > 0) {
      await fixture.turn(store);
    }
    for (const suffix of ["", "-wal"]) {
      Deno.copyFileSync(fixture.path + suffix, copy.path + suffix);
    }
    await untilDone(fixture, cleared);
  }
  assert.ok(remains(copy, marks[0]).length > 0);
  await using store = await copy.open();
  for (let tries = 0; isMarked(copy) && tries < 200; tries++) {
    await copy.clock.advance(1_000);
    await copy.turn(store);
  }
  assert.deepEqual(remains(copy, marks[0]), []);
});

Deno.test("what was cleared does not come back with pages that SQLite had in memory", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const random = seeded(31);
  const outgoing = Array.from({ length: 400 }, (_, at) => {
    const { content } = uniqueText(random, 1, at);
    return fixture.outgoing(content, { contact: people[1] });
  });
  const marks: string[] = [];
  for (const message of outgoing) {
    void store.outbox.enqueue(message);
    for (let count = random(4); count > 0; count--) {
      const { mark, content } = uniqueText(random, 0, marks.length);
      marks.push(mark);
      void store.inbox.receive(fixture.incoming(content, { contact: people[0] }));
    }
    if (random(20) === 0) await fixture.turn(store);
  }
  await untilDone(fixture, store.clear(people[0]));
  assert.deepEqual(remains(fixture, marks), []);
  // Each is on a page beside those that were cleared, which is written anew.
  await store.outbox.delivered(people[1], outgoing.map(({ id }) => id));
  assert.deepEqual(remains(fixture, marks), []);
});

Deno.test("a file whose layout another program has changed is left as it is, and that is said", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    // So many that pages become free, which such a file cannot give back.
    const messages = Array.from({ length: 2_000 }, (_, at) => fixture.incoming(`Xylophone ${at}`));
    await Promise.all(messages.map((message) => store.inbox.receive(message)));
  }
  const database = new DatabaseSync(fixture.path);
  database.exec("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM");
  database.close();
  await using store = await fixture.open();
  // One that tries for ever must not keep the test from ending.
  const controller = new AbortController();
  let turns = 0;
  const giveUp = setInterval(() => ++turns > 500 && controller.abort(new Error("no end")), 10);
  const clearing = untilDone(fixture, store.clear(undefined, controller.signal))
    .finally(() => clearInterval(giveUp));
  await assert.rejects(clearing, {
    name: "StoreError",
    message:
      /^Deleted 2000 messages, but the file may still have what they said: Cannot overwrite .*another program has changed its layout/,
  });
});

/** Whether something is still to be overwritten. */
function isMarked(fixture: StoreFixture): boolean {
  const database = new DatabaseSync(fixture.path, { readOnly: true });
  const row = database.prepare("SELECT 1 FROM meta WHERE name = 'remnants'").get();
  database.close();
  return row !== undefined;
}
