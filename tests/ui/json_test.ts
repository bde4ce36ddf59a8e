import assert from "node:assert/strict";
import fc from "fast-check";
import type { Node } from "../../lib/node.ts";
import { runJsonInterface } from "../../lib/ui/json.ts";
import { isMessageId } from "../../lib/wire/message_id.ts";
import { Listening, World } from "../node/fixtures.ts";
import { watched } from "../peer/fixtures.ts";
import { settle } from "../support/fake_clock.ts";
import { Keyboard, Paper, startKeeping, until } from "./driven.ts";

type Line = Record<string, unknown>;

/** A program that drives alice by JSON, and bob, who listens. */
async function start({ world = new World(), withBob = true } = {}) {
  const alice = await startKeeping(world, "alice");
  const bob = withBob ? new Listening(await world.start("bob")) : undefined;
  await world.clock.advance(250);
  const keyboard = new Keyboard();
  const paper = new Paper();
  const stop = new AbortController();
  const { read } = keyboard;
  const { output } = paper;
  const options = {
    clock: world.clock,
    node: alice,
    version: "1.2.3",
    read,
    output,
    signal: stop.signal,
  };
  const running = runJsonInterface(options);
  const run = watched(running);
  await settle();
  return {
    world,
    alice,
    bob: bob!,
    keyboard,
    paper,
    stop,
    run,
    running,
    /** The objects that came, or those of one event. */
    events(name?: string): Line[] {
      const all = paper.lines.map((line) => JSON.parse(line) as Line);
      return name === undefined ? all : all.filter(({ event }) => event === name);
    },
    /** Types a command and returns the objects that it is answered with, without message ids. */
    async answers(command: unknown): Promise<Line[]> {
      const before = paper.lines.length;
      keyboard.type(`${typeof command === "string" ? command : JSON.stringify(command)}\n`);
      await settle(16);
      return paper.lines.slice(before).map((line) => withoutId(JSON.parse(line)));
    },
    async end(): Promise<void> {
      keyboard.end();
      await running;
      await alice[Symbol.asyncDispose]();
      await bob?.node[Symbol.asyncDispose]();
    },
  };
}

/** The same object, whose message id has the right form, without it. */
function withoutId({ message_id, ...rest }: Line): Line {
  if (message_id !== undefined) assert.ok(isMessageId(message_id));
  return rest;
}

const portOf = (node: Node) => node.tcpPort;

Deno.test("the first object says that the program is ready, then come the events", async () => {
  const { events, alice, bob, end } = await start();
  assert.deepEqual(events(), [
    { event: "ready", nickname: "alice", tcp_port: portOf(alice), version: "1.2.3" },
    {
      event: "peer_up",
      nickname: "bob",
      label: "bob",
      address: `10.0.0.2:${portOf(bob.node)}`,
      via: "lan",
      encrypted: false,
      trust: "plain",
    },
  ]);
  await end();
});

Deno.test("messages and departures come as they are documented", async () => {
  const { events, bob, world, end } = await start();
  await bob.node.send("alice", "hello");
  await until(() => events("message").length === 1, "the message");
  const [message] = events("message");
  assert.match(String(message.address), /^10\.0\.0\.2:\d+$/);
  const timestamp = Math.floor(world.clock.now() / 1000);
  assert.deepEqual(message, {
    event: "message",
    from: "bob",
    content: "hello",
    timestamp,
    address: message.address,
    encrypted: false,
    trust: "plain",
  });
  const address = `10.0.0.2:${portOf(bob.node)}`;
  await bob.node[Symbol.asyncDispose]();
  await settle();
  assert.deepEqual(events("peer_down"), [
    {
      event: "peer_down",
      nickname: "bob",
      label: "bob",
      address,
      via: "lan",
      encrypted: false,
      trust: "plain",
      reason: "goodbye",
    },
  ]);
  await end();
});

Deno.test("the state of the bootstrap server and problems come as events", async () => {
  const world = new World();
  const node = await startKeeping(world, "alice", {
    mode: "internet",
    bootstrapServer: "ws://10.0.0.9:1",
  });
  const keyboard = new Keyboard();
  const paper = new Paper();
  const { output } = paper;
  const signal = new AbortController().signal;
  const run = runJsonInterface({
    clock: world.clock,
    node,
    version: "1",
    read: keyboard.read,
    output,
    signal,
  });
  await world.clock.advance(10);
  const [, connecting, disconnected] = paper.lines.map((line) => JSON.parse(line));
  const url = "ws://10.0.0.9:1";
  assert.deepEqual(connecting, { event: "bootstrap", state: "connecting", url });
  assert.deepEqual(disconnected, {
    event: "bootstrap",
    state: "disconnected",
    url,
    reason: disconnected.reason,
  });
  assert.match(disconnected.reason, /There is no server/);
  keyboard.end();
  await run;
  await node[Symbol.asyncDispose]();
});

Deno.test("every command is answered, and a reference comes back as it was", async () => {
  const { answers, world, bob, end } = await start();
  for (const ref of ["7", "", 7, -1.5, 0, undefined]) {
    const back = ref === undefined ? {} : { ref };
    assert.deepEqual(await answers({ command: "send", to: "bob", content: "hi", ref }), [
      { event: "sent", to: "bob", ...back },
    ]);
    const address = `10.0.0.2:${portOf(bob.node)}`;
    const last_seen = Math.floor(world.clock.now() / 1000);
    assert.deepEqual(await answers({ command: "peers", ref }), [{
      event: "peers",
      peers: [{
        nickname: "bob",
        label: "bob",
        address,
        via: "lan",
        encrypted: false,
        trust: "plain",
        last_seen,
        addresses: [{ address, via: "lan", last_seen }],
      }],
      ...back,
    }]);
    const [failed, ...more] = await answers({ command: "send", to: "bbo", content: "hi", ref });
    assert.deepEqual(more, []);
    const { message } = failed;
    assert.deepEqual(failed, { event: "error", message, code: "unknown_peer", ...back });
    assert.match(
      String(failed.message),
      /Cannot reach "bbo": no such peer; did you mean "bob"\?/,
    );
  }
  assert.equal(bob.heard.length, 6);
  await end();
});

Deno.test("slash commands are taken as people type them", async () => {
  const { answers, bob, end } = await start();
  assert.deepEqual(await answers("/send bob hello there"), [{ event: "sent", to: "bob" }]);
  assert.deepEqual(bob.heard, ["alice: hello there"]);
  assert.equal((await answers("/peers"))[0].event, "peers");
  const [help] = await answers("/h");
  assert.deepEqual(Object.keys(help), ["event", "text"]);
  assert.match(String(help.text), /\/send/);
  assert.deepEqual(await answers("  "), []);
  assert.match(String((await answers("/nonsense"))[0].message), /Unknown command \/nonsense/);
  assert.match(String((await answers("/send bob"))[0].message), /Usage: \/send/);
  await end();
});

const MISTAKES: [line: string, message: RegExp, ref?: string | number][] = [
  ["hello", /not a JSON object; write one JSON object a line/],
  ["[]", /not a JSON object/],
  ["{", /not a JSON object/],
  ["{]}", /not JSON/],
  ["{}", /"command" must be "send", "history", .*"unblock", "quit"$/],
  ['{"command":7,"ref":1}', /"command" must be/, 1],
  ['{"command":"sned","ref":1}', /Cannot run the command "sned".*did you mean "send"\?/, 1],
  ['{"command":"help"}', /Cannot run the command "help"/],
  ['{"command":"mistake","message":"x"}', /Cannot run the command "mistake"/],
  ['{"command":"send","to":"bob","ref":"r"}', /"content" must be a string/, "r"],
  ['{"command":"send","content":"x","ref":"r"}', /"to" must be a string/, "r"],
  ['{"command":"send","to":["bob"],"content":"x"}', /"to" must be a string/],
  ['{"command":"verify","ref":"r"}', /Cannot run verify: "peer" must be a string/, "r"],
  ['{"command":"block","peer":["bob"]}', /Cannot run block: "peer" must be a string/],
  ['{"command":"history","peer":7,"ref":"r"}', /history: "peer" must be a string/, "r"],
  ['{"command":"history","count":0}', /history: "count" must be a whole number of 1 to 1000$/],
  ['{"command":"history","count":1001}', /"count" must be a whole number of 1 to 1000$/],
  ['{"command":"history","count":1.5}', /"count" must be a whole number/],
  ['{"command":"history","count":"5"}', /"count" must be a whole number/],
  ['{"command":"search","ref":1}', /Cannot search: "query" must be a string/, 1],
  ['{"command":"search","query":"x","count":201}', /search: .* of 1 to 200$/],
  ['{"command":"search","query":"-","ref":2}', /Cannot search for "-": it has no word/, 2],
  ['{"command":"cancel","ref":3}', /Cannot cancel: "message_id" must be a string/, 3],
  ['{"command":"cancel","message_id":"abcd1234"}', /no message that waits has an id/],
  ['{"command":"clear_history","peer":[]}', /clear_history: "peer" must be a string/],
  ["/history clear", /^This deletes everything for good; type \/history clear yes/],
  ['{"command":"peers","ref":{}}', /"ref" must be a string or a number/],
  ['{"command":"peers","ref":null}', /"ref" must be a string or a number/],
  ['{"command":"peers","ref":12345678901234567890}', /"ref" must be a string or a number/],
  ['{"command":"peers","ref":1e999}', /"ref" must be a string or a number/],
];

Deno.test("a mistake is answered with an error, and the next command with its answer", async () => {
  const { answers, end } = await start();
  for (const [line, message, ref] of MISTAKES) {
    const [answer, ...more] = await answers(line);
    assert.deepEqual(more, [], line);
    assert.equal(answer.event, "error", line);
    assert.match(String(answer.message), message, line);
    assert.equal(answer.ref, ref, line);
  }
  const [refused] = await answers(
    `{"command":"send","to":"bob","content":"${"x".repeat(1 << 20)}"}`,
  );
  assert.match(String(refused.message), /line above the limit of 1048576 bytes/);
  const [tooLong] = await answers({
    command: "send",
    to: "bob",
    content: "x".repeat(65_537),
    ref: 1,
  });
  assert.match(String(tooLong.message), /a message has at most 65536/);
  assert.equal(tooLong.ref, 1);
  assert.deepEqual(await answers({ command: "send", to: "bob", content: "x" }), [
    { event: "sent", to: "bob" },
  ]);
  await end();
});

Deno.test("content of others passes unchanged, whatever is in it, in one line each", async () => {
  const { events, paper, bob, end } = await start();
  const unit = fc.oneof(
    fc.constantFrom("\x1b]52;c;aGk=\x07", "\x1b[2J", "\x9b", "\r", "\n", "\0", "\u2028", "\u202e"),
    fc.constantFrom('"', "\\", "}", "\ud800", "\udc00", "😀", "\ufeff"),
    fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
  );
  const content = fc.array(unit, { maxLength: 20 }).map((units) => units.join(""));
  await fc.assert(
    fc.asyncProperty(content, async (text) => {
      const before = paper.lines.length;
      await bob.node.send("alice", text);
      await until(() => paper.lines.length > before, "the message");
      assert.equal(paper.lines.length, before + 1);
      assert.equal(events("message").at(-1)!.content, text.toWellFormed());
    }),
    { numRuns: 200 },
  );
  await end();
});

Deno.test("answers to one peer come in the order of the commands", async () => {
  const { keyboard, events, bob, end } = await start();
  const commands = Array.from({ length: 3000 }, (_, ref) => (
    `${JSON.stringify({ command: "send", to: "bob", content: String(ref), ref })}\n`
  ));
  keyboard.type(commands.join(""));
  await until(() => events("sent").length === 3000, "all answers");
  assert.deepEqual(events("sent").map(({ ref }) => ref), commands.map((_, index) => index));
  await until(() => bob.heard.length === 3000, "all messages");
  assert.deepEqual(bob.heard, commands.map((_, index) => `alice: ${index}`));
  await end();
});

Deno.test("quit and the end of the input finish what is being sent", async () => {
  for (const way of ["quit", "/quit", "end", "signal"]) {
    const { world, keyboard, events, run, stop, alice, bob } = await start();
    world.network.delayMs = 400;
    keyboard.type('{"command":"send","to":"bob","content":"last words","ref":1}\n');
    await settle();
    if (way === "quit") keyboard.type('{"command":"quit"}\n{"command":"peers"}\n');
    if (way === "/quit") keyboard.type("/q\n/peers\n");
    if (way === "end") keyboard.end();
    if (way === "signal") stop.abort();
    await settle();
    assert.equal(run.state, "waiting", way);
    await world.clock.advance(500);
    assert.equal(run.state, "sent", way);
    assert.deepEqual(events("sent").map(withoutId), [{ event: "sent", to: "bob", ref: 1 }]);
    assert.deepEqual(events("peers"), [], "nothing is done after the end");
    await world.clock.advance(500);
    assert.deepEqual(bob.heard, ["alice: last words"]);
    const ended = Promise.all([alice, bob.node].map((node) => node[Symbol.asyncDispose]()));
    await world.clock.advance(1000);
    await ended;
  }
});

Deno.test("a peer that takes nothing delays the end that was asked for by five seconds", async () => {
  for (const way of ["quit", "signal"]) {
    const { world, alice, bob, keyboard, stop, run, events } = await start();
    alice.messages.idle = () => new Promise(() => {});
    Object.defineProperty(alice.messages, "pendingCount", { value: 3 });
    keyboard.type('{"command":"send","to":"bob","content":"one"}\n');
    await settle();
    if (way === "quit") keyboard.type('{"command":"quit"}\n');
    else stop.abort();
    await world.clock.advance(4999);
    assert.equal(run.state, "waiting", way);
    await world.clock.advance(1);
    assert.equal(run.state, "sent", way);
    assert.deepEqual(events().at(-1), { event: "remaining", count: 3 });
    await alice[Symbol.asyncDispose]();
    await bob.node[Symbol.asyncDispose]();
  }
});

Deno.test("what the disk does not take within five seconds is told at the end", async () => {
  const { world, alice, bob, keyboard, run, events } = await start();
  alice.post = () => new Promise(() => {});
  keyboard.type('{"command":"send","to":"bob","content":"one"}\n{"command":"quit"}\n');
  await world.clock.advance(5000);
  assert.equal(run.state, "sent");
  assert.match(String(events("error").at(-1)?.message), /^Gave up 1 command .* within 5 s$/);
  await alice[Symbol.asyncDispose]();
  await bob.node[Symbol.asyncDispose]();
});

Deno.test("a signal that came before the start ends it at once", async () => {
  const world = new World();
  const node = await startKeeping(world, "alice");
  const paper = new Paper();
  const { read } = new Keyboard();
  await runJsonInterface({
    clock: world.clock,
    node,
    version: "1",
    read,
    output: paper.output,
    signal: AbortSignal.abort(),
  });
  assert.equal(paper.lines.length, 1);
  await node[Symbol.asyncDispose]();
});

Deno.test("it ends when nobody reads the output any more, whatever is being sent", async () => {
  const { world, keyboard, paper, run, alice, bob } = await start();
  world.network.delayMs = 100_000;
  keyboard.type("/send bob never arrives\n");
  await settle();
  paper.tear();
  keyboard.type("/peers\n");
  await settle();
  assert.equal(run.state, "sent");
  for (const node of [alice, bob.node]) await node[Symbol.asyncDispose]();
});

Deno.test("a reader that is slow makes the input and the peers wait", async () => {
  const { keyboard, paper, bob, events, end } = await start();
  paper.stall();
  const commands = "/peers\n".repeat(100_000);
  keyboard.type(commands);
  await settle(40);
  assert.ok(keyboard.taken < commands.length / 2, `${keyboard.taken} bytes were read`);
  const sends: { state: unknown }[] = [];
  // In portions, between which what was taken is stored.
  for (let round = 0; round < 40; round++) {
    for (let more = 0; more < 500; more++) {
      sends.push(watched(bob.node.send("alice", "y".repeat(1000))));
    }
    await settle(2);
  }
  assert.ok(sends.some(({ state }) => state === "waiting"));
  paper.go();
  await until(() => sends.every(({ state }) => state === "sent"), "the messages to be taken");
  await until(() => keyboard.taken === commands.length, "the commands to be read");
  const heard = () => paper.text.match(/"event":"message"/g)?.length;
  for (let turn = 0; turn < 200 && heard() !== sends.length; turn++) await settle(20);
  keyboard.end();
  await end();
  assert.equal(events("message").length, sends.length);
  assert.equal(events("peers").length, 100_000);
});

Deno.test("a reader that stalls delays the end that a signal asks for by a second", async () => {
  for (const inputEnds of [false, true]) {
    const { world, keyboard, paper, stop, run, alice, bob } = await start();
    paper.stall();
    keyboard.type("/peers\n");
    if (inputEnds) keyboard.end();
    await world.clock.advance(60_000);
    assert.equal(run.state, "waiting");
    stop.abort();
    await world.clock.advance(999);
    assert.equal(run.state, "waiting");
    await world.clock.advance(1);
    assert.equal(run.state, "sent");
    for (const node of [alice, bob.node]) await node[Symbol.asyncDispose]();
    assert.equal(world.clock.waiting, 0);
  }
});

Deno.test("unknown members of a command are no mistake", async () => {
  const { answers, end } = await start();
  assert.deepEqual(
    await answers({ command: "send", to: "bob", content: "x", future: true, __proto__: null }),
    [{ event: "sent", to: "bob" }],
  );
  await end();
});
