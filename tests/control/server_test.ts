import assert from "node:assert/strict";
import { ControlServer } from "../../lib/control/server.ts";
import type { Clock } from "../../lib/base/clock.ts";
import type { ControlEndpoint, Secrets } from "../../lib/control/endpoint.ts";
import { unixSocket } from "../../lib/control/unix_socket.ts";
import { TemporaryDirectory } from "../identity/files_fixtures.ts";
import { Listening, World } from "../node/fixtures.ts";
import { settle } from "../support/fake_clock.ts";
import { startKeeping, until } from "../ui/driven.ts";
import { isMessageId } from "../../lib/wire/message_id.ts";
import { keptLog, MemoryEndpoint, Talker } from "./fixtures.ts";

const HELLO = '{"control":1,"version":"1.2.3"}\n';

/** A client, alice, that lets commands in, and bob. */
async function start(
  { secrets, makeEndpoint = (clock) => new MemoryEndpoint(clock, secrets), directory = "/nowhere" }:
    {
      secrets?: Secrets;
      makeEndpoint?: (clock: Clock) => Pick<ControlEndpoint, "listen" | "dial">;
      directory?: string;
    } = {},
) {
  const world = new World();
  const alice = new Listening(await startKeeping(world, "alice"));
  const bob = new Listening(await startKeeping(world, "bob"));
  await world.clock.advance(250);
  const endpoint = makeEndpoint(world.clock);
  const log = keptLog();
  const server = await ControlServer.start({
    clock: world.clock,
    log,
    node: alice.node,
    version: "1.2.3",
    startedAt: 0,
    isOneShot: false,
    endpoint,
    directory,
    signal: new AbortController().signal,
  });
  return {
    world,
    alice,
    bob,
    server,
    log,
    async connect(first = HELLO, reads = true): Promise<Talker> {
      const talker = new Talker((await endpoint.dial(directory))!.stream, reads);
      await settle();
      if (first !== "") await talker.say(first);
      return talker;
    },
    async end(): Promise<void> {
      await server[Symbol.asyncDispose]();
      await alice.node[Symbol.asyncDispose]();
      await bob.node[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a command that shakes hands gets the JSON interface", async () => {
  const { connect, alice, bob, end, server } = await start();
  const talker = await connect();
  assert.deepEqual(talker.events, [
    { event: "control", control: 1, version: "1.2.3", age_ms: 250, one_shot: false },
    { event: "ready", nickname: "alice", tcp_port: alice.node.tcpPort, version: "1.2.3" },
  ]);
  await talker.say('{"command":"send","to":"bob","content":"hi","ref":1}\n');
  await until(() => talker.events.at(-1)?.event === "sent", "what became of it");
  const last: Record<string, unknown> = talker.events.at(-1)!;
  const { message_id, ...sent } = last;
  assert.ok(isMessageId(message_id));
  assert.deepEqual(sent, { event: "sent", to: "bob", ref: 1 });
  assert.deepEqual(bob.heard, ["alice: hi"]);
  await bob.node.send("alice", "and back");
  await until(() => talker.events.at(-1)?.content === "and back", "the message");
  assert.deepEqual(alice.heard, ["bob: and back"], "the client's own interface has it, too");
  assert.equal(server.connections, 1);
  await end();
  assert.ok(talker.isEnded);
});

Deno.test("commands may come together with the first line, and quit ends the connection only", async () => {
  const { connect, server, alice, end } = await start();
  const talker = await connect(`${HELLO}{"command":"whoami","ref":7}\n{"command":"quit"}\n`);
  await until(() => talker.isEnded, "the end");
  assert.deepEqual(talker.events.at(-1), { event: "whoami", nickname: "alice", ref: 7 });
  await settle();
  assert.equal(server.connections, 0);
  assert.equal(alice.node.peers().length, 1);
  await end();
});

Deno.test("garbage before the handshake is answered with one error and the end", async () => {
  const { connect, end, log } = await start();
  for (
    const garbage of [
      "GET / HTTP/1.1\r\n",
      "{}\n",
      '{"control":"1"}\n',
      '{"control":1,"version":7}\n',
      "\xff\xfe\n",
      "x".repeat(5000),
      `{"control":1,"version":"${"x".repeat(5000)}"}\n`,
      "\n",
    ]
  ) {
    const talker = await connect("");
    await talker.say(garbage).catch(() => {});
    await until(() => talker.isEnded, "the end");
    assert.equal(talker.events.length, 1, garbage.slice(0, 20));
    assert.match(String(talker.events[0].message), /^Cannot read the first line: /);
  }
  assert.match(log.lines.join("\n"), /Refused: control: first line that is none/);
  await end();
});

Deno.test("a connection that says nothing is closed after five seconds", async () => {
  const { world, connect, end } = await start();
  const talker = await connect("");
  await world.clock.advance(4999);
  assert.equal(talker.isEnded, false);
  await world.clock.advance(1);
  assert.equal(talker.isEnded, true);
  await end();
});

Deno.test("a command of another version learns the client's version, and nothing more", async () => {
  const { connect, end } = await start();
  const talker = await connect('{"control":2,"version":"9.9.9"}\n{"command":"peers"}\n');
  await until(() => talker.isEnded, "the end");
  assert.deepEqual(talker.events.map(({ event, control }) => [event, control]), [["control", 1]]);
  await end();
});

Deno.test("where secrets are needed, who does not know the token learns nothing", async () => {
  const { connect, end } = await start({
    secrets: { token: "t".repeat(64), answer: "a".repeat(64) },
  });
  for (const token of [undefined, "", "t".repeat(63), `${"t".repeat(63)}x`]) {
    const talker = await connect(`${JSON.stringify({ control: 1, version: "1", token })}\n`);
    await until(() => talker.isEnded, "the end");
    assert.deepEqual(talker.events.map(({ event }) => event), ["error"]);
    assert.doesNotMatch(talker.text, /aaaa/);
  }
  const token = "t".repeat(64);
  const talker = await connect(`${JSON.stringify({ control: 1, version: "1", token })}\n`);
  assert.equal(talker.events[0].answer, "a".repeat(64));
  await end();
});

Deno.test("of 1000 connections 16 are served, and one that leaves makes room", async () => {
  const { connect, end, server, log } = await start();
  const talkers: Talker[] = [];
  for (let count = 0; count < 1000; count++) talkers.push(await connect());
  assert.equal(server.connections, 16);
  assert.deepEqual(talkers.map(({ isEnded }) => isEnded).slice(0, 17), [
    ...Array(16).fill(false),
    true,
  ]);
  assert.match(String(talkers.at(-1)!.events[0].message), /more than 16 commands at a time/);
  assert.deepEqual(log.lines, [], "they ask again, and nobody need know");
  talkers[3].stream.close();
  await settle(8);
  const late = await connect();
  assert.equal(late.events.at(-1)?.event, "ready");
  await end();
});

Deno.test("1000 connections that say nothing keep out nobody who does", async () => {
  const { connect, end } = await start();
  const silent: Talker[] = [];
  for (let count = 0; count < 1000; count++) silent.push(await connect(""));
  await settle();
  assert.equal(silent.filter(({ isEnded }) => !isEnded).length, 128, "the oldest made room");
  assert.deepEqual(silent[0].events.map(({ code }) => code), ["busy"], "and were told");
  const talker = await connect();
  assert.equal(talker.events.at(-1)?.event, "ready");
  await end();
});

Deno.test({
  name: "of 300 connections that come at once each is served or told that it cannot be",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using root = await TemporaryDirectory.make();
    const endpoint = unixSocket({ env: () => undefined, uid: Deno.uid() });
    const { end } = await start({ makeEndpoint: () => endpoint, directory: root.path });
    const connections = Array.from({ length: 300 }, async () => {
      // More than the system lets wait find nobody; for these, too, the commands try again.
      const dialled = await endpoint.dial(root.path);
      if (dialled === undefined) return undefined;
      const talker = new Talker(dialled.stream);
      await talker.say(HELLO).catch(() => {}); // it may be turned away already
      await until(() => talker.events.length > 0 || talker.isEnded, "an answer");
      return talker;
    });
    const talkers = (await Promise.all(connections)).filter((talker) => talker !== undefined);
    const answers = talkers.map(({ events: [first] }) => first?.code ?? first?.event ?? "nothing");
    const count = (answer: string) => answers.filter((one) => one === answer).length;
    assert.equal(count("control"), 16);
    assert.equal(count("busy"), talkers.length - 16, answers.join());
    for (const { stream } of talkers) stream.close();
    await end();
  },
});

Deno.test("100 MB without a newline are refused in bounded memory, and the next line works", async () => {
  const { connect, end } = await start();
  const talker = await connect();
  const part = new Uint8Array(1 << 20).fill(0x78);
  for (let count = 0; count < 100; count++) {
    for (let at = 0; at < part.length;) at += await talker.stream.write(part.subarray(at));
  }
  await talker.say('\n{"command":"whoami","ref":1}\n');
  await until(() => talker.events.at(-1)?.event === "whoami", "the answer");
  const errors = talker.events.filter(({ event }) => event === "error");
  assert.equal(errors.length, 1);
  assert.match(String(errors[0].message), /line above the limit of 1048576 bytes/);
  await end();
});

Deno.test("garbage after the handshake is answered with errors, and stops nothing", async () => {
  const { connect, end } = await start();
  const talker = await connect();
  const garbage = [
    "{",
    "[]",
    '{"command":"dance"}',
    '{"command":"send","to":{}}',
    "\xff",
    "/dance",
  ];
  await talker.say(garbage.map((line) => `${line}\n`).join("") + '{"command":"whoami"}\n');
  await until(() => talker.events.at(-1)?.event === "whoami", "the answer");
  const errors = talker.events.filter(({ event }) => event === "error");
  assert.equal(errors.length, garbage.length);
  await end();
});

Deno.test("a connection that never reads is dropped and logged, and holds up nobody", async () => {
  const { world, connect, end, server, log, bob, alice } = await start();
  const talker = await connect(HELLO, false);
  const other = await connect();
  for (let count = 0; count < 3; count++) await bob.node.send("alice", "x".repeat(60_000));
  await until(() => alice.heard.length === 3, "the messages");
  await until(() => other.events.at(-1)?.event === "message", "the message elsewhere");
  await world.clock.advance(10_000);
  assert.equal(server.connections, 1);
  assert.match(log.lines.join("\n"), /Refused: control: connection that does not read/);
  await assert.rejects(talker.say("x"));
  assert.equal(other.isEnded, false);
  await end();
});

Deno.test("a connection that reads too slowly for what happens is dropped at once", async () => {
  const { connect, end, server, log, bob, alice } = await start();
  await connect(HELLO, false);
  const content = "x".repeat(60_000);
  for (let count = 0; count < 200; count++) await bob.node.send("alice", content);
  await until(() => alice.heard.length === 200, "the messages");
  await settle(8);
  assert.equal(server.connections, 0, "12 MB were more than it may have waiting");
  assert.match(log.lines.join("\n"), /connection that does not read/);
  await end();
});

Deno.test("who has left watches nothing any more", async () => {
  const { connect, end, alice: { node } } = await start();
  const watchers: AsyncIterableIterator<unknown>[] = [];
  const watch = node.watch.bind(node);
  node.watch = (onOverrun) => {
    const watcher = watch(onOverrun);
    watchers.push(watcher);
    return watcher;
  };
  const talker = await connect();
  await talker.say('{"command":"quit"}\n');
  await until(() => talker.isEnded, "the end");
  await settle();
  assert.equal(watchers.length, 1);
  assert.equal(await Promise.race([watchers[0].next().then(({ done }) => done), settle(8)]), true);
  await end();
});

Deno.test("the end of a client gives what is being sent five seconds", async () => {
  const { world, connect, server, alice, end } = await start();
  const talker = await connect();
  alice.node.post = () => new Promise(() => {});
  await talker.say('{"command":"send","to":"bob","content":"hi","ref":1}\n');
  const ended = server[Symbol.asyncDispose]();
  await world.clock.advance(4999);
  assert.equal(talker.isEnded, false);
  await world.clock.advance(1);
  assert.equal(talker.isEnded, true);
  const [problem, last] = talker.events.slice(-2);
  assert.match(String(problem.message), /^Gave up 1 command/);
  assert.deepEqual(last, { event: "end", commands: 1 });
  await ended;
  await end();
});

Deno.test("who is connected at the end of a client learns which commands it has not read", async () => {
  const { connect, server, end } = await start();
  const talkers = [await connect(), await connect()];
  await talkers[0].say('{"command":"whoami"}\n{"command":"peers"}\n');
  const ended = server[Symbol.asyncDispose]();
  await Promise.all(talkers.map((talker) => talker.say('{"command":"whoami"}\n').catch(() => {})));
  await ended;
  await until(() => talkers.every(({ isEnded }) => isEnded), "the end");
  assert.deepEqual(talkers.map(({ events }) => events.at(-1)), [
    { event: "end", commands: 2 },
    { event: "end", commands: 0 },
  ]);
  await end();
});

Deno.test("who leaves keeps no place while the client is busy, who only ends his input hears the rest", async () => {
  const { world, connect, server, alice, end } = await start();
  const { promise: idle, resolve: finish } = Promise.withResolvers<void>();
  alice.node.messages.idle = () => idle;
  const [gone, listening] = [await connect(), await connect()];
  gone.stream.close();
  await listening.stream.closeWrite();
  await until(() => server.connections === 1, "the place of who has left");
  await world.clock.advance(2000);
  assert.equal(listening.isEnded, false);
  const ending = listening.events.filter(({ event }) => event === "ending");
  assert.equal(ending.length, 3, "at once, and every second");
  finish();
  await until(() => listening.isEnded, "the end");
  await end();
});
