import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { Store } from "../../lib/store/store.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import { storeProblem } from "../../lib/store/store_error.ts";
import { settle } from "../support/fake_clock.ts";
import { ManualDisk } from "../support/manual_disk.ts";
import { contents, StoreFixture } from "./fixtures.ts";
import { makeVersion1 } from "./version_1.ts";

/** Every wait for the disk by the runtime from now on, until it is disposed of. */
class SyncSpy implements Disposable {
  readonly #original = Deno.FsFile.prototype.syncData;
  count = 0;
  /** What the next ones fail with. */
  error: Error | undefined;
  /** Resolves before they begin. */
  gate: Promise<void> | undefined;

  constructor() {
    const note = () => this.count++;
    const state = () => this;
    const original = this.#original;
    Deno.FsFile.prototype.syncData = async function (this: Deno.FsFile) {
      note();
      await state().gate;
      const { error } = state();
      if (error !== undefined) throw error;
      await original.call(this);
    };
  }

  [Symbol.dispose](): void {
    Deno.FsFile.prototype.syncData = this.#original;
  }
}

/** Queues messages and tells how far they have come, in order. */
class Writer {
  readonly story: string[] = [];

  constructor(private readonly fixture: StoreFixture, private readonly store: Store) {}

  write(content: string): Promise<void> {
    return this.store.outbox.enqueue(
      this.fixture.outgoing(content),
      () => this.story.push(`${content} committed`),
    ).then(
      () => void this.story.push(`${content} kept`),
      (error) => void this.story.push(`${content} failed: ${error.message}`),
    );
  }
}

/** A store whose disk is in the test's hand, with a message that is committed and not on it yet. */
class Waiting implements AsyncDisposable {
  private constructor(
    readonly fixture: StoreFixture,
    readonly disk: ManualDisk,
    readonly store: Store,
    readonly writer: Writer,
  ) {}

  static async start(content: string): Promise<Waiting> {
    const fixture = await StoreFixture.make();
    const disk = new ManualDisk();
    const store = await fixture.open({ disk });
    const writer = new Writer(fixture, store);
    void writer.write(content);
    await settle();
    assert.deepEqual(writer.story, [`${content} committed`]);
    return new Waiting(fixture, disk, store, writer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disk.release();
    await this.store[Symbol.asyncDispose]();
    await this.fixture[Symbol.asyncDispose]();
  }
}

Deno.test("store confirms what was committed when the disk has it, and all that came meanwhile at once", async () => {
  await using waiting = await Waiting.start("one");
  const { disk, store, writer } = waiting;
  assert.deepEqual(contents(store.history({ count: 9 })), ["one"], "reading sees it");
  void writer.write("two");
  await settle();
  void writer.write("three");
  await settle();
  assert.equal(disk.syncs.length, 1);
  disk.finish();
  await settle();
  assert.deepEqual(writer.story.slice(1), ["two committed", "three committed", "one kept"]);
  assert.equal(disk.syncs.length, 2);
  disk.finish();
  await settle();
  assert.deepEqual(writer.story.slice(4), ["two kept", "three kept"]);
});

Deno.test("store confirms what the disk did not take when it has taken it after all, and says so meanwhile", async () => {
  await using waiting = await Waiting.start("one");
  const { fixture, disk, store, writer } = waiting;
  const changes: unknown[] = [];
  store.watchDisk((failure) => changes.push(failure?.message));
  const failure = storeProblem("other", "write to the history", fixture.path, "broken");
  disk.finish(failure);
  await settle();
  assert.deepEqual(store.state, { kind: "failed", error: failure });
  void writer.write("two");
  await settle();
  assert.deepEqual(writer.story, ["one committed", "two committed"]);
  for (let attempt = 2; attempt < 5; attempt++) {
    await fixture.clock.advance(5_000);
    assert.equal(disk.syncs.length, attempt);
    if (attempt < 4) disk.finish(failure);
    await settle();
  }
  assert.equal(writer.story.length, 2);
  assert.deepEqual(changes, [failure.message]);
  disk.finish();
  await settle();
  assert.deepEqual(writer.story.slice(2), ["one kept", "two kept"]);
  assert.deepEqual(store.state, { kind: "ok" });
  assert.deepEqual(changes, [failure.message, undefined]);
});

Deno.test("a search does not wait for the disk", async () => {
  await using waiting = await Waiting.start("needle");
  const { store, writer } = waiting;
  assert.equal((await store.search(parseSearch("needle"))).length, 1);
  assert.deepEqual(writer.story, ["needle committed"]);
});

Deno.test("store that is closed waits for the disk at work, and brings it the rest", async () => {
  await using waiting = await Waiting.start("one");
  const { disk, store, writer } = waiting;
  void writer.write("two");
  let isClosed = false;
  const closing = store[Symbol.asyncDispose]().then(() => isClosed = true);
  await settle();
  assert.deepEqual(writer.story, ["one committed", "two committed"]);
  disk.finish();
  await settle();
  assert.deepEqual(writer.story.slice(2), ["one kept"]);
  assert.equal(isClosed, false);
  disk.finish();
  await closing;
  assert.deepEqual(writer.story.slice(3), ["two kept"]);
});

Deno.test("store that is closed says what the disk did not take, trying once more", async () => {
  await using waiting = await Waiting.start("one");
  const { fixture, disk, store, writer } = waiting;
  const failure = storeProblem("other", "write to the history", fixture.path, "broken");
  disk.finish(failure);
  await settle();
  const closing = store[Symbol.asyncDispose]();
  await settle();
  assert.equal(disk.syncs.length, 2);
  disk.finish(failure);
  await closing;
  assert.deepEqual(writer.story, ["one committed", `one failed: ${failure.message}`]);
});

Deno.test("store waits for the disk of the machine, however it was opened", async () => {
  await using fixture = await StoreFixture.make();
  const openings = {
    "a new file": () => {},
    "one that is there": () => {},
    "one of an earlier version": () => {
      Deno.removeSync(fixture.path);
      makeVersion1(fixture.path);
    },
  };
  for (const [name, prepare] of Object.entries(openings)) {
    prepare();
    await using store = await fixture.open({ disk: undefined });
    using spy = new SyncSpy();
    const gate = Promise.withResolvers<void>();
    spy.gate = gate.promise;
    const writer = new Writer(fixture, store);
    const writing = writer.write("hi");
    await settle(20);
    assert.equal(spy.count, 1, name);
    assert.deepEqual(writer.story, ["hi committed"], name);
    gate.resolve();
    await writing;
    assert.deepEqual(writer.story, ["hi committed", "hi kept"], name);
  }
});

Deno.test("what the disk could not take is written again before anything is confirmed", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open({ disk: undefined });
  using spy = new SyncSpy();
  const writer = new Writer(fixture, store);
  spy.error = new Error("Input/output error (os error 5)");

  // The system may believe that it has written it: to wait once more proves nothing.
  const reader = new DatabaseSync(fixture.path, { readOnly: true });
  reader.exec("BEGIN; SELECT * FROM message");
  const changed = Promise.withResolvers<string | undefined>();
  store.watchDisk((failure) => changed.resolve(failure?.message));
  const first = writer.write("one");
  assert.match(
    (await changed.promise)!,
    /^Cannot write to the history in .*os error 5.*another pro/,
  );
  spy.error = undefined;
  await fixture.clock.advance(5_000);
  await settle(20);
  assert.deepEqual(writer.story, ["one committed"]);
  reader.close();
  await fixture.clock.advance(5_000);
  await first;
  assert.deepEqual(store.state, { kind: "ok" });
  assert.equal(spy.count, 1);
  assert.equal(Deno.statSync(`${fixture.path}-wal`).size, 0);

  await writer.write("two");
  assert.equal(spy.count, 2);
  spy.error = new Error("Input/output error (os error 5)");
  await writer.write("three");
  assert.equal(writer.story.at(-1), "three kept", "at another place, at once");
  assert.equal(spy.count, 3);
});
