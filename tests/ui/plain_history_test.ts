import assert from "node:assert/strict";
import type { Node } from "../../lib/node.ts";
import { PlainInterface } from "../../lib/ui/plain.ts";
import { passing } from "../node/history_fixtures.ts";
import { SecureWorld } from "../node/secure_world.ts";
import { Keyboard, Paper, startKeeping, startSecure, until } from "./driven.ts";

/** A node that is driven from a pipe. */
function drive(secure: SecureWorld, node: Node) {
  const keyboard = new Keyboard();
  const paper = new Paper();
  const running = new PlainInterface({
    clock: secure.world.clock,
    node,
    mode: "local",
    version: "1",
    announceIntervalMs: 100,
    read: keyboard.read,
    output: paper.output,
    signal: new AbortController().signal,
  }).run();
  return {
    keyboard,
    paper,
    running,
    async said(line: string, pattern: RegExp): Promise<string> {
      const before = paper.text.length;
      keyboard.type(`${line}\n`);
      await until(() => pattern.test(paper.text.slice(before)), `${pattern} after ${line}`);
      return paper.text.slice(before);
    },
  };
}

async function start(secure: SecureWorld) {
  const node = await startSecure(secure, "alice");
  const ofBob = await secure.profile();
  const bob = await secure.startWith("bob", ofBob);
  const driven = drive(secure, node);
  await secure.world.clock.advance(2000); // from then on nobody is waited for
  await driven.said("/send bob hello", /^✓ delivered to bob\n/m);
  return { node, bob, ofBob, ...driven };
}

async function leave(secure: SecureWorld, node: Node, left: Node): Promise<void> {
  await secure.end(left);
  for (let turn = 0; turn < 100 && node.peers().length > 0; turn++) {
    await secure.world.clock.advance(100);
  }
}

Deno.test("a message that waits is a line and no failure, and so is the end of the input", async () => {
  await using secure = new SecureWorld();
  const { node, bob, keyboard, paper, running } = await start(secure);
  await leave(secure, node, bob.node);
  keyboard.type("/send bob one\n/send bob two\n");
  keyboard.end();
  assert.equal(await running, true, "the exit status tells of no failure");
  assert.deepEqual(paper.lines.slice(-3), [
    "… bob is away: kept until it is back",
    "… bob is away: kept until it is back",
    "… 2 messages remain in the outbox and are sent the next time",
  ]);
});

Deno.test("a message that waited is told again when it has arrived", async () => {
  await using secure = new SecureWorld();
  const { node, bob, ofBob, said, keyboard, paper, running } = await start(secure);
  await leave(secure, node, bob.node);
  await said("/send bob for later", /^… bob is away: kept until it is back\n/m);
  const back = await secure.startWith("bob", ofBob);
  await passing(secure, () => back.heard.length === 1, "the message");
  const mark = '✓ delivered to bob: "for later"';
  await passing(secure, () => paper.lines.includes(mark), "the mark");
  keyboard.end();
  assert.equal(await running, true);
});

Deno.test("who takes a message back has not failed, who cancels nothing has", async () => {
  for (const fails of [false, true]) {
    await using secure = new SecureWorld();
    const { node, bob, said, keyboard, paper, running } = await start(secure);
    await leave(secure, node, bob.node);
    await said("/send bob for later", /^… bob is away/m);
    const id = node.messages.pending()[0].id!;
    const { length } = paper.lines;
    await said(`/outbox cancel ${id.slice(-8)}`, /^✗ cancelled: "for later" to bob\n/m);
    assert.equal(paper.lines.length, length + 1, "one line, not another one for the command");
    if (fails) await said(`/outbox cancel ${id}`, /^Cannot cancel .*: it is failed already$/m);
    keyboard.end();
    assert.equal(await running, !fails);
  }
});

Deno.test("people read, search and delete what was said", async () => {
  await using secure = new SecureWorld();
  const { bob, said, keyboard, running } = await start(secure);
  await bob.node.post("alice", "good \x1b[2J morning");
  await said("/peers", /\] bob: good \\u\{1b\}\[2J morning\n/);
  const history = await said("/history bob 2", /you → bob ✓: hello\n.*good/);
  assert.match(history, /^\[\d{4}-\d\d-\d\d \d\d:\d\d\] bob: good \\u\{1b\}\[2J morning$/m);
  const hits = await said("/search morning from:bob", /found, the newest first:\n\n.*\n.*\n/);
  assert.match(hits, /^ {2}\[.*\] you → bob ✓: hello\n\[.*\] bob: good \\u\{1b\}\[2J morning\n/m);
  await said("/outbox", /^No message waits\n/m);
  await said("/history carol", /^Cannot show a history with "carol": there is none/m);
  await said("/history clear bob", /^This deletes what was said with bob for good; type /m);
  await said("/history clear bob yes", /^Deleted 2 messages with bob; /m);
  await said("/history", /^There is no history yet\n/m);
  keyboard.end();
  assert.equal(await running, false, "what was not confirmed was not done");
});

Deno.test("a message that fails is told with the reason, and is a failure", async () => {
  await using secure = new SecureWorld();
  const node = await startKeeping(secure.world, "alice");
  const host = secure.world.host();
  const old = await secure.world.start("old", { host });
  await secure.world.clock.advance(250);
  const { keyboard, paper, running } = drive(secure, node);
  secure.world.network.cut(host);
  secure.world.network.partition([host]);
  keyboard.type("/send old hi\n");
  keyboard.end();
  for (let turn = 0; turn < 300 && !/not delivered/.test(paper.text); turn++) {
    await secure.world.clock.advance(100);
  }
  assert.equal(await running, false);
  assert.match(paper.text, /^✗ not delivered to old: Cannot connect to "old" at .*$/m);
  await secure.end(node, old);
});
