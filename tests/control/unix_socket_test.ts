import assert from "node:assert/strict";
import { unixSocket } from "../../lib/control/unix_socket.ts";
import { modeOf, namesIn, TemporaryDirectory } from "../identity/files_fixtures.ts";

const ignore = Deno.build.os === "windows";
const uid = Deno.uid();
const endpoint = unixSocket({ env: () => undefined, uid });

function test(name: string, fn: (directory: string) => Promise<void>): void {
  Deno.test({
    name,
    ignore,
    async fn() {
      await using root = await TemporaryDirectory.make();
      await fn(root.path);
    },
  });
}

/** A directory whose path is too long for a socket. */
async function longDirectory(root: string): Promise<string> {
  const directory = `${root}/${"x".repeat(60)}/${"y".repeat(60)}`;
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  return directory;
}

/** Whether bytes pass through the socket. */
async function works(directory: string): Promise<boolean> {
  await using listener = await endpoint.listen(directory);
  const accepting = listener.accept();
  const dialled = await endpoint.dial(directory);
  if (dialled === undefined) return false;
  const accepted = await accepting;
  await dialled.stream.write(new Uint8Array([7]));
  const buffer = new Uint8Array(1);
  await accepted.read(buffer);
  dialled.stream.close();
  accepted.close();
  return buffer[0] === 7;
}

/** Leaves a socket behind as a process that was killed does. */
function leaveSocket(path: string): Promise<Deno.CommandOutput> {
  const code = `Deno.listen({ transport: "unix", path: ${JSON.stringify(path)} });
    Deno.kill(Deno.pid, "SIGKILL");`;
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", code],
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).output();
}

test("the socket has mode 0600, carries bytes, and goes with its listener", async (directory) => {
  const listener = await endpoint.listen(directory);
  assert.equal(await modeOf(`${directory}/control.sock`), "600");
  await listener[Symbol.asyncDispose]();
  assert.deepEqual(await namesIn(directory), []);
  assert.equal(await endpoint.dial(directory), undefined);
  assert.ok(await works(directory));
});

test("a directory that is open to others gets no socket", async (directory) => {
  await Deno.chmod(directory, 0o750);
  await assert.rejects(endpoint.listen(directory), { message: /open to others \(mode 750\)/ });
  assert.deepEqual(await namesIn(directory), []);
});

test("the socket of a killed process is nobody's, and is replaced", async (directory) => {
  await leaveSocket(`${directory}/control.sock`);
  assert.deepEqual(await namesIn(directory), ["control.sock"]);
  assert.equal(await endpoint.dial(directory), undefined);
  assert.ok(await works(directory));
});

test("what is no socket is not removed", async (directory) => {
  await Deno.writeTextFile(`${directory}/control.sock`, "mine");
  await assert.rejects(endpoint.listen(directory), { message: /is no socket; move it away$/ });
  assert.equal(await Deno.readTextFile(`${directory}/control.sock`), "mine");
});

test("too long a path gets a short one in a directory of mode 0700", async (root) => {
  const directory = await longDirectory(root);
  const listener = await endpoint.listen(directory);
  const target = await Deno.readLink(`${directory}/control.sock`);
  const parent = target.replace("/control.sock", "");
  assert.ok(target.length < 104, target);
  assert.equal(await modeOf(parent), "700");
  assert.equal(await modeOf(target), "600");
  await listener[Symbol.asyncDispose]();
  await assert.rejects(Deno.lstat(parent), Deno.errors.NotFound);
  assert.deepEqual(await namesIn(directory), []);
  assert.ok(await works(directory));
});

test("the short path lies below XDG_RUNTIME_DIR where there is one", async (root) => {
  const runtime = `${root}/run`;
  await Deno.mkdir(runtime);
  const env = (name: string) => name === "XDG_RUNTIME_DIR" ? runtime : undefined;
  await using _ = await unixSocket({ env, uid }).listen(await longDirectory(root));
  assert.equal((await namesIn(runtime)).length, 1);
});

test("what a killed process left at a short path is removed", async (root) => {
  const directory = await longDirectory(root);
  const parent = await Deno.makeTempDir({ dir: "/tmp", prefix: "parlance-" });
  await leaveSocket(`${parent}/control.sock`);
  await Deno.symlink(`${parent}/control.sock`, `${directory}/control.sock`);
  assert.equal(await endpoint.dial(directory), undefined);
  assert.ok(await works(directory));
  await assert.rejects(Deno.lstat(parent), Deno.errors.NotFound);
});

test("a link into a directory that others can write to is not followed", async (root) => {
  const [directory, open] = [`${root}/profile`, `${root}/parlance-open`];
  await Deno.mkdir(directory, { mode: 0o700 });
  await Deno.mkdir(open);
  await Deno.chmod(open, 0o777);
  using listener = Deno.listen({ transport: "unix", path: `${open}/control.sock` });
  await Deno.symlink(`${open}/control.sock`, `${directory}/control.sock`);
  await assert.rejects(endpoint.dial(directory), { message: /where others could listen; remove/ });
  await using _ = await endpoint.listen(directory);
  assert.ok((await Deno.lstat(listener.addr.path)).isSocket, "what is not ours stays");
});

test("a listener that is disposed of ends its accept", async (directory) => {
  const listener = await endpoint.listen(directory);
  const accepting = assert.rejects(listener.accept());
  await listener[Symbol.asyncDispose]();
  await accepting;
});
