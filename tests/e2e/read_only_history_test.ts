import assert from "node:assert/strict";
import { Profile } from "../../lib/identity/profile.ts";
import { silentLog } from "../../lib/base/log.ts";
import { HISTORY_FILE } from "../../lib/store/schema.ts";
import { StoreFixture } from "../store/fixtures.ts";
import type { Host } from "../support/host.ts";
import { testNeeding } from "../support/needing.ts";
import { startPlainClient } from "../support/program.ts";
import { complaints } from "./control_fixtures.ts";

/** A host whose programs see mounts of their own, which a shell script has made. */
class Mounted implements Host {
  /** @param script Has the directory as `$0`. */
  constructor(private readonly script: string, private readonly directory: string) {}

  enter(command: string, args: readonly string[]): { command: string; args: string[] } {
    const script = `${this.script} && exec "$@"`;
    return {
      command: "unshare",
      args: ["-m", "sh", "-c", script, this.directory, command, ...args],
    };
  }
}

const READ_ONLY = (path: string) =>
  `mount --bind "${path}" "${path}" && mount -o remount,bind,ro "${path}"`;
const DIRECTORY = READ_ONLY("$0");
const FILE = READ_ONLY(`$0/${HISTORY_FILE}`);

/** Why nothing can be mounted here, or `undefined`. */
async function mountProblem(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return `this is ${Deno.build.os}, not Linux`;
  const directory = await Deno.makeTempDir({ prefix: "parlance-mount-" });
  try {
    const { command, args } = new Mounted(DIRECTORY, directory).enter("true", []);
    const { success, stderr } = await new Deno.Command(command, { args }).output();
    return success ? undefined : new TextDecoder().decode(stderr);
  } catch (error) {
    return String(error);
  } finally {
    await Deno.remove(directory);
  }
}

const problem = await mountProblem();
const missing = problem && `nothing can be mounted: ${problem}`;

/** A profile with three messages, and whether a search knows of them. */
async function profile({ isIndexed = true, hasLock = true } = {}): Promise<StoreFixture> {
  const fixture = await StoreFixture.make();
  const { directory } = fixture;
  await Deno.chmod(directory, 0o700);
  if (hasLock) await (await Profile.open({ directory, log: silentLog }))[Symbol.asyncDispose]();
  await using store = await fixture.open();
  await store.inbox.receive(fixture.incoming("where is the bridge?"));
  await store.inbox.receive(fixture.incoming("the bridge over the river"));
  if (isIndexed) await store.search({ terms: [{ text: "bridge", prefix: false }] });
  return fixture;
}

async function run(directory: string, script: string, ...command: string[]) {
  await using program = startPlainClient({
    host: new Mounted(script, directory),
    args: [...command, "-n", "alice", "--data-dir", directory],
  });
  await program.closeInput();
  const { code } = await program.exited();
  const out = program.stdout.replaceAll(/\[\d{4}-\d\d-\d\d \d\d:\d\d\]/g, "[time]");
  return { code, out, err: complaints(program) };
}

const HISTORY = "[time] bob: where is the bridge?\n[time] bob: the bridge over the river\n";

testNeeding(
  missing,
  "history and search read a directory or a file that is read-only",
  async () => {
    for (const hasLock of [true, false]) {
      for (const script of [DIRECTORY, FILE]) {
        await using fixture = await profile({ hasLock });
        const { directory } = fixture;
        const bytes = await Deno.readFile(fixture.path);
        const checked = await run(directory, script, "history", "check");
        assert.equal(checked.code, 0, checked.err);
        const shown = await run(directory, script, "history", "bob");
        assert.deepEqual(shown, { code: 0, out: HISTORY, err: "" });
        const found = await run(directory, script, "search", "river", "from:bob");
        assert.deepEqual([found.code, found.err], [0, ""]);
        assert.match(found.out, /^1 message found, the newest first:\n/);
        assert.deepEqual(await Deno.readFile(fixture.path), bytes);
      }
    }
  },
);

testNeeding(missing, "a search that cannot make its index says what it does not find", async () => {
  await using fixture = await profile({ isIndexed: false });
  const { code, out, err } = await run(fixture.directory, DIRECTORY, "search", "bridge");
  assert.deepEqual([code, out], [1, "Nothing was found\n"]);
  assert.match(err, /^Cannot search the newest messages, up to 2, in .*`parlance history` shows/);
});
