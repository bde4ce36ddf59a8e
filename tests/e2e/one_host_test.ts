import assert from "node:assert/strict";
import { startClient } from "../support/program.ts";
import { unique } from "../support/unique.ts";
import { plainOnly, sessionTest } from "../support/sessions.ts";

const LOOPBACK = ["--interface", "127.0.0.1"];

/** No announce but the first falls into a test with this. */
const SELDOM = "[peer]\nannounce_interval_secs = 60\ntimeout_secs = 180\n";
/** Peers that were killed are noticed soon. */
const OFTEN = "[peer]\nannounce_interval_secs = 1\ntimeout_secs = 2\n";

function start(nickname: string, config?: string) {
  return startClient(nickname, { args: LOOPBACK, config });
}

sessionTest("two clients on one host find each other and exchange messages", async () => {
  const [alice, bob] = [unique("alice"), unique("bob")];
  await using a = start(alice);
  const ready = await a.waitFor({ event: "ready" });
  assert.equal(ready.nickname, alice);
  assert.equal(typeof ready.version, "string");
  assert.equal(a.events[0], ready, "ready comes first");
  await using b = start(bob);
  const { tcp_port: port } = await b.waitFor({ event: "ready" });
  const up = await a.waitFor({ event: "peer_up", nickname: bob });
  assert.equal(up.address, `127.0.0.1:${port}`);
  assert.equal(up.via, "lan");
  await b.waitFor({ event: "peer_up", nickname: alice });

  const contents = [
    "hi",
    "",
    'quotes " and \\ backslashes',
    "two\nlines\tand a tab",
    "žluťoučký 你好 😀 \u0000 \u001b[2J \u202e",
    "x".repeat(60_000),
  ];
  for (const [index, content] of contents.entries()) {
    await a.send({ command: "send", to: bob, content, ref: `m${index}` });
  }
  const before = Math.floor(Date.now() / 1000);
  for (const [index, content] of contents.entries()) {
    const message = await b.waitFor((event) =>
      event.event === "message" && event.content === content
    );
    assert.equal(message.from, alice);
    assert.ok(Math.abs((message.timestamp as number) - before) < 60, String(message.timestamp));
    assert.match(String(message.address), /^127\.0\.0\.1:\d+$/);
    const sent = await a.waitFor({ event: "sent", ref: `m${index}` });
    assert.equal(sent.to, bob);
  }
  const received = b.all({ event: "message" }).map((event) => event.content);
  assert.deepEqual(received, contents, "messages arrive once and in their order");

  await b.send({ command: "send", to: alice, content: "and back" });
  await a.waitFor({ event: "message", from: bob, content: "and back" });
});

sessionTest("three clients on one host see each other and list each other", async () => {
  const names = [unique("ann"), unique("ben"), unique("cleo")];
  await using first = start(names[0]);
  await using second = start(names[1]);
  await using third = start(names[2]);
  const clients = [first, second, third];
  for (const [index, client] of clients.entries()) {
    const others = names.filter((name) => name !== names[index]);
    for (const nickname of others) await client.waitFor({ event: "peer_up", nickname });
    await client.send({ command: "peers", ref: 7 });
    const { peers } = await client.waitFor({ event: "peers", ref: 7 });
    const listed = peers as { nickname: string; address: string; via: string; last_seen: number }[];
    for (const nickname of others) {
      const entries = listed.filter((peer) => peer.nickname === nickname);
      assert.equal(entries.length, 1, `${nickname} is listed once`);
      assert.equal(entries[0].via, "lan");
      assert.match(entries[0].address, /^127\.0\.0\.1:\d+$/);
      assert.ok(Math.abs(entries[0].last_seen - Date.now() / 1000) < 60);
    }
    assert.ok(!listed.some((peer) => peer.nickname === names[index]), "not oneself");
    for (const nickname of others) {
      await client.send({ command: "send", to: nickname, content: `from ${index}` });
    }
  }
  for (const [index, client] of clients.entries()) {
    for (const other of [0, 1, 2].filter((one) => one !== index)) {
      await client.waitFor({ event: "message", from: names[other], content: `from ${other}` });
    }
  }
});

Deno.test("a client says goodbye when it quits, is interrupted or is terminated", async () => {
  await using watcher = start(unique("watcher"), SELDOM);
  await watcher.waitFor({ event: "ready" });
  const [quits, interrupted, terminated] = [unique("quit"), unique("int"), unique("term")];
  await using first = start(quits, SELDOM);
  await using second = start(interrupted, SELDOM);
  await using third = start(terminated, SELDOM);
  for (const nickname of [quits, interrupted, terminated]) {
    await watcher.waitFor({ event: "peer_up", nickname });
  }
  await first.send({ command: "quit" });
  second.kill("SIGINT");
  third.kill("SIGTERM");
  for (const nickname of [quits, interrupted, terminated]) {
    const down = await watcher.waitFor({ event: "peer_down", nickname });
    assert.equal(down.reason, "goodbye");
    assert.match(String(down.address), /^127\.0\.0\.1:\d+$/);
  }
  assert.equal((await first.exited()).code, 0);
  await second.exited();
  await third.exited();
});

Deno.test("a client that is killed is down after its time-out", async () => {
  const victim = unique("victim");
  await using watcher = start(unique("watcher"), OFTEN);
  await using killed = start(victim, OFTEN);
  await watcher.waitFor({ event: "peer_up", nickname: victim });
  killed.kill("SIGKILL");
  const down = await watcher.waitFor({ event: "peer_down", nickname: victim });
  assert.equal(down.reason, "timeout");
});

Deno.test("a newcomer sees everybody without waiting for their next announce", async () => {
  const [ann, ben] = [unique("ann"), unique("ben")];
  await using first = start(ann, SELDOM);
  await using second = start(ben, SELDOM);
  await first.waitFor({ event: "ready" });
  await second.waitFor({ event: "ready" });
  const newcomer = unique("newcomer");
  await using third = start(newcomer, SELDOM);
  await third.waitFor({ event: "peer_up", nickname: ann });
  await third.waitFor({ event: "peer_up", nickname: ben });
  await first.waitFor({ event: "peer_up", nickname: newcomer });
});

Deno.test("a message that cannot be sent is reported with its cause and its ref", async () => {
  const bob = unique("bob");
  await using a = start(unique("alice"), SELDOM);
  await using b = start(bob, SELDOM);
  const up = await a.waitFor({ event: "peer_up", nickname: bob });
  await a.send({ command: "send", to: bob.slice(0, -1), content: "hi", ref: "typo" });
  const typo = await a.waitFor({ event: "error", ref: "typo" });
  assert.ok(String(typo.message).includes(bob), "the nearest nickname is named");
  await a.send({ command: "send", to: bob, content: "x".repeat(70_000), ref: "long" });
  const long = await a.waitFor({ event: "error", ref: "long" });
  assert.match(String(long.message), /65,?536|64 KiB/, "the limit is named");
  b.kill("SIGKILL");
  await b.exited();
  await a.send({ command: "send", to: bob, content: "hi", ref: "gone" });
  if (plainOnly) {
    // Without sessions it is as to a version 1 peer, for whom nothing waits.
    const failed = await a.waitFor({ event: "failed", ref: "gone" });
    assert.ok(String(failed.message).includes(String(up.address)), "the address is named");
    return;
  }
  await a.waitFor({ event: "pending", ref: "gone" });
  await a.waitFor(({ event, message }) =>
    event === "error" && String(message).includes(String(up.address))
  );
});

Deno.test("input that is no command is reported and stops nothing", async () => {
  await using a = start(unique("alice"));
  await a.waitFor({ event: "ready" });
  const lines = [
    "{",
    "[]",
    '{"command":"dance","ref":"1"}',
    '{"command":"send","ref":"2"}',
    '{"command":"send","to":7,"content":[],"ref":"3"}',
    "hello",
    "/dance",
    "/send",
  ];
  for (const line of lines) {
    const from = a.mark();
    await a.write(line + "\n");
    await a.waitFor({ event: "error" }, from);
  }
  await a.send({ command: "peers", ref: "still here" });
  await a.waitFor({ event: "peers", ref: "still here" });
  await a.write("/quit\n");
  assert.equal((await a.exited()).code, 0);
});
