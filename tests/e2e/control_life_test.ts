import assert from "node:assert/strict";
import { startClient } from "../support/program.ts";
import { unique } from "../support/unique.ts";
import { TemporaryDirectory } from "../identity/files_fixtures.ts";
import { complaints, LOOPBACK, place } from "./control_fixtures.ts";

const ignore = Deno.build.os === "windows";

Deno.test("commands that start together all do their work", async () => {
  await using root = await TemporaryDirectory.make();
  const alice = place(root.path);
  const bob = unique("bob");
  await using receiver = startClient(bob, { args: LOOPBACK });
  await receiver.waitFor({ event: "ready" });
  const results = await Promise.all(
    Array.from({ length: 5 }, (_, index) => alice.run("send", bob, `number ${index}`)),
  );
  for (const { code, err } of results) assert.equal(code, 0, err);
  const heard = receiver.all({ event: "message" }).map(({ content }) => content).sort();
  assert.deepEqual(heard, [0, 1, 2, 3, 4].map((index) => `number ${index}`));
});

Deno.test("a killed client leaves nothing that is in the way", async () => {
  await using root = await TemporaryDirectory.make();
  const alice = place(root.path);
  const bob = unique("bob");
  await using receiver = startClient(bob, { args: LOOPBACK });
  await receiver.waitFor({ event: "ready" });
  {
    await using client = alice.client();
    await client.waitFor({ event: "ready" });
    assert.equal((await alice.run("peers")).code, 0, "it lets commands in");
    client.kill("SIGKILL");
    await client.exited();
  }
  if (!ignore) assert.ok((await Deno.lstat(`${root.path}/control.sock`)).isSocket);
  const { code, err } = await alice.run("send", bob, "hi");
  assert.equal(code, 0, err);
  await receiver.waitFor({ event: "message", content: "hi" });
});

Deno.test({
  name: "a client works whose profile has too long a path for a socket",
  ignore,
  async fn() {
    await using root = await TemporaryDirectory.make();
    const alice = place(`${root.path}/${"x".repeat(120)}`);
    await using client = alice.client();
    await client.waitFor({ event: "ready" });
    const { code, err } = await alice.run("peers", "--json");
    assert.equal(code, 0, err);
    assert.ok((await Deno.lstat(`${root.path}/${"x".repeat(120)}/control.sock`)).isSymlink);
    await client.send({ command: "quit" });
    await client.exited();
    assert.equal(complaints(client), "");
  },
});

Deno.test("an interrupt ends a command that waits for a peer, and for its input", async () => {
  await using root = await TemporaryDirectory.make();
  const alice = place(root.path);
  await using watcher = startClient(unique("watcher"), { args: LOOPBACK });
  await watcher.waitFor({ event: "ready" });
  await using waiting = alice.start("send", "nobody-of-that-name", "hi");
  await watcher.waitFor({ event: "peer_up", nickname: alice.nickname });
  waiting.kill("SIGINT");
  assert.equal((await waiting.exited()).code, 130, waiting.report());
  await watcher.waitFor({ event: "peer_down", nickname: alice.nickname, reason: "goodbye" });
});

Deno.test("a closed standard output ends a listener, and changes nothing for a sender", async () => {
  await using root = await TemporaryDirectory.make();
  const alice = place(root.path);
  const bob = unique("bob");
  await using other = startClient(bob, { args: LOOPBACK });
  await other.waitFor({ event: "ready" });
  await using sender = alice.start("send", bob, "hi");
  await sender.closeOutput();
  assert.equal((await sender.exited()).code, 0, sender.report());
  await other.waitFor({ event: "message", content: "hi" });
  await other.waitFor({ event: "peer_down", nickname: alice.nickname });
  const from = other.mark();
  await using listener = alice.start("listen");
  await other.waitFor({ event: "peer_up", nickname: alice.nickname }, from);
  await listener.closeOutput();
  await other.send({ command: "send", to: alice.nickname, content: "anybody there?" });
  assert.equal((await listener.exited()).code, 0, listener.report());
});

Deno.test({
  name: "a stopped client that has the profile is an error within the time-out, not a hang",
  ignore,
  async fn() {
    await using root = await TemporaryDirectory.make();
    const alice = place(root.path);
    await using client = alice.client();
    await client.waitFor({ event: "ready" });
    assert.equal((await alice.run("peers")).code, 0);
    client.kill("SIGSTOP");
    const { code, err } = await alice.run("send", "--timeout", "1", "bob", "hi");
    client.kill("SIGCONT");
    assert.equal(code, 1);
    assert.match(err, new RegExp(`process ${client.pid}: it does not answer within 1 s`));
  },
});

Deno.test("a client that starts or ends meanwhile makes a command work or fail clearly", async () => {
  await using root = await TemporaryDirectory.make();
  const alice = place(root.path);
  const bob = unique("bob");
  await using receiver = startClient(bob, { args: LOOPBACK });
  await receiver.waitFor({ event: "ready" });
  /** What a client has accepted, and the next one delivers. */
  const accepted: string[] = [];
  for (let round = 0; round < 8; round++) {
    const content = `round ${round}`;
    await using client = alice.client();
    // From a start at the same time to an end at the same time.
    if (round >= 2) await client.waitFor({ event: "ready" });
    const end = (signal: Deno.Signal) => {
      try {
        client.kill(signal);
      } catch {
        // The command was first, and it has ended.
      }
    };
    const sending = alice.run("send", bob, content);
    if (round >= 4) await new Promise((resolve) => setTimeout(resolve, (round - 4) * 40));
    if (round >= 4) end(round % 2 === 0 ? "SIGTERM" : "SIGKILL");
    const { code, err } = await sending;
    if (code === 0) {
      assert.equal(err, "");
      await receiver.waitFor({ event: "message", content });
    } else if (code === 3) {
      accepted.push(content);
    } else {
      assert.equal(code, 1, err);
      assert.match(err, /^Cannot tell whether the message to .* was sent: the client has ended/);
    }
    if (round < 4) end("SIGTERM");
    await client.exited();
  }
  await using client = alice.client();
  for (const content of accepted) await receiver.waitFor({ event: "message", content });
  await client.waitFor({ event: "peer_up", nickname: bob });
  const heard = receiver.all({ event: "message" }).map(({ content }) => content);
  assert.deepEqual(heard, [...new Set(heard)], "none comes twice");
});

Deno.test({
  name: "hostile programs at the control socket cost the client little, and nobody else anything",
  ignore,
  async fn() {
    await using root = await TemporaryDirectory.make();
    const alice = place(root.path);
    await using client = alice.client();
    await client.waitFor({ event: "ready" });
    assert.equal((await alice.run("peers")).code, 0, "it lets commands in");
    const path = `${root.path}/control.sock`;
    const before = client.residentBytes();
    const connect = () => Deno.connect({ transport: "unix", path }).catch(() => undefined);
    const hello = new TextEncoder().encode('{"control":1,"version":"1"}\n');
    const connections: Deno.Conn[] = [];
    for (let count = 0; count < 1000; count++) {
      const connection = await connect();
      if (connection === undefined) continue;
      connections.push(connection);
      // Half of them come in, ask for much, and read nothing.
      if (count % 2 === 0) {
        const questions = '{"command":"whoami"}\n'.repeat(1000);
        await connection.write(hello).catch(() => {});
        await connection.write(new TextEncoder().encode(questions)).catch(() => {});
      }
    }
    for (const connection of connections) connection.close();
    assert.equal((await alice.run("peers")).code, 0, "there is room again");
    for (const first of [hello, new Uint8Array(0)]) {
      using connection = await Deno.connect({ transport: "unix", path });
      if (first.length > 0) await connection.write(first);
      const answer = textOf(connection);
      const part = new Uint8Array(1 << 20).fill(0x78);
      for (let count = 0; count < 100; count++) {
        for (let at = 0; at < part.length;) {
          const taken = await connection.write(part.subarray(at)).catch(() => undefined);
          if (taken === undefined) count = 100;
          at += taken ?? part.length;
        }
      }
      await connection.closeWrite().catch(() => {});
      const text = await answer;
      assert.match(text, first.length > 0 ? /above the limit/ : /Cannot read the first line/);
    }
    const { code, err } = await alice.run("peers");
    assert.equal(code, 0, err);
    if (Deno.build.os === "linux") {
      const grown = client.residentBytes() - before;
      assert.ok(grown < 150e6, `${grown} bytes more`);
    }
    await client.send({ command: "quit" });
    assert.equal((await client.exited()).code, 0);
  },
});

/** Everything that comes until the other side ends. */
async function textOf(connection: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (true) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) return text;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
}
