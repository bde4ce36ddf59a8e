import assert from "node:assert/strict";
import { type ProgramOptions, startClient, startPlainClient } from "../support/program.ts";
import { Terminal } from "../support/terminal.ts";
import { unique } from "../support/unique.ts";

const LOOPBACK = ["--interface", "127.0.0.1"];
const PASSPHRASE = "correct horse battery";
const windows = Deno.build.os === "windows";

/** Runs the client to its end with some standard input. */
async function outcome(args: readonly string[], input = "", options: ProgramOptions = {}) {
  await using client = startPlainClient({ ...options, args });
  // It may end without reading it.
  await client.write(input).catch(() => {});
  await client.closeInput();
  const { code } = await client.exited();
  return { code, out: client.stdout, err: client.stderr };
}

/** Runs the client once, which makes the identity, and returns the id that `show` prints. */
async function firstStart(directory: string): Promise<string> {
  const start = await outcome(["-n", unique("first"), ...LOOPBACK, "--data-dir", directory]);
  assert.equal(start.code, 0, start.err);
  return await idIn(directory);
}

async function idIn(directory: string): Promise<string> {
  const { code, out, err } = await outcome(["identity", "show", "--data-dir", directory]);
  assert.equal(code, 0, err);
  const id = /^Id +((?:[A-Z2-7]{7}-){7}[A-Z2-7]{7})$/m.exec(out)?.[1];
  assert.ok(id, out);
  assert.ok(out.includes(`${directory}/key.pem`), out);
  return id;
}

async function inRoot(use: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "parlance-e2e-" });
  try {
    await use(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function modeOf(path: string): Promise<string> {
  return ((await Deno.stat(path)).mode! & 0o777).toString(8);
}

Deno.test("the first start makes an identity for its owner only, and later ones keep it", async () => {
  await inRoot(async (root) => {
    const env = { XDG_DATA_HOME: `${root}/share` };
    const nickname = unique("alice");
    const directory = `${root}/share/parlance/${nickname}`;
    const none = await outcome(["identity", "show", "-n", nickname], "", { env });
    assert.equal(none.code, 1, none.err);
    assert.match(none.err, /it is made when `parlance` starts for the first time/);
    for (let start = 0; start < 2; start++) {
      await using client = startClient(nickname, { args: LOOPBACK, env });
      await client.closeInput();
      assert.equal((await client.exited()).code, 0, client.report());
    }
    const id = await idIn(directory);
    const again = await outcome(["-n", nickname, ...LOOPBACK], "", { env });
    assert.equal(again.code, 0, again.err);
    assert.equal(await idIn(directory), id);
    if (windows) return;
    assert.equal(await modeOf(directory), "700");
    assert.equal(await modeOf(`${directory}/key.pem`), "600");
  });
});

Deno.test("a second client on the same profile is refused with the pid of the first", async () => {
  await inRoot(async (root) => {
    const args = [...LOOPBACK, "--data-dir", `${root}/data`];
    await using first = startClient(unique("alice"), { args });
    await first.waitFor({ event: "ready" });
    const second = await outcome(["-n", unique("alice"), ...args]);
    assert.equal(second.code, 1, second.err);
    assert.equal(second.out, "");
    assert.match(second.err, new RegExp(`process ${first.pid} uses it; .*--profile NAME`));
    assert.match(await idIn(`${root}/data`), /^[A-Z2-7-]{63}$/, "who only reads is not refused");
    first.kill("SIGKILL");
    await first.exited();
    const third = await outcome(["-n", unique("alice"), ...args]);
    assert.equal(third.code, 0, `the lock of a dead process holds nobody: ${third.err}`);
  });
});

Deno.test("damaged files are told with what to do, and never replaced", async () => {
  await inRoot(async (root) => {
    const directory = `${root}/data`;
    await firstStart(directory);
    const commands = [
      ["-n", unique("alice"), ...LOOPBACK, "--data-dir", directory],
      ["identity", "show", "--data-dir", directory],
      ["identity", "export", `${root}/backup`, "--data-dir", directory],
    ];
    for (const name of ["key.pem", "cert.pem"]) {
      const path = `${directory}/${name}`;
      const whole = await Deno.readTextFile(path);
      const damaged = whole.slice(0, whole.length / 2);
      await Deno.writeTextFile(path, damaged);
      for (const command of commands) {
        const { code, out, err } = await outcome(command);
        assert.equal(code, 1, err);
        assert.equal(out, "");
        assert.match(err, /^Cannot use the identity in [^\n]*identity import FILE[^\n]*\n$/);
        assert.ok(err.includes(directory), err);
      }
      assert.equal(await Deno.readTextFile(path), damaged);
      await Deno.writeTextFile(path, whole);
    }
    if (windows) return;
    await Deno.chmod(`${directory}/key.pem`, 0o644);
    for (const command of commands) {
      const { code, err } = await outcome(command);
      assert.equal(code, 1, err);
      assert.match(err, /others may read it \(mode 644\); run `chmod 600 /);
    }
  });
});

Deno.test("an identity moves to another directory through an encrypted file", async () => {
  await inRoot(async (root) => {
    const id = await firstStart(`${root}/old`);
    const file = `${root}/backup`;
    const run = (action: string, data: string, passphrase: string) =>
      outcome(
        ["identity", action, file, "--passphrase-stdin", "--data-dir", `${root}/${data}`],
        `${passphrase}\n`,
      );
    const exported = await run("export", "old", PASSPHRASE);
    assert.equal(exported.code, 0, exported.err);
    assert.ok(exported.out.includes(id), exported.out);
    if (!windows) assert.equal(await modeOf(file), "600");
    const key = await Deno.readTextFile(`${root}/old/key.pem`);
    assert.ok(!(await Deno.readTextFile(file)).includes(key.split("\n")[1]));
    const wrong = await run("import", "new", `${PASSPHRASE}!`);
    assert.equal(wrong.code, 1, wrong.err);
    assert.equal(wrong.err, `Cannot import ${file}: the passphrase is wrong; try again\n`);
    const imported = await run("import", "new", PASSPHRASE);
    assert.equal(imported.code, 0, imported.err);
    assert.equal(await idIn(`${root}/new`), id);
    assert.equal(await firstStart(`${root}/new`), id);
    const again = await run("import", "new", PASSPHRASE);
    assert.equal(again.code, 1, again.err);
    assert.match(again.err, /there is an identity in .* already/);
    const over = await run("export", "old", PASSPHRASE);
    assert.equal(over.code, 1, over.err);
    assert.match(over.err, /it exists already/);
  });
});

Deno.test("a wrong command line of identity ends with status 2", async () => {
  for (
    const [args, message] of [
      [["identity"], /needs to know what to do/],
      [["identity", "export"], /needs the name of a file/],
      [["identity", "import", "f", "--passphrase=x"], /did you mean --passphrase-stdin/],
    ] as const
  ) {
    const { code, out, err } = await outcome(args);
    assert.equal(code, 2, err);
    assert.equal(out, "");
    assert.match(err, message);
  }
});

Deno.test({
  name: "a passphrase that is typed on a terminal is not shown",
  ignore: Deno.build.os !== "linux", // where `script` is at hand
  async fn() {
    await inRoot(async (root) => {
      const id = await firstStart(`${root}/old`);
      const file = `${root}/backup`;
      const start = (action: string, data: string) =>
        new Terminal({ args: ["identity", action, file, "--data-dir", `${root}/${data}`] });
      {
        await using terminal = start("export", "old");
        await terminal.waitForOutput(/New passphrase/);
        await terminal.type(`${PASSPHRASE}\r`);
        await terminal.waitForOutput(/again: /);
        await terminal.type(`${PASSPHRASE}\r`);
        assert.equal((await terminal.exited()).code, 0, terminal.output);
        assert.ok(!terminal.output.includes("horse"), terminal.output);
        assert.ok(terminal.output.includes(id), terminal.output);
      }
      {
        await using terminal = start("import", "left");
        await terminal.waitForOutput(/Passphrase for /);
        await terminal.type("half a pass\x03");
        assert.equal((await terminal.exited()).code, 130, terminal.output);
        await assert.rejects(Deno.stat(`${root}/left`), Deno.errors.NotFound);
      }
      await using terminal = start("import", "new");
      await terminal.waitForOutput(/Passphrase for /);
      await terminal.type(`${PASSPHRASE}\r`);
      assert.equal((await terminal.exited()).code, 0, terminal.output);
      assert.ok(!terminal.output.includes("horse"), terminal.output);
      assert.equal(await idIn(`${root}/new`), id);
    });
  },
});
