import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { checkHistory } from "../../lib/store/check.ts";
import { exportHistory } from "../../lib/store/export.ts";
import type { StoredMessage } from "../../lib/store/message.ts";
import { Pages } from "../../lib/store/pages.ts";
import { bob, carol, StoreFixture } from "./fixtures.ts";

const PAGE = 4096;
const COUNT = 400;

/** A file with messages of all sizes from two contacts, as it is, and where its pages are. */
async function filled(fixture: StoreFixture) {
  {
    await using store = await fixture.open();
    await Promise.all(Array.from({ length: COUNT }, (_, at) => {
      const text = `message ${at} ${
        at % 50 === 7 ? "\0 grüß dich ".repeat(1_000) : "so ".repeat(60)
      }`;
      const named = { contact: at % 3 === 0 ? carol : bob };
      return at % 5 === 0
        ? store.outbox.enqueue(fixture.outgoing(text, named))
        : store.inbox.receive(fixture.incoming(text, named));
    }));
  }
  const database = new DatabaseSync(fixture.path, { readOnly: true });
  const pages = (kind: string) =>
    database.prepare(
      "SELECT pageno FROM dbstat WHERE name = 'message' AND pagetype = ? ORDER BY path",
    ).all(kind).map(({ pageno }) => pageno as number);
  const found = { leaves: pages("leaf"), roots: pages("internal"), overflow: pages("overflow") };
  database.close();
  return { ...found, original: await exported(fixture.path) };
}

async function exported(path: string) {
  const messages: StoredMessage[] = [];
  const gaps: [number, number | undefined][] = [];
  let broken: Error | undefined;
  for await (const item of exportHistory(path)) {
    if (item.kind === "message") messages.push(item.message);
    else if (item.kind === "broken") broken = item.error;
    else gaps.push([item.from, item.to]);
  }
  return { messages, gaps, broken };
}

/** Overwrites a part of the file with what nobody would have written there. */
function spoil(path: string, at: number, length: number): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(length).map((_, index) => (index * 167 + 91) & 0xff));
}

const DAMAGES: Record<string, (path: string, pages: Awaited<ReturnType<typeof filled>>) => void> = {
  "header": (path) => spoil(path, 0, 100),
  "schema": (path) => spoil(path, 100, PAGE - 100),
  "header and schema": (path) => spoil(path, 0, PAGE),
  "root of the messages": (path, { roots }) => spoil(path, (roots[0] - 1) * PAGE, PAGE),
  "list of contacts": (path) => [4, 5, 6, 7].forEach((page) => spoil(path, (page - 1) * PAGE, 8)),
};

for (const [name, damage] of Object.entries(DAMAGES)) {
  Deno.test(`export finds every message although this is damaged: ${name}`, async () => {
    await using fixture = await StoreFixture.make();
    const { original, ...pages } = await filled(fixture);
    assert.equal(original.messages.length, COUNT);
    damage(fixture.path, { original, ...pages });
    const before = await Deno.readFile(fixture.path);
    const { messages, gaps } = await exported(fixture.path);
    if (name === "list of contacts") {
      const named = (contact: StoredMessage["contact"]) => ({
        key: contact.key,
        nickname: `?${contact.key}`,
      });
      assert.deepEqual(
        messages,
        original.messages.map((m) => ({ ...m, contact: named(m.contact) })),
      );
    } else assert.deepEqual(messages, original.messages);
    assert.ok(gaps.every(([from]) => from === COUNT + 1), String(gaps));
    assert.ok((await checkHistory(fixture.path)).problems.length > 0);
    assert.deepEqual(await Deno.readFile(fixture.path), before);
  });
}

Deno.test("pages of a damaged file are those that SQLite would see, WAL included", async () => {
  await using fixture = await StoreFixture.make();
  await using copy = await StoreFixture.make();
  await filled(fixture);
  {
    await using store = await fixture.open();
    for (let at = 0; at < 50; at++) await store.inbox.receive(fixture.incoming(`late ${at}`));
    Deno.copyFileSync(fixture.path, copy.path);
    const wal = Deno.readFileSync(`${fixture.path}-wal`);
    // What stands behind it was written before it, as when a log was begun anew.
    const frames = (wal.length - 32) / (PAGE + 24);
    const old = wal.subarray(32, 32 + Math.floor(frames / 2) * (PAGE + 24));
    Deno.writeFileSync(`${copy.path}-wal`, new Uint8Array([...wal, ...old]));
  }
  const seen: Uint8Array[] = [];
  {
    using pages = new Pages(copy.path);
    for (let page = 1; page <= pages.count; page++) seen.push(pages.read(page)!);
    assert.equal(pages.read(pages.count + 1).length, 0);
  }
  const before = Deno.readFileSync(copy.path);
  new DatabaseSync(copy.path).exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const after = Deno.readFileSync(copy.path);
  assert.notDeepEqual(before, after);
  assert.equal(seen.length, after.length / PAGE);
  for (const [at, page] of seen.entries()) {
    assert.deepEqual(page, after.subarray(at * PAGE, (at + 1) * PAGE), `page ${at + 1}`);
  }
});

for (const missing of [1, 20, 60]) {
  Deno.test(`check and export work although ${missing} pages of the end are missing`, async () => {
    await using fixture = await StoreFixture.make();
    const { original, leaves, overflow } = await filled(fixture);
    const { size } = await Deno.stat(fixture.path);
    const left = size / PAGE - missing;
    await Deno.truncate(fixture.path, left * PAGE);
    const before = await Deno.readFile(fixture.path);
    const lost = [...leaves, ...overflow].filter((page) => page > left).length;
    const { messages, gaps, broken } = await exported(fixture.path);
    assert.equal(broken, undefined);
    const keys = new Set(messages.map(({ key }) => key));
    assert.equal(keys.size, messages.length);
    assert.ok(keys.size < COUNT === lost > 0);
    // A page has some 15 messages.
    assert.ok(keys.size >= COUNT - 16 * lost, `${keys.size} with ${lost} pages lost`);
    assert.deepEqual(messages, original.messages.filter(({ key }) => keys.has(key)));
    for (const { key } of original.messages.filter(({ key }) => !keys.has(key))) {
      assert.ok(
        gaps.some(([from, to = Infinity]) => from <= key && key <= to),
        `${key} is not told`,
      );
    }
    const report = await checkHistory(fixture.path);
    assert.ok(report.problems.length > 0);
    assert.deepEqual(await Deno.readFile(fixture.path), before);
  });
}

Deno.test("export tells what is missing where the file ends in the middle of a page", async () => {
  await using fixture = await StoreFixture.make();
  const { original, leaves } = await filled(fixture);
  await Deno.truncate(fixture.path, (leaves[10] - 1) * PAGE + PAGE / 2);
  const { messages, gaps } = await exported(fixture.path);
  const keys = messages.map(({ key }) => key);
  assert.ok(keys.length > 30 && keys.length < COUNT / 2, `${keys.length}`);
  for (const { key } of original.messages) {
    const isTold = gaps.some(([from, to = Infinity]) => from <= key && key <= to);
    assert.equal(isTold, !keys.includes(key), `${key}`);
  }
  const { problems } = await checkHistory(fixture.path);
  assert.ok(problems.includes("file: database disk image is malformed"), String(problems));
});

Deno.test("check finds that a part of the last page is missing", async () => {
  await using fixture = await StoreFixture.make();
  await filled(fixture);
  await Deno.truncate(fixture.path, (await Deno.stat(fixture.path)).size - 1_000);
  const { problems } = await checkHistory(fixture.path);
  assert.equal(problems[0], "file: a part of its last page is missing");
});

Deno.test("check and export of a file without any message do not send to each other", async () => {
  await using fixture = await StoreFixture.make();
  await filled(fixture);
  spoil(fixture.path, 0, (await Deno.stat(fixture.path)).size);
  for (const read of [exported, checkHistory]) {
    await assert.rejects(read(fixture.path), (error: Error) => {
      assert.equal(error.name, "StoreError");
      assert.match(
        error.message,
        /; no message is left in it: restore it from a backup, or move it away, /,
      );
      assert.doesNotMatch(error.message, /export/);
      return true;
    });
  }
});

Deno.test("export finds a message or tells that it may be missing, whatever is damaged", async () => {
  await using fixture = await StoreFixture.make();
  await using copy = await StoreFixture.make();
  const { original } = await filled(fixture);
  const whole = await Deno.readFile(fixture.path);
  const known = new Map(original.messages.map((message) => [message.key, message.id]));
  let state = 5;
  const random = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return Math.floor(state / 0x80000000 * below);
  };
  for (let round = 0; round < 60; round++) {
    const bytes = whole.slice();
    for (let count = random(5); count >= 0; count--) {
      const at = random(random(3) === 0 ? 2 * PAGE : bytes.length);
      const end = at + random(random(3) === 0 ? 2 * PAGE : 300);
      for (let index = at; index <= end; index++) bytes[index] = random(2) * random(256);
    }
    await Deno.writeFile(copy.path, bytes);
    const { messages, gaps } = await exported(copy.path);
    const keys = messages.map(({ key }) => key);
    assert.deepEqual(keys, [...new Set(keys)].sort((a, b) => a - b), `order in round ${round}`);
    const found = new Set(keys);
    for (const key of known.keys()) {
      const isTold = gaps.some(([from, to = Infinity]) => from <= key && key <= to);
      assert.ok(found.has(key) || isTold, `${key} in round ${round}`);
    }
    // A few bytes of an id may be damaged, too.
    const alien = messages.filter(({ key, id }) => known.get(key) !== id).length;
    assert.ok(alien <= 5, `${alien} messages that were never there in round ${round}`);
    for (const suffix of ["-wal", "-shm"]) await Deno.remove(copy.path + suffix).catch(() => {});
  }
});

Deno.test("export of a damaged file leaves out what was deleted for good", async () => {
  await using fixture = await StoreFixture.make();
  await filled(fixture);
  {
    await using store = await fixture.open();
    let isDone = false;
    const clearing = store.clear(carol).finally(() => isDone = true);
    while (!isDone) await fixture.clock.advance(100);
    await clearing;
  }
  spoil(fixture.path, 0, PAGE);
  const { messages } = await exported(fixture.path);
  assert.ok(messages.length > 0);
  assert.ok(messages.every(({ contact }) => contact.nickname === "bob"));
});
