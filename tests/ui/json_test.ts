import assert from "node:assert/strict";
import fc from "fast-check";
import type { Node } from "../../lib/node.ts";
import { runJsonInterface } from "../../lib/ui/json.ts";
import { World } from "../node/fixtures.ts";
import { settle } from "../support/fake_clock.ts";
import { Keyboard, Paper, startKeeping, until } from "./driven.ts";
import { start } from "./json_fixtures.ts";

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
