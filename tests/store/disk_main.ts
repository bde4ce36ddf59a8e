/**
 * Runs in a mount namespace of its own, in a directory on a small disk: fills it, reports what the
 * store said, and tries again with room. Then the same with the disk turned read-only.
 */
import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { checkHistory } from "../../lib/store/check.ts";
import { exportHistory } from "../../lib/store/export.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import { Store } from "../../lib/store/store.ts";
import { StoreError } from "../../lib/store/store_error.ts";
import { MessageIdSource } from "../../lib/wire/message_id.ts";
import { FakeClock } from "../support/fake_clock.ts";

const directory = Deno.args[0];
const path = `${directory}/history.sqlite`;
const clock = new FakeClock();
const ids = new MessageIdSource(clock, systemRandom);
const report: Record<string, unknown> = {};

function open(): Promise<Store> {
  return Store.open({ path, clock, log: silentLog });
}

function receive(store: Store, content: string): Promise<unknown> {
  const timestamp = Math.floor(clock.now() / 1000);
  const contact = { nickname: "bob" };
  return store.inbox.receive({
    contact,
    id: ids.next(),
    content,
    timestamp,
    encrypted: false,
    trust: "plain",
  });
}

function problemOf(error: unknown): unknown {
  return error instanceof StoreError ? { kind: error.kind, message: error.message } : String(error);
}

await Deno.writeFile(`${directory}/filler`, new Uint8Array(512 * 1024));
let stored = 0;
{
  await using store = await open();
  await receive(store, "the first message");
  await store.search(parseSearch("first"));
  stored++;
  try {
    for (; stored < 5_000; stored++) await receive(store, `message ${stored} ${"x".repeat(2_000)}`);
  } catch (error) {
    report.full = problemOf(error);
    report.state = store.state.kind;
  }
  const found = await store.search(parseSearch("first")).catch(problemOf);
  report.searchable = Array.isArray(found) ? found.length > 0 : found;
  report.readable = store.history({ count: 1_000 }).length === Math.min(stored, 1_000);
  await Deno.remove(`${directory}/filler`);
  await receive(store, "there is room again");
  report.stateAgain = store.state.kind;
  stored++;
}
{
  await using store = await open();
  let count = 0;
  let before: number | undefined;
  while (true) {
    const page = store.history({ count: 1_000, before });
    count += page.length;
    if (page.length === 0) break;
    before = page[0].key;
  }
  report.lost = stored - count;
  report.last = store.history({ count: 1 })[0].content;
}

const { success } = await new Deno.Command("mount", {
  args: ["-o", "remount,ro", directory],
}).output();
report.remounted = success;
report.readonly = await open().then(
  async (store) => {
    try {
      return await receive(store, "what cannot be written");
    } catch (error) {
      return problemOf(error);
    } finally {
      await store[Symbol.asyncDispose]();
    }
  },
  problemOf,
);
report.problems = (await checkHistory(path)).problems;
let exported = 0;
for await (const { kind } of exportHistory(path)) if (kind === "message") exported++;
report.exported = exported === stored;
report.newFile = await Store.open({ path: `${directory}/new`, clock, log: silentLog })
  .then(() => "opened", problemOf);
console.log(JSON.stringify(report));
