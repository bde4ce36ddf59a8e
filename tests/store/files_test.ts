import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { silentLog } from "../../lib/base/log.ts";
import { openDatabase } from "../../lib/store/open.ts";
import { APPLICATION_ID, MIGRATIONS } from "../../lib/store/schema.ts";
import { StoreError, type StoreProblem } from "../../lib/store/store_error.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import { contents, StoreFixture } from "./fixtures.ts";
import { makeVersion1 } from "./version_1.ts";

/** Opening is refused, and changes nothing. */
async function refused(fixture: StoreFixture, kind: StoreProblem, message: RegExp) {
  const files = async () => {
    const found: Record<string, string> = {};
    for await (const { name } of Deno.readDir(fixture.directory)) {
      // The shared memory of readers is no content.
      if (name.endsWith("-shm")) continue;
      const bytes = await Deno.readFile(`${fixture.directory}/${name}`);
      if (bytes.length > 0) found[name] = bytes.toBase64();
    }
    return found;
  };
  const hasModes = Deno.build.os !== "windows";
  if (hasModes) await Deno.chmod(fixture.path, 0o640);
  const before = await files();
  await assert.rejects(fixture.open(), (error) => {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, message);
    return true;
  });
  assert.deepEqual(await files(), before);
  if (hasModes) assert.equal((await Deno.stat(fixture.path)).mode! & 0o777, 0o640);
}

Deno.test("store does not touch a file from a newer program", async () => {
  await using fixture = await StoreFixture.make();
  await (await fixture.open())[Symbol.asyncDispose]();
  const database = new DatabaseSync(fixture.path);
  database.exec("PRAGMA user_version = 99");
  database.close();
  await refused(fixture, "newer", /has version 99, and this program knows 1; use the program that/);
});

Deno.test("store does not touch a newer file whose version is still in the WAL", async () => {
  await using fixture = await StoreFixture.make();
  await (await fixture.open())[Symbol.asyncDispose]();
  const database = new DatabaseSync(fixture.path);
  database.exec("PRAGMA user_version = 99");
  const copies = ["", "-wal"].map((suffix) => Deno.readFileSync(fixture.path + suffix));
  database.close();
  // As a crash leaves them.
  Deno.writeFileSync(fixture.path, copies[0]);
  Deno.writeFileSync(`${fixture.path}-wal`, copies[1]);
  assert.ok(copies[1].length > 0);
  await refused(fixture, "newer", /has version 99/);
});

Deno.test({
  name: "store does not wait for somebody at the other end of a pipe",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using fixture = await StoreFixture.make();
    await new Deno.Command("mkfifo", { args: [fixture.path] }).output();
    await assert.rejects(fixture.open(), /Cannot open the history in .*: it is no file; /);
  },
});

Deno.test("store does not touch another program's database", async () => {
  await using fixture = await StoreFixture.make();
  const database = new DatabaseSync(fixture.path);
  database.exec("CREATE TABLE something (value)");
  database.close();
  await refused(fixture, "foreign", /it belongs to another program; move that file away/);
});

Deno.test("store does not touch what is no database", async () => {
  await using fixture = await StoreFixture.make();
  await Deno.writeTextFile(fixture.path, "Dear diary, ".repeat(500));
  await refused(fixture, "damaged", /not a database; nothing was overwritten/);
});

Deno.test("store begins anew in a file that a crash left empty", async () => {
  await using fixture = await StoreFixture.make();
  await Deno.writeTextFile(fixture.path, "");
  await (await fixture.open())[Symbol.asyncDispose]();
  await Deno.remove(fixture.path);
  const database = new DatabaseSync(fixture.path);
  database.exec("PRAGMA journal_mode = WAL");
  database.close();
  await using store = await fixture.open();
  await fixture.turn(store);
});

Deno.test("store opens a file of version 1 with everything in it", async () => {
  await using fixture = await StoreFixture.make();
  makeVersion1(fixture.path);
  await using store = await fixture.open();
  assert.deepEqual(contents(store.history({ count: 10 })), ["Grüße from 1", "still pending"]);
  const [hit] = await store.search(parseSearch("grusse"));
  assert.equal(hit, undefined); // "ß" is a letter of its own
  assert.equal((await store.search(parseSearch("grüß*"))).length, 1);
  assert.equal(store.outbox.pendingCount(), 1);
});

Deno.test("store brings a file from version to version, each step whole", async () => {
  await using fixture = await StoreFixture.make();
  makeVersion1(fixture.path);
  const second = { title: "stars", sql: "ALTER TABLE message ADD COLUMN star INTEGER" };
  const broken = { title: "broken", sql: "CREATE TABLE half (a); INSERT INTO nowhere VALUES (1)" };
  const third = { title: "notes", sql: "CREATE TABLE note (text TEXT)" };
  const open = (...more: { title: string; sql: string }[]) =>
    openDatabase({ path: fixture.path, log: silentLog, migrations: [...MIGRATIONS, ...more] });
  await assert.rejects(open(second, broken), StoreError);
  {
    const database = new DatabaseSync(fixture.path, { readOnly: true });
    assert.equal(database.prepare("PRAGMA user_version").get()!.user_version, 2);
    assert.equal(
      database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'half'").get(),
      undefined,
    );
    database.close();
  }
  const database = await open(second, third);
  assert.equal(database.pragma("user_version"), 3);
  assert.equal(database.get<{ count: number }>("SELECT count(*) AS count FROM message")!.count, 2);
  // The header in the file itself, where older programs look.
  const header = new DataView((await Deno.readFile(fixture.path)).buffer);
  assert.equal(header.getUint32(60), 3);
  assert.equal(header.getUint32(68), APPLICATION_ID);
  database.close();
  await refused(fixture, "newer", /has version 3, and this program knows 1/);
});

Deno.test("store names a directory that is not there", async () => {
  await using fixture = await StoreFixture.make();
  const path = `${fixture.directory}/none/history.sqlite`;
  await assert.rejects(fixture.open({ path }), (error) => {
    assert.ok(error instanceof StoreError);
    assert.ok(error.message.startsWith(`Cannot open the history in ${path}: `), error.message);
    return true;
  });
});
