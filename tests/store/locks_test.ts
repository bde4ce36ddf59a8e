import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Database } from "../../lib/store/database.ts";
import type { Store } from "../../lib/store/store.ts";
import { bob, StoreFixture } from "./fixtures.ts";

/** What another program finds that wants the file for itself, and closes it again. */
async function seenByOther(path: string): Promise<{ error?: string; contents: string[] }> {
  const main = new URL("locks_main.ts", import.meta.url).href;
  const args = ["run", "-A", "--no-check", "--quiet", main, path];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  assert.equal(new TextDecoder().decode(stderr), "");
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The locks of this process on a file, as the system counts them; none where it does not tell. */
function locksOn(path: string): string[] {
  if (Deno.build.os !== "linux") return [];
  const { ino } = Deno.statSync(path);
  return Deno.readTextFileSync("/proc/locks").split("\n")
    .filter((line) => line.includes(` ${Deno.pid} `) && line.includes(`:${ino} `))
    .map((line) => line.replace(/^\d+: /, "")).sort();
}

function isMarked(path: string): boolean {
  const database = new DatabaseSync(path, { readOnly: true });
  const row = database.prepare("SELECT 1 FROM meta WHERE name = 'remnants'").get();
  database.close();
  return row !== undefined;
}

/** Requires that another program, which comes and goes, changes nothing for the one at work. */
async function requireUndisturbed(fixture: StoreFixture, store: Store, locks: string[]) {
  assert.deepEqual(locksOn(fixture.path), locks);
  const error = "database is locked";
  await store.outbox.enqueue(fixture.outgoing("before"));
  assert.deepEqual(await seenByOther(fixture.path), { error, contents: ["before"] });
  assert.ok(Deno.statSync(`${fixture.path}-wal`).isFile);
  await store.outbox.enqueue(fixture.outgoing("after"));
  assert.deepEqual(await seenByOther(fixture.path), { error, contents: ["before", "after"] });
}

Deno.test("after a clear other programs still see that somebody uses the history", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open({ disk: undefined });
  await store.inbox.receive(fixture.incoming("first"));
  const locks = locksOn(fixture.path);
  if (Deno.build.os === "linux") assert.notDeepEqual(locks, []);
  await store.clear();
  assert.ok(!isMarked(fixture.path));
  await requireUndisturbed(fixture, store, locks);
});

Deno.test("what is overwritten in the background leaves the locks on the history alone", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open({ disk: undefined, keepHistory: false });
  const message = fixture.outgoing("first");
  await store.outbox.enqueue(message);
  const locks = locksOn(fixture.path);
  await store.outbox.delivered(bob, [message.id]);
  assert.ok(isMarked(fixture.path));
  for (let tries = 0; isMarked(fixture.path) && tries < 100; tries++) {
    await fixture.clock.advance(1_000);
    await fixture.turn(store);
  }
  assert.ok(!isMarked(fixture.path));
  await requireUndisturbed(fixture, store, locks);
});

Deno.test("a history that could not be opened is let go of", async () => {
  await using fixture = await StoreFixture.make();
  await (await fixture.open())[Symbol.asyncDispose]();
  const define = Database.prototype.define;
  Database.prototype.define = () => {
    throw new Error("no memory for a function");
  };
  try {
    await assert.rejects(fixture.open(), /no memory for a function/);
  } finally {
    Database.prototype.define = define;
  }
  if (Deno.build.os !== "linux") return;
  const open = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`);
    } catch {
      return ""; // the one that the directory is read with
    }
  });
  assert.deepEqual(open.filter((path) => path.startsWith(fixture.directory)), []);
});
