import assert from "node:assert/strict";
import { testNeeding } from "../support/needing.ts";

/** Why no disk of our own can be mounted here, or `undefined`. */
async function mountProblem(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return `this is ${Deno.build.os}, not Linux`;
  try {
    const { success, stderr } = await onSmallDisk("true", "1m");
    if (!success) return new TextDecoder().decode(stderr);
  } catch (error) {
    return String(error);
  }
}

/** Runs a command whose last argument is a directory that nobody else sees, a disk of its own. */
async function onSmallDisk(command: string, size: string): Promise<Deno.CommandOutput> {
  const directory = await Deno.makeTempDir({ prefix: "parlance-disk-" });
  try {
    const script = `mount -t tmpfs -o size=${size} tmpfs "$0" && exec ${command} "$0"`;
    return await new Deno.Command("unshare", { args: ["-m", "sh", "-c", script, directory] })
      .output();
  } finally {
    await Deno.remove(directory);
  }
}

const problem = await mountProblem();

testNeeding(
  problem && `no disk can be mounted: ${problem}`,
  "store tells that the disk is full or read-only, loses nothing and recovers",
  async () => {
    const main = new URL("./disk_main.ts", import.meta.url).pathname;
    const { success, stdout, stderr } = await onSmallDisk(
      `${Deno.execPath()} run -A ${main}`,
      "3m",
    );
    assert.ok(success, new TextDecoder().decode(stderr));
    const report = JSON.parse(new TextDecoder().decode(stdout));
    assert.equal(report.full.kind, "full");
    assert.match(
      report.full.message,
      /^Cannot write to the history in \/.*; make room on that disk$/,
    );
    assert.deepEqual([report.state, report.stateAgain], ["failed", "ok"]);
    assert.equal(report.readable, true);
    assert.equal(report.searchable, true);
    assert.equal(report.lost, 0);
    assert.equal(report.last, "there is room again");
    assert.equal(report.remounted, true);
    assert.equal(report.readonly.kind, "readonly");
    assert.match(report.readonly.message, /make the file and its directory writable/);
    assert.deepEqual(report.problems, []);
    assert.equal(report.exported, true);
    assert.equal(report.newFile.kind, "readonly");
  },
);

testNeeding(
  problem && `no disk can be mounted: ${problem}`,
  "history is read whole and left alone on a full disk and on a read-only one",
  async () => {
    const main = new URL("./read_only_main.ts", import.meta.url).pathname;
    const command = `${Deno.execPath()} run -A ${main}`;
    const { success, stdout, stderr } = await onSmallDisk(command, "3m");
    assert.ok(success, new TextDecoder().decode(stderr));
    const { remounted, ...cases } = JSON.parse(new TextDecoder().decode(stdout));
    assert.equal(remounted, true);
    assert.equal(Object.keys(cases).length, 4);
    for (
      const [name, { read, opened, isUnchanged }] of Object.entries<Record<string, unknown>>(cases)
    ) {
      const messages = name.endsWith("crash")
        ? ["first", "second"]
        : ["first", "second", "first", "second"];
      const found = messages.filter((text) => text === "second");
      assert.deepEqual(read, { problems: [], exported: messages, history: messages, found }, name);
      const remedy = name.startsWith("full") ? /; make room on that disk$/ : /writable for you$/;
      assert.match(opened as string, remedy, name);
      assert.equal(isUnchanged, true, name);
    }
  },
);
