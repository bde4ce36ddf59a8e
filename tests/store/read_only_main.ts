/**
 * Runs in a mount namespace of its own, in a directory on a small disk: leaves a history there as a
 * crash does, with a WAL and without shared memory, or as a client that has ended does; fills the
 * disk or makes it read-only, and reports what can be read of the history and what that changed.
 */
import { silentLog } from "../../lib/base/log.ts";
import { ReadOnlyHistory } from "../../lib/control/read_only_history.ts";
import { checkHistory } from "../../lib/store/check.ts";
import { exportHistory } from "../../lib/store/export.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import { Store } from "../../lib/store/store.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { contents, StoreFixture } from "./fixtures.ts";

const directory = Deno.args[0];
const report: Record<string, unknown> = {};
await using fixture = await StoreFixture.make();

for (const end of ["crash", "quit"]) {
  Deno.mkdirSync(`${directory}/${end}`);
  const copy = () => {
    for (const suffix of end === "crash" ? ["", "-wal"] : [""]) {
      Deno.copyFileSync(fixture.path + suffix, `${directory}/${end}/history.sqlite${suffix}`);
    }
  };
  {
    await using store = await fixture.open();
    for (const text of ["first", "second"]) await store.inbox.receive(fixture.incoming(text));
    await store.search(parseSearch("first"));
    if (end === "crash") copy();
  }
  if (end === "quit") copy();
}

function fill(): void {
  using file = Deno.openSync(`${directory}/filler`, { create: true, write: true });
  const block = new Uint8Array(4096);
  try {
    while (true) file.writeSync(block);
  } catch (error) {
    if (!/os error 28/.test(String(error))) throw error;
  }
}

/** Names and contents of what is in a directory. */
function files(of: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name } of Deno.readDirSync(of)) {
    found[name] = Deno.readFileSync(`${of}/${name}`).toBase64();
  }
  return found;
}

async function readAll(path: string) {
  await using history = await ReadOnlyHistory.open(path);
  const exported: string[] = [];
  for await (const item of exportHistory(path)) {
    exported.push(item.kind === "message" ? item.message.content : "?");
  }
  const found = await history.search(parseSearch("second"));
  return {
    problems: (await checkHistory(path)).problems,
    exported,
    history: contents(history.history({ count: 10 })),
    found: found.map(({ message }) => message.content),
  };
}

for (const state of ["full", "readonly"]) {
  if (state === "full") fill();
  else {
    Deno.removeSync(`${directory}/filler`);
    const args = ["-o", "remount,ro", directory];
    report.remounted = (await new Deno.Command("mount", { args }).output()).success;
  }
  for (const end of ["crash", "quit"]) {
    const path = `${directory}/${end}/history.sqlite`;
    const before = files(`${directory}/${end}`);
    const read = await readAll(path).catch(String);
    const clock = new FakeClock();
    const opened = await Store.open({ path, clock, log: silentLog }).then(() => "opened", String);
    const isUnchanged = JSON.stringify(files(`${directory}/${end}`)) === JSON.stringify(before);
    report[`${state} after ${end}`] = { read, opened, isUnchanged };
  }
}
console.log(JSON.stringify(report));
