import assert from "node:assert/strict";
import type { Child } from "../support/child.ts";
import { startClient, startPlainClient, startSupport } from "../support/program.ts";
import { plainOnly, sessionTest } from "../support/sessions.ts";
import { unique } from "../support/unique.ts";
import { modeOf, TemporaryDirectory } from "../identity/files_fixtures.ts";

const LOOPBACK = ["--interface", "127.0.0.1"];
const ignore = Deno.build.os === "windows";

/** What a program says on standard error, but for what every one says that cannot encrypt. */
function complaints({ stderr }: Child): string {
  return plainOnly
    ? stderr.replace(/^\S+ warning This program was compiled with .*\n/, "")
    : stderr;
}

/** Where a client lives, and what is run there. */
function place(directory: string, nickname = unique("alice")) {
  const args = ["-n", nickname, "--data-dir", directory, ...LOOPBACK];
  return {
    nickname,
    client: () => startClient(nickname, { args: args.slice(2) }),
    start: (...command: string[]) =>
      startPlainClient({ args: [command[0], ...args, ...command.slice(1)] }),
    async run(...command: string[]) {
      await using program = startPlainClient({ args: [command[0], ...args, ...command.slice(1)] });
      await program.closeInput();
      const { code } = await program.exited();
      return { code, out: program.stdout, err: complaints(program) };
    },
  };
}

sessionTest("a message is delivered with and without a running client, with status 0", async () => {
  await using root = await TemporaryDirectory.make();
  const bob = unique("bob");
  await using receiver = startClient(bob, { args: LOOPBACK });
  await receiver.waitFor({ event: "ready" });
  const alice = place(root.path);
  const alone = await alice.run("send", bob, "alone");
  assert.deepEqual(alone, { code: 0, out: `delivered to ${bob}\n`, err: "" });
  await receiver.waitFor({ event: "message", from: alice.nickname, content: "alone" });
  await receiver.waitFor({ event: "peer_down", nickname: alice.nickname, reason: "goodbye" });

  await using client = alice.client();
  await client.waitFor({ event: "ready" });
  const from = receiver.mark();
  const through = await alice.run("send", bob, "through");
  assert.deepEqual(through, { code: 0, out: `delivered to ${bob}\n`, err: "" });
  await receiver.waitFor({ event: "message", content: "through" }, from);
  const left = receiver.all({ event: "peer_down", nickname: alice.nickname }, from);
  assert.deepEqual(left, [], "the client is still there");
  if (!ignore) assert.equal(await modeOf(`${root.path}/control.sock`), "600");
  await client.send({ command: "quit" });
  assert.equal((await client.exited()).code, 0, client.report());
  assert.equal(complaints(client), "");
  await assert.rejects(Deno.lstat(`${root.path}/control.sock`), Deno.errors.NotFound);
});

sessionTest(
  "a message to a peer that is away is queued with status 3, and arrives once",
  async () => {
    await using root = await TemporaryDirectory.make();
    const alice = place(`${root.path}/alice`);
    const bob = place(`${root.path}/bob`, unique("bob"));
    const queued = {
      code: 3,
      out:
        `queued for ${bob.nickname}: not delivered yet; it will be when both of you are online\n`,
      err: "",
    };
    {
      await using receiver = bob.client();
      await receiver.waitFor({ event: "ready" });
      assert.equal((await alice.run("send", bob.nickname, "hello")).code, 0);
      await receiver.send({ command: "quit" });
      await receiver.exited();
    }
    const alone = ["send", "--timeout", "1", bob.nickname, "one"];
    assert.deepEqual(await alice.run(...alone), queued);
    {
      await using client = alice.client();
      await client.waitFor({ event: "ready" });
      const through = ["send", "--timeout", "1", bob.nickname, "two"];
      assert.deepEqual(await alice.run(...through), queued);
      await client.send({ command: "quit" });
      await client.exited();
    }
    await using receiver = bob.client();
    await receiver.waitFor({ event: "ready" });
    const contents = () => receiver.all({ event: "message" }).map(({ content }) => content);
    {
      await using client = alice.client();
      await client.waitUntil(
        "two deliveries",
        () => client.all({ event: "delivered" }).length === 2 ? true : undefined,
      );
      await receiver.waitFor({ event: "message", content: "two" });
      assert.deepEqual(contents(), ["one", "two"]);
      await client.send({ command: "quit" });
      await client.exited();
    }
    const sent = await alice.run("send", bob.nickname, "three");
    assert.deepEqual(sent, { code: 0, out: `delivered to ${bob.nickname}\n`, err: "" });
    await receiver.waitFor({ event: "message", content: "three" });
    assert.deepEqual(contents(), ["one", "two", "three"]);
  },
);

sessionTest("a message that waits goes with the next command of its sender", async () => {
  await using root = await TemporaryDirectory.make();
  const alice = place(`${root.path}/alice`);
  const bob = place(`${root.path}/bob`, unique("bob"));
  {
    await using receiver = bob.client();
    await receiver.waitFor({ event: "ready" });
    assert.equal((await alice.run("send", bob.nickname, "hello")).code, 0);
    receiver.kill("SIGKILL");
    await receiver.exited();
  }
  const { code } = await alice.run("send", "--timeout", "1", bob.nickname, "one");
  assert.equal(code, 3);
  await using receiver = bob.client();
  await receiver.waitFor({ event: "ready" });
  assert.equal((await alice.run("send", bob.nickname, "two")).code, 0);
  await receiver.waitFor({ event: "message", content: "two" });
  const contents = receiver.all({ event: "message" }).map(({ content }) => content);
  assert.deepEqual(contents, ["one", "two"]);
});

Deno.test("history and search say the same with and without a running client", async () => {
  await using root = await TemporaryDirectory.make();
  const alice = place(root.path);
  const bob = unique("bob");
  await using other = startClient(bob, { args: LOOPBACK });
  await other.waitFor({ event: "ready" });
  for (const content of ["where is the bridge?", "over\u001b the river"]) {
    assert.equal((await alice.run("send", bob, content)).code, 0);
  }
  const commands = [
    ["history"],
    ["history", "1"],
    ["history", bob, "--json"],
    ["search", "riv*", "from:me"],
    ["search", "bridge", "--json"],
  ];
  const ask = () => Promise.all(commands.map((command) => alice.run(...command)));
  const alone = await ask();
  for (const { code, err } of alone) assert.deepEqual({ code, err }, { code: 0, err: "" });
  await using client = alice.client();
  await client.waitFor({ event: "ready" });
  assert.equal((await alice.run("peers")).code, 0, "it lets commands in");
  assert.deepEqual(await ask(), alone);
  const [all, last, lines, found, hits] = alone.map(({ out }) => out.split("\n").slice(0, -1));
  assert.match(
    all[0],
    new RegExp(`^\\[[-0-9]{10} [:0-9]{5}\\] you → ${bob}( \\[plain\\])? [→✓]: where`),
  );
  assert.match(all[1], /over\\u\{1b\} the river$/);
  assert.deepEqual(last, all.slice(1));
  assert.deepEqual(lines.map((line) => JSON.parse(line).content), [
    "where is the bridge?",
    "over\u001b the river",
  ]);
  assert.equal(found[0], "1 message found, the newest first:");
  assert.deepEqual(found.slice(2), [`  ${all[0]}`, all[1]]);
  const hit = JSON.parse(hits[0]);
  assert.deepEqual([hit.content, hit.after.content], [
    "where is the bridge?",
    "over\u001b the river",
  ]);
  const unknown = await alice.run("history", "nobody-of-that-name");
  assert.deepEqual([unknown.code, unknown.out], [1, ""]);
  assert.match(unknown.err, /^Cannot show a history with "nobody-of-that-name": there is none; /);
});

Deno.test("check and export read the history while a client runs, and into a closed pipe", async () => {
  await using root = await TemporaryDirectory.make();
  const alice = place(root.path);
  const missing = await alice.run("history", "export");
  assert.deepEqual([missing.code, missing.out], [1, ""]);
  assert.match(missing.err, /^Cannot read the history in .*: there is none; /);
  const bob = unique("bob");
  await using other = startClient(bob, { args: LOOPBACK });
  await other.waitFor({ event: "ready" });
  await using client = alice.client();
  await client.waitFor({ event: "peer_up", nickname: bob });
  const text = "x".repeat(60_000);
  for (let ref = 0; ref < 40; ref++) {
    await client.send({ command: "send", to: bob, content: `${ref} ${text}`, ref });
  }
  const last = { event: "message", content: `39 ${text}` };
  await other.waitFor(last);
  const exported = await alice.run("history", "export", "--format", "jsonl");
  assert.deepEqual([exported.code, exported.err], [0, ""]);
  const messages = exported.out.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  assert.deepEqual(
    messages.map(({ content }) => parseInt(content)),
    Array.from({ length: 40 }, (_, index) => index),
  );
  const checked = await alice.run("history", "check");
  assert.deepEqual([checked.code, checked.err], [0, ""]);
  assert.match(checked.out, /\n {2}messages +40\n(.*\n)+Nothing is wrong with it\n$/);
  await using unread = alice.start("history", "export");
  await unread.closeOutput();
  assert.equal((await unread.exited()).code, 0, unread.report());
  assert.equal(complaints(unread), "");
});

sessionTest("standard input is one message", async () => {
  await using root = await TemporaryDirectory.make();
  const bob = unique("bob");
  await using receiver = startClient(bob, { args: LOOPBACK });
  await receiver.waitFor({ event: "ready" });
  await using sender = place(root.path).start("send", bob, "-");
  await sender.write("two\nlines\n");
  await sender.closeInput();
  assert.equal((await sender.exited()).code, 0, sender.report());
  await receiver.waitFor({ event: "message", content: "two\nlines" });
});

Deno.test("to a version 1 peer a message is sent, with status 0 and a text that says so", async () => {
  await using root = await TemporaryDirectory.make();
  const bob = unique("bob");
  const settings = { nickname: bob, interface: "127.0.0.1", announceIntervalMs: 300 };
  await using receiver = startSupport("v1_peer_main.ts", settings);
  await receiver.waitFor({ event: "ready" });
  const { code, out, err } = await place(root.path).run("send", bob, "hi");
  assert.equal(code, 0, err);
  assert.match(out, new RegExp(`^sent to ${bob} in plain text; it runs version 1, which does not`));
  await receiver.waitFor({ event: "message", content: "hi" });
});

Deno.test("what cannot be sent is status 1, a bad command line status 2", async () => {
  await using root = await TemporaryDirectory.make();
  const alice = place(root.path);
  const nobody = await alice.run("send", "--timeout", "1", "nobody-of-that-name", "hi");
  assert.equal(nobody.code, 1);
  assert.match(nobody.err, /^Cannot reach "nobody-of-that-name": no such peer.*\n$/);
  assert.equal(nobody.out, "");
  const empty = await alice.run("send", "bob", "-");
  assert.deepEqual([empty.code, empty.out], [1, ""]);
  assert.match(empty.err, /standard input is empty/);
  const bad = await alice.run("send", "bob", "");
  assert.deepEqual([bad.code, bad.out], [2, ""]);
  assert.match(bad.err, /needs a text/);
});

Deno.test("peers and listen go through a running client, and many commands share one", async () => {
  await using root = await TemporaryDirectory.make();
  const alice = place(root.path);
  const bob = unique("bob");
  await using other = startClient(bob, { args: LOOPBACK });
  await other.waitFor({ event: "ready" });
  await using client = alice.client();
  await client.waitFor({ event: "peer_up", nickname: bob });
  await using listener = alice.start("listen", "--json");
  const listed = await alice.run("peers", "--json");
  assert.equal(listed.code, 0, listed.err);
  const { peers } = JSON.parse(listed.out);
  assert.ok(peers.some((peer: { nickname: string }) => peer.nickname === bob));
  const text = await alice.run("peers");
  assert.match(text.out, new RegExp(`^\\d+ peers?:\n(.*\n)*  ${bob} +127.0.0.1:`));
  // A listener that has started late would miss it: tell until it has heard.
  for (let count = 0; !listener.stdout.includes("psst"); count++) {
    assert.ok(count < 100, listener.report());
    await other.send({ command: "send", to: alice.nickname, content: "psst", ref: count });
    await other.waitFor({ event: "sent", ref: count });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await client.waitFor({ event: "message", content: "psst" });
  const [line] = listener.stdout.split("\n");
  assert.equal(JSON.parse(line).from, bob);
  listener.kill("SIGTERM");
  assert.equal((await listener.exited()).code, 0, listener.report());
});

Deno.test("listen without a client is one, and others go through it", async () => {
  await using root = await TemporaryDirectory.make();
  const alice = place(root.path);
  const bob = unique("bob");
  await using other = startClient(bob, { args: LOOPBACK });
  await other.waitFor({ event: "ready" });
  await using listener = alice.start("listen");
  await other.waitFor({ event: "peer_up", nickname: alice.nickname });
  await other.send({ command: "send", to: alice.nickname, content: "psst\u001b" });
  await listener.waitForText(/^\[\d\d:\d\d:\d\d\] .*: psst\\u\{1b\}\n/);
  const sent = await alice.run("send", bob, "through a listener");
  assert.equal(sent.code, 0, sent.err);
  await other.waitFor({ event: "message", content: "through a listener" });
  listener.kill("SIGINT");
  assert.equal((await listener.exited()).code, 0, listener.report());
  await other.waitFor({ event: "peer_down", nickname: alice.nickname, reason: "goodbye" });
});

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
