import assert from "node:assert/strict";
import type { Store } from "../../lib/store/store.ts";
import { carol, contents, StoreFixture } from "./fixtures.ts";

/** Whether a text stands in any file of a store. */
async function isWritten(fixture: StoreFixture, text: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(fixture.directory)) {
    const bytes = await Deno.readFile(`${fixture.directory}/${name}`);
    if (new TextDecoder("latin1").decode(bytes).includes(text)) return true;
  }
  return false;
}

async function receive(store: Store, fixture: StoreFixture, ...texts: string[]) {
  const messages = texts.map((text) => fixture.incoming(text));
  return (await store.inbox.receiveAll(messages)).map((reception) =>
    reception.kind === "new" ? reception.key : 0
  );
}

for (const keepHistory of [true, false]) {
  const how = keepHistory ? "with" : "without";
  Deno.test(`store ${how} a history knows after a crash what was not shown`, async () => {
    await using fixture = await StoreFixture.make();
    await using crashed = await fixture.open({ keepHistory });
    assert.deepEqual(crashed.inbox.unshown(), []);
    const [, second] = await receive(crashed, fixture, "one", "two", "three");
    crashed.inbox.shownTo(second);
    await crashed.outbox.enqueue(fixture.outgoing("mine"));
    await receive(crashed, fixture, "four");
    await using copy = await StoreFixture.make();
    for (const suffix of ["", "-wal"]) {
      await Deno.copyFile(fixture.path + suffix, copy.path + suffix);
    }
    await using store = await copy.open({ keepHistory });
    const left = store.inbox.unshown();
    assert.deepEqual(contents(left), ["three", "four"]);
    assert.deepEqual(contents(store.inbox.unshown(left[0].key)), ["four"]);
    assert.deepEqual(contents(store.history({ count: 9 })).length, keepHistory ? 5 : 0);
  });
}

Deno.test("store remembers at its end what was shown", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    const [first] = await receive(store, fixture, "one", "two");
    store.inbox.shownTo(first);
  }
  await using store = await fixture.open();
  assert.deepEqual(contents(store.inbox.unshown()), ["two"]);
});

Deno.test("store takes what it has from before as shown", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    await receive(store, fixture, "one");
  }
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(fixture.path);
  database.exec("DELETE FROM meta WHERE name = 'shown_to'");
  database.close();
  await using store = await fixture.open();
  assert.deepEqual(store.inbox.unshown(), []);
});

Deno.test("store without a history keeps no text that was shown", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open({ keepHistory: false });
  const [key] = await receive(store, fixture, "Xylophonequartet");
  assert.ok(await isWritten(fixture, "Xylophone"));
  store.inbox.shownTo(key);
  await fixture.clock.advance(1000);
  await fixture.turn(store);
  await fixture.clock.advance(1000);
  assert.equal(await isWritten(fixture, "Xylophone"), false);
});

Deno.test("store drops what was only there to be shown when a history is kept from now on", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open({ keepHistory: false });
    await receive(store, fixture, "Xylophonequartet");
  }
  await using store = await fixture.open();
  const [{ key }] = store.inbox.unshown();
  store.inbox.shownTo(key);
  await receive(store, fixture, "kept");
  await fixture.clock.advance(1000);
  assert.equal(await isWritten(fixture, "Xylophone"), false);
  assert.deepEqual(contents(store.history({ count: 9 })), ["kept"]);
});

Deno.test("store drops thousands of shown messages in steps", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open({ keepHistory: false });
  const texts = Array.from({ length: 2500 }, (_, at) => `Xylophone ${at}`);
  store.inbox.shownTo((await receive(store, fixture, ...texts)).at(-1)!);
  for (let step = 0; step < 4; step++) {
    await fixture.clock.advance(1000);
    await fixture.turn(store);
  }
  await fixture.clock.advance(1000);
  assert.equal(await isWritten(fixture, "Xylophone"), false);
});

Deno.test("store keeps all that one call has received, or nothing of it", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const texts = Array.from({ length: 1000 }, (_, at) => `${at}`);
  // With these before it, a part of the messages would have its place in the same transaction.
  const others = Array.from(
    { length: 1500 },
    () => store.outbox.enqueue(fixture.outgoing("other", { contact: carol })),
  );
  const mine = receive(store, fixture, ...texts);
  let done = 0;
  for (const other of others) void other.then(() => done++);
  await others.at(-1);
  assert.equal(done, 1500);
  assert.deepEqual(contents(store.history({ count: 1, contacts: [2] })), []);
  await mine;
  assert.deepEqual(contents(store.history({ count: 1000, contacts: [2] })), texts);
});
