import assert from "node:assert/strict";
import { startClient, startSupport } from "../support/program.ts";
import { sessionTest } from "../support/sessions.ts";
import { unique } from "../support/unique.ts";
import { modeOf, TemporaryDirectory } from "../identity/files_fixtures.ts";
import { complaints, LOOPBACK, place } from "./control_fixtures.ts";

const ignore = Deno.build.os === "windows";

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
  // Who is killed may be told the last message again.
  const contents = receiver.all(({ event, earlier }) => event === "message" && earlier !== true)
    .map(({ content }) => content);
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

sessionTest("more commands at once than a client serves are all delivered", async () => {
  await using root = await TemporaryDirectory.make();
  const bob = unique("bob");
  await using receiver = startClient(bob, { args: LOOPBACK });
  await receiver.waitFor({ event: "ready" });
  const alice = place(root.path);
  await using client = alice.client();
  await client.waitFor({ event: "peer_up", nickname: bob });
  const numbers = Array.from({ length: 24 }, (_, index) => String(index));
  const sent = await Promise.all(
    numbers.map((number) => alice.run("send", "--timeout", "60", bob, number)),
  );
  assert.deepEqual(sent, numbers.map(() => ({ code: 0, out: `delivered to ${bob}\n`, err: "" })));
  const contents = receiver.all({ event: "message" }).map(({ content }) => String(content));
  assert.deepEqual(contents.sort(), numbers.sort());
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
