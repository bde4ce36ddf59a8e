import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describeMessage } from "../../lib/ui/json_history.ts";
import { Output } from "../../lib/ui/output.ts";
import { StoreFixture } from "../store/fixtures.ts";
import { settle } from "../support/fake_clock.ts";
import { until } from "../ui/driven.ts";
import { run } from "./commands_fixtures.ts";

const CHECK = { name: "history-check" } as const;
const TEXT = { name: "history-export", format: "text" } as const;
const JSONL = { name: "history-export", format: "jsonl" } as const;

/** A history of so many messages. */
async function filled(count: number, content = "and so on ".repeat(20)): Promise<StoreFixture> {
  const fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const messages = Array.from({ length: count }, (_, at) => fixture.incoming(`${at} ${content}`));
  await Promise.all(messages.map((message) => store.inbox.receive(message)));
  return fixture;
}

/** Overwrites a page in the middle of the messages. */
function damage(path: string): void {
  const database = new DatabaseSync(path, { readOnly: true });
  const pages = database.prepare(
    "SELECT pageno FROM dbstat WHERE name = 'message' AND pagetype = 'leaf' ORDER BY path",
  ).all().map(({ pageno }) => pageno as number);
  database.close();
  using file = Deno.openSync(path, { write: true });
  file.seekSync((pages[Math.floor(pages.length / 2)] - 1) * 4096, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(200).fill(0xa5));
}

Deno.test("check counts what is in a history, also while it is in use, with status 0", async () => {
  await using fixture = await filled(3);
  await using store = await fixture.open();
  await store.outbox.enqueue(fixture.outgoing("pending"));
  const { running, paper } = run(CHECK, fixture.clock, { directory: fixture.directory });
  assert.equal(await running, 0);
  const [first, ...rest] = paper.lines;
  assert.match(first, /history\.sqlite: 0\.\d MB, version 1$/);
  assert.deepEqual(rest, [
    "  messages          4",
    "  in the outbox     1",
    "  conversations     1",
    "  ids remembered    3",
    "Nothing is wrong with it",
  ]);
});

Deno.test("check says what is wrong, with status 1", async () => {
  await using fixture = await filled(500);
  damage(fixture.path);
  const { running, paper } = run(CHECK, fixture.clock, { directory: fixture.directory });
  assert.equal(await running, 1);
  assert.match(paper.text, /\nIt is damaged:\n {2}.*\n/);
  assert.match(paper.text, /\nSave what is readable with `parlance history export`, .*\n$/);
});

Deno.test("export prints every message as an object, or as text that steers no terminal", async () => {
  await using fixture = await filled(250, "x");
  await using store = await fixture.open();
  const evil = `\x1b[2J${"\nline".repeat(300)}`;
  const reason = "too\x07late";
  const failed = fixture.outgoing(evil);
  await store.outbox.enqueue(failed);
  await store.outbox.failed(failed.id, reason);
  const json = run(JSONL, fixture.clock, { directory: fixture.directory });
  assert.equal(await json.running, 0);
  assert.deepEqual(json.warnings, []);
  const expected = store.history({ count: 1000 }).map(describeMessage);
  assert.equal(expected.length, 251);
  assert.deepEqual(
    json.paper.lines.map((line) => JSON.parse(line)),
    JSON.parse(JSON.stringify(expected)),
  );
  const text = run(TEXT, fixture.clock, { directory: fixture.directory });
  assert.equal(await text.running, 0);
  const { lines } = text.paper;
  assert.equal(lines.length, 250 + 301, "all lines of a message are there");
  assert.match(lines[0], /^\[\d{4}-\d\d-\d\d \d\d:\d\d\] bob: 0 x$/);
  assert.match(lines[250], /you → bob ✗ \(too\\u\{7\}late\): \\u\{1b\}\[2J$/);
  assert.deepEqual(lines.slice(251), Array(300).fill("    line"));
});

Deno.test("export prints what is readable of a damaged history, with status 1", async () => {
  await using fixture = await filled(500);
  damage(fixture.path);
  const { running, paper, warnings } = run(JSONL, fixture.clock, { directory: fixture.directory });
  assert.equal(await running, 1);
  assert.equal(warnings.length, 1);
  const [, from, to] = /^Cannot read messages (\d+) to (\d+): the file is damaged/.exec(
    warnings[0],
  )!;
  assert.equal(paper.lines.length, 500 - (Number(to) - Number(from) + 1));
  assert.ok(paper.lines.length > 450);
});

Deno.test("check and export save what a file has that cannot be opened, and say so", async () => {
  await using fixture = await filled(50);
  {
    using file = Deno.openSync(fixture.path, { write: true });
    file.writeSync(new Uint8Array(4096).fill(0xa5));
  }
  const { directory, path } = fixture;
  const check = run(CHECK, fixture.clock, { directory });
  assert.equal(await check.running, 1);
  assert.deepEqual(check.paper.lines, [
    `${path}: 0.1 MB, version unknown`,
    "  messages          50",
    "  in the outbox     cannot be counted",
    "  conversations     cannot be counted",
    "  ids remembered    cannot be counted",
    "It is damaged:",
    "  file: file is not a database",
    "Save what is readable with `parlance history export`, then move the file away or restore it " +
    "from a backup",
  ]);
  const { running, paper, warnings } = run(JSONL, fixture.clock, { directory });
  assert.equal(await running, 1);
  assert.equal(paper.lines.length, 50);
  assert.deepEqual(warnings, [
    `Cannot read all of the history in ${path}: file is not a database; every message that is found in ` +
    "its pages is exported",
    "Cannot tell whether messages from 51 on are missing: the file is damaged",
  ]);
});

Deno.test("export waits for its reader, and holds little meanwhile", async () => {
  await using fixture = await filled(200, "x".repeat(60_000));
  const go = Promise.withResolvers<void>();
  const writes: number[] = [];
  const output = new Output(async (bytes) => {
    writes.push(bytes.length);
    await go.promise;
    return bytes.length;
  });
  const { running } = run(TEXT, fixture.clock, { directory: fixture.directory, output });
  await until(() => output.ready() !== undefined, "a full output");
  await settle(50); // time to read on, if it did
  go.resolve();
  assert.equal(await running, 0);
  assert.ok(writes.reduce((sum, bytes) => sum + bytes) > 12e6);
  assert.ok(Math.max(...writes) < 1.5e6, `${Math.max(...writes)} bytes at once`);
});

Deno.test("export ends quietly when nobody reads it any more, and when it is interrupted", async () => {
  await using fixture = await filled(200, "x".repeat(60_000));
  damage(fixture.path); // further on, where nobody reads
  const unread = stalled(fixture);
  await until(() => unread.output.ready() !== undefined, "a full output");
  unread.paper.tear();
  assert.equal(await unread.running, 0);
  assert.deepEqual(unread.warnings, []);
  const interrupted = stalled(fixture);
  await until(() => interrupted.output.ready() !== undefined, "a full output");
  interrupted.stop.abort();
  await until(() => fixture.clock.waiting > 0, "the last second");
  await fixture.clock.advance(1000);
  assert.equal(await interrupted.running, 130);
});

/** An export whose reader takes nothing yet. */
function stalled(fixture: StoreFixture) {
  const started = run(JSONL, fixture.clock, { directory: fixture.directory });
  started.paper.stall();
  return { ...started, output: started.paper.output };
}
