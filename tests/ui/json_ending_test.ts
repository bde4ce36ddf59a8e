import assert from "node:assert/strict";
import { runJsonInterface } from "../../lib/ui/json.ts";
import { World } from "../node/fixtures.ts";
import { watched } from "../peer/fixtures.ts";
import { settle } from "../support/fake_clock.ts";
import { Keyboard, Paper, startKeeping, until } from "./driven.ts";
import { start, withoutId } from "./json_fixtures.ts";

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
