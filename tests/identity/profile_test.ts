import assert from "node:assert/strict";
import { readProfileFile, writeAtomically } from "../../lib/identity/files.ts";
import { ProfileError } from "../../lib/identity/profile.ts";
import { modeOf, namesIn, openProfile, TemporaryDirectory } from "./files_fixtures.ts";

const windows = Deno.build.os === "windows";

/** A process that opens a profile, says so, and holds it until its input ends or it is killed. */
const HOLDER = `
  import { Profile } from ${JSON.stringify(import.meta.resolve("../../lib/identity/profile.ts"))};
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const profile = await Profile.open({ directory: Deno.args[0], log });
  console.log("open");
  await Deno.stdin.read(new Uint8Array(1));
  await profile[Symbol.asyncDispose]();
`;

/** Starts a holder, and resolves once it has the profile. */
async function startHolder(directory: string): Promise<Deno.ChildProcess> {
  const url = `data:application/typescript,${encodeURIComponent(HOLDER)}`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--no-lock", url, directory],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assert.equal(new TextDecoder().decode(value).trim(), "open");
  await reader.cancel();
  return child;
}

Deno.test("opening a profile makes its directory for its owner only", async () => {
  await using root = await TemporaryDirectory.make();
  const directory = `${root.path}/share/parlance/alice`;
  await using profile = await openProfile(directory);
  assert.equal(profile.directory, directory);
  assert.deepEqual(await namesIn(directory), ["lock", "pid"]);
  if (windows) return;
  assert.equal(await modeOf(directory), "700");
  for (const name of ["lock", "pid"]) assert.equal(await modeOf(`${directory}/${name}`), "600");
});

Deno.test("a profile in use is refused with the pid of who uses it, also in the same process", async () => {
  await using root = await TemporaryDirectory.make();
  const profile = await openProfile(root.path);
  await assert.rejects(openProfile(root.path), {
    name: "ProfileInUseError",
    message: new RegExp(`process ${Deno.pid} uses it; end that one`),
  });
  await profile[Symbol.asyncDispose]();
  await profile[Symbol.asyncDispose]();
  await using again = await openProfile(root.path);
  assert.equal(again.directory, root.path);
});

Deno.test("a second process is refused with the first one's pid, and let in when that one ends", async () => {
  await using root = await TemporaryDirectory.make();
  const holder = await startHolder(root.path);
  await assert.rejects(openProfile(root.path), { message: new RegExp(`process ${holder.pid} `) });
  const writer = holder.stdin.getWriter();
  await writer.write(new Uint8Array(1));
  await writer.close();
  assert.ok((await holder.status).success);
  await using _ = await openProfile(root.path);
});

Deno.test("the lock of a killed process is none, whatever its pid file says", async () => {
  await using root = await TemporaryDirectory.make();
  const holder = await startHolder(root.path);
  holder.kill("SIGKILL");
  await holder.status;
  await holder.stdin.close().catch(() => {});
  assert.deepEqual(await namesIn(root.path), ["lock", "pid"]);
  // The pid may be that of another program by now, even of one that runs.
  await Deno.writeTextFile(`${root.path}/pid`, `${Deno.ppid}\n`);
  await using _ = await openProfile(root.path);
  assert.equal(await Deno.readTextFile(`${root.path}/pid`), `${Deno.pid}\n`);
});

Deno.test("a lock is respected where the pid file is missing or nonsense", async () => {
  await using root = await TemporaryDirectory.make();
  await using _ = await openProfile(root.path);
  for (const text of ["", "1; rm -rf /", "-4", "9".repeat(100)]) {
    await Deno.writeTextFile(`${root.path}/pid`, text);
    await assert.rejects(openProfile(root.path), { message: /: another process uses it/ });
  }
  await Deno.remove(`${root.path}/pid`);
  await assert.rejects(openProfile(root.path), { message: /: another process uses it/ });
});

Deno.test({
  name: "a directory that is open to others is refused, unless it is empty: then it is closed",
  ignore: windows,
  async fn() {
    await using root = await TemporaryDirectory.make();
    const directory = `${root.path}/data`;
    await Deno.mkdir(directory);
    await Deno.chmod(directory, 0o755);
    await (await openProfile(directory))[Symbol.asyncDispose]();
    assert.equal(await modeOf(directory), "700");
    for (const mode of [0o755, 0o770, 0o701]) {
      await Deno.chmod(directory, mode);
      const message = new RegExp(`open to others \\(mode ${mode.toString(8)}\\); run \`chmod 700 `);
      await assert.rejects(openProfile(directory), { name: "ProfileError", message });
      assert.equal(await modeOf(directory), mode.toString(8));
    }
  },
});

Deno.test("a place where no profile can be is refused with another to choose", async () => {
  await using root = await TemporaryDirectory.make();
  await Deno.writeTextFile(`${root.path}/file`, "");
  for (const directory of [`${root.path}/file`, `${root.path}/file/deeper`]) {
    const error = await openProfile(directory).then(() => undefined, (error) => error);
    assert.ok(error instanceof ProfileError);
    assert.match(error.message, /^Cannot use the profile in .*--data-dir DIR$/);
  }
});

Deno.test("a profile whose pid file cannot be written can be used", async () => {
  await using root = await TemporaryDirectory.make();
  await Deno.mkdir(`${root.path}/pid`);
  await using _ = await openProfile(root.path);
  await assert.rejects(openProfile(root.path), { message: /: another process uses it/ });
});

Deno.test("an atomic write replaces content and mode, and leaves nothing else behind", async () => {
  await using root = await TemporaryDirectory.make();
  const path = `${root.path}/a`;
  const bytes = new TextEncoder().encode("new");
  await Deno.writeTextFile(path, "old");
  if (!windows) await Deno.chmod(path, 0o644);
  await Deno.writeTextFile(`${path}.tmp`, "left by a crash");
  await writeAtomically(path, bytes, 0o600);
  assert.equal(await Deno.readTextFile(path), "new");
  assert.deepEqual(await namesIn(root.path), ["a"]);
  if (!windows) assert.equal(await modeOf(path), "600");
});

Deno.test("a failed write leaves the old content", async () => {
  await using root = await TemporaryDirectory.make();
  const path = `${root.path}/a`;
  await Deno.mkdir(path);
  await Deno.writeTextFile(`${path}/inside`, "old");
  await assert.rejects(writeAtomically(path, new Uint8Array(3), 0o600));
  assert.deepEqual(await namesIn(root.path), ["a"]);
  assert.equal(await Deno.readTextFile(`${path}/inside`), "old");
  await assert.rejects(writeAtomically(`${root.path}/none/a`, new Uint8Array(3), 0o600));
});

Deno.test("a reader sees the old content or the new, never a part", async () => {
  await using root = await TemporaryDirectory.make();
  const path = `${root.path}/a`;
  const contents = [0, 1].map((byte) => new Uint8Array(100_000).fill(byte));
  await writeAtomically(path, contents[0], 0o600);
  let writing = true;
  const writer = (async () => {
    for (let round = 1; round <= 20; round++) {
      await writeAtomically(path, contents[round % 2], 0o600);
    }
    writing = false;
  })();
  while (writing) {
    const bytes = await Deno.readFile(path);
    assert.equal(bytes.length, 100_000);
    assert.ok(bytes.every((byte) => byte === bytes[0]));
  }
  await writer;
});

Deno.test({
  name: "a pipe in the place of a file of a profile is refused, and not waited for",
  ignore: windows,
  async fn() {
    await using root = await TemporaryDirectory.make();
    const path = `${root.path}/key.pem`;
    await new Deno.Command("mkfifo", { args: [path] }).output();
    await assert.rejects(readProfileFile(path, 10), /Cannot read .*key\.pem: it is not a file; /);
  },
});
