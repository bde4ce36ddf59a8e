import assert from "node:assert/strict";
import { systemRandom } from "../../lib/base/random.ts";
import { MessageIdSource } from "../../lib/wire/message_id.ts";
import { PlainInterface } from "../../lib/ui/plain.ts";
import { Listening, World } from "../node/fixtures.ts";
import { watched } from "../peer/fixtures.ts";
import { settle } from "../support/fake_clock.ts";
import { Keyboard, Paper, startKeeping, until } from "./driven.ts";

/** A program that alice drives from a pipe. */
async function start(world = new World(), columns?: number) {
  const node = await startKeeping(world, "alice");
  const keyboard = new Keyboard();
  const paper = new Paper();
  const stop = new AbortController();
  const running = new PlainInterface({
    clock: world.clock,
    node,
    mode: "local",
    version: "1.2.3",
    announceIntervalMs: 5000,
    read: keyboard.read,
    output: paper.output,
    columns,
    signal: stop.signal,
  }).run();
  await settle();
  return { world, node, keyboard, paper, stop, running, run: watched(running) };
}

async function close(...nodes: AsyncDisposable[]): Promise<void> {
  for (const node of nodes) await node[Symbol.asyncDispose]();
}

Deno.test("the greeting says who and where one is, without escape sequences", async () => {
  const { node, keyboard, paper, running } = await start();
  assert.match(paper.lines[0], /^Parlance 1\.2\.3: you are alice, listening on TCP port \d+$/);
  assert.match(paper.text, /on the local network; \/help/);
  assert.match(paper.text, /not encrypted/);
  assert.ok(!paper.text.includes("\x1b"));
  keyboard.end();
  assert.equal(await running, true);
  await close(node);
});

Deno.test("commands at the start wait for the peer that they name", async () => {
  const { world, node, keyboard, paper, running, run } = await start();
  keyboard.type("/send bob one\n/send bob two\n");
  keyboard.end();
  await world.clock.advance(3000);
  assert.equal(run.state, "waiting");
  const bob = new Listening(await world.start("bob"));
  await world.clock.advance(250);
  assert.equal(await running, true);
  assert.deepEqual(bob.heard, ["alice: one", "alice: two"]);
  assert.equal(
    paper.lines.filter((line) => line === "→ sent to bob in plain text; it does not confirm")
      .length,
    2,
  );
  await close(node, bob.node);
});

Deno.test("a peer that does not come is waited for until its announce was due, once", async () => {
  const { world, node, keyboard, paper, run, running } = await start();
  keyboard.type("/send bob one\n/send rob two\n");
  keyboard.end();
  await world.clock.advance(5999);
  assert.equal(run.state, "waiting");
  await world.clock.advance(2);
  assert.equal(await running, false, "the exit status tells that something failed");
  assert.equal(paper.lines.filter((line) => /no such peer/.test(line)).length, 2);
  await close(node);
});

Deno.test("the list at the start waits half a second for answers, later not at all", async () => {
  const world = new World();
  const bob = await world.start("bob");
  const { node, keyboard, paper, run, running } = await start(world);
  keyboard.type("/peers\n");
  await world.clock.advance(499);
  assert.ok(!paper.text.includes("1 peer:"));
  await world.clock.advance(2);
  assert.match(
    paper.text,
    /\n1 peer:\n {2}bob {2}10\.0\.0\.1:\d+ {2}local network {2}plain text {2}for 0 s\n/,
  );
  keyboard.type("/peers\n");
  await settle();
  assert.equal(paper.lines.filter((line) => line === "1 peer:").length, 2);
  assert.equal(run.state, "waiting");
  keyboard.end();
  assert.equal(await running, true);
  await close(node, bob);
});

Deno.test("messages, arrivals and departures are lines of text, made harmless", async () => {
  const world = new World();
  const { node, keyboard, paper, running } = await start(world);
  const bob = await world.start("bob");
  await world.clock.advance(250);
  await bob.send("alice", "hi\x1b]52;c;aGk=\x07\r\n[00:00:00] root: x\u202e\x9b2J");
  await settle();
  await close(bob);
  await settle();
  keyboard.end();
  await running;
  const [, , , up, first, second, down] = paper.lines;
  assert.match(up, /^\* bob is here \(10\.0\.0\.2:\d+, local network\)$/);
  assert.match(first, /^\[\d\d:\d\d:\d\d\] bob \[plain\]: hi\\u\{1b\}\]52;c;aGk=\\u\{7\}\\u\{d\}$/);
  assert.equal(second, "    [00:00:00] root: x\\u{202e}\\u{9b}2J");
  assert.equal(down, "* bob has gone (said goodbye)");
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(paper.text, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  await close(node);
});

Deno.test("on a screen lines are wrapped, and comings and goings bounded; a pipe gets all", async () => {
  for (const columns of [40, undefined]) {
    const { world, node, keyboard, paper, running } = await start(new World(), columns);
    const bob = await world.start("bob");
    await world.clock.advance(250);
    await bob.send("alice", "hi".padEnd(100) + "[10:00:00] root: fake");
    const others = [];
    for (let at = 0; at < 30; at++) others.push(await world.start(`eve ${at}`));
    await world.clock.advance(500);
    const rows = paper.lines.slice(3);
    const arrivals = rows.filter((row) => row.includes(" is here ("));
    if (columns === undefined) {
      assert.equal(arrivals.length, 31);
      assert.ok(rows.some((row) => row.endsWith(" [10:00:00] root: fake")));
    } else {
      assert.ok(arrivals.length < 24, `${arrivals.length} arrivals`);
      for (const row of paper.lines) assert.ok(row.length < columns, row);
      assert.ok(rows.some((row) => row.startsWith("    ") && row.includes("root: fake")));
      await world.clock.advance(2000);
      assert.match(paper.text, /more peers came or went/);
    }
    keyboard.end();
    await running;
    await close(node, bob, ...others);
    assert.equal(world.clock.waiting, 0);
  }
});

Deno.test("mistakes are told, the rest is done, and the exit status is that of a failure", async () => {
  const { node, keyboard, paper, running } = await start();
  keyboard.type("hello\n\n/nonsense \x1b[2J\n/send\n/help\n");
  keyboard.end();
  assert.equal(await running, false);
  const text = paper.text;
  assert.match(text, /^Commands must start with \//m);
  assert.match(text, /^Unknown command \/nonsense; /m);
  assert.match(text, /^Usage: \/send <nickname> <message>$/m);
  assert.match(text, /^ {2}\/peers/m);
  await close(node);
});

Deno.test("a mistake with control characters is shown escaped", async () => {
  const { node, keyboard, paper, running } = await start();
  keyboard.type("/\x1b[2J\n");
  keyboard.end();
  await running;
  assert.match(paper.text, /^Unknown command \/\\u\{1b\}\[2J; /m);
  await close(node);
});

Deno.test("quit and the end of the input finish what is being sent", async () => {
  for (const way of ["/quit", "end", "signal"]) {
    const { world, node, keyboard, stop, run } = await start();
    const bob = new Listening(await world.start("bob"));
    await world.clock.advance(250);
    world.network.delayMs = 300;
    keyboard.type("/send bob last words\n");
    await settle();
    if (way === "/quit") keyboard.type("/quit\n/peers\n");
    if (way === "end") keyboard.end();
    if (way === "signal") stop.abort();
    await settle();
    assert.equal(run.state, "waiting", way);
    await world.clock.advance(1000);
    assert.equal(run.state, "sent", way);
    assert.deepEqual(bob.heard, ["alice: last words"]);
    const closing = close(node, bob.node);
    await world.clock.advance(1000);
    await closing;
  }
});

Deno.test("a peer that takes nothing delays the end that was asked for by five seconds", async () => {
  for (const way of ["/quit", "signal", "end, then a signal"]) {
    const { world, node, keyboard, paper, stop, run, running } = await start();
    const bob = await world.start("bob");
    await world.clock.advance(250);
    const to = { contact: { nickname: "bob" }, label: "bob", trust: "plain" } as const;
    const messageId = new MessageIdSource(world.clock, systemRandom).next();
    node.post = () => Promise.resolve({ messageId, to, state: "pending" });
    node.messages.idle = () => new Promise(() => {});
    Object.defineProperty(node.messages, "pendingCount", { value: 2 });
    keyboard.type("/send bob one\n/send bob two\n");
    await settle();
    if (way === "/quit") keyboard.type("/quit\n");
    if (way.startsWith("end")) {
      keyboard.end();
      // A script that ends its input has not asked to give anything up.
      await world.clock.advance(60_000);
      assert.equal(run.state, "waiting", way);
    }
    if (way.endsWith("signal")) stop.abort();
    await world.clock.advance(4999);
    assert.equal(run.state, "waiting", way);
    await world.clock.advance(1);
    assert.equal(run.state, "sent", way);
    assert.equal(await running, false, "the exit status tells that something failed");
    assert.deepEqual(paper.lines.slice(-2), [
      "✗ 2 messages in plain text may not have arrived",
      "… 2 messages remain in the outbox and are sent the next time",
    ]);
    await close(node, bob);
    assert.equal(world.clock.waiting, 0);
  }
});

Deno.test("a signal ends the waiting for a peer", async () => {
  const { world, node, keyboard, stop, run } = await start();
  keyboard.type("/send bob hello\n");
  await world.clock.advance(100);
  stop.abort();
  await settle();
  assert.equal(run.state, "sent");
  await close(node);
  assert.equal(world.clock.waiting, 0);
});

Deno.test("it ends when nobody reads the output any more", async () => {
  const { world, node, paper, run } = await start();
  paper.tear();
  const bob = new Listening(await world.start("bob"));
  await world.clock.advance(250);
  await settle();
  assert.equal(run.state, "sent");
  await close(node, bob.node);
});

Deno.test("a reader that is slow makes the input wait", async () => {
  const { node, keyboard, paper, running } = await start();
  paper.stall();
  const commands = "/help\n".repeat(100_000);
  keyboard.type(commands);
  await settle(40);
  assert.ok(keyboard.taken < commands.length / 2, `${keyboard.taken} bytes were read`);
  paper.go();
  await until(() => keyboard.taken === commands.length, "the commands to be read");
  keyboard.end();
  assert.equal(await running, true);
  assert.equal(paper.lines.filter((line) => line === "Commands:").length, 100_000);
  await close(node);
});

Deno.test("a reader that stalls delays the end that a signal asks for by a second", async () => {
  const { world, node, keyboard, paper, stop, run } = await start();
  paper.stall();
  keyboard.type("/help\n");
  await settle();
  stop.abort();
  await world.clock.advance(999);
  assert.equal(run.state, "waiting");
  await world.clock.advance(1);
  assert.equal(run.state, "sent");
  await close(node);
});

Deno.test("input that is ahead of its recipient waits, so that what comes in is shown meanwhile", async () => {
  const { world, node, keyboard, paper, running } = await start();
  const bob = new Listening(await world.start("bob"));
  await world.clock.advance(250);
  const { messages } = node;
  let room: PromiseWithResolvers<void> | undefined = Promise.withResolvers<void>();
  messages.pace = () => room?.promise;
  keyboard.type("/send bob one\n/send bob two\n");
  keyboard.end();
  await bob.node.send("alice", "meanwhile");
  await settle(16);
  assert.deepEqual(bob.heard, []);
  assert.match(paper.lines.at(-1)!, /bob \[plain\]: meanwhile$/);
  const waiting = room;
  room = undefined;
  waiting.resolve();
  assert.equal(await running, true);
  assert.deepEqual(bob.heard, ["alice: one", "alice: two"]);
  await close(node, bob.node);
});
