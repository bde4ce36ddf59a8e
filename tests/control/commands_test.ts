import assert from "node:assert/strict";
import { ControlServer } from "../../lib/control/server.ts";
import { Link, linkTo, readObjects } from "../../lib/control/link.ts";
import { type OneShotCommand, runOneShot } from "../../lib/control/run.ts";
import { ProfileInUseError } from "../../lib/identity/profile.ts";
import { MemoryPipe } from "../../lib/transport/memory_pipe.ts";
import { Listening, World } from "../node/fixtures.ts";
import { watched } from "../peer/fixtures.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { Keyboard, Paper, until } from "../ui/driven.ts";
import { keptLog, MemoryEndpoint, streamPair, Talker } from "./fixtures.ts";

const SEND = { name: "send", to: "bob", text: "hi", timeoutMs: 10_000 } as const;
const WELCOME = '{"event":"control","control":1,"version":"1.2.3","age_ms":60000}\n';

type Options = Parameters<typeof runOneShot>[1];

/** Runs a command, and keeps what it says. */
function run(command: OneShotCommand, clock: FakeClock, options: Partial<Options> = {}) {
  const paper = new Paper();
  const keyboard = new Keyboard();
  const warnings: string[] = [];
  const stop = new AbortController();
  const running = runOneShot(command, {
    clock,
    endpoint: new MemoryEndpoint(clock),
    directory: "/profile",
    version: "1.2.3",
    host: () => Promise.reject(new ProfileInUseError("/profile", "process 7")),
    mode: "local",
    announceIntervalMs: 5000,
    maxContentBytes: 65_536,
    read: keyboard.read,
    output: paper.output,
    warn: (text) => void warnings.push(text),
    signal: stop.signal,
    ...options,
  });
  return { running, run: watched(running), paper, keyboard, warnings, stop };
}

/** A client that says what a test lets it say. */
function scripted(clock: FakeClock) {
  const [stream, other] = streamPair(clock);
  const client = new Talker(other);
  const endpoint = { listen: () => assert.fail(), dial: () => Promise.resolve({ stream }) };
  return { client, endpoint };
}

/** A command that has sent its message to a scripted client. */
async function sending(command: OneShotCommand = SEND, options: Partial<Options> = {}) {
  const clock = new FakeClock();
  const { client, endpoint } = scripted(clock);
  const started = run(command, clock, { endpoint, ...options });
  await settle(8);
  await client.say(WELCOME);
  return { clock, client, ...started };
}

const say = (event: Record<string, unknown>) =>
  `${JSON.stringify({ ref: 1, to: "bob", ...event })}\n`;

Deno.test("a message is sent once, and its delivery is status 0", async () => {
  const { client, running, paper } = await sending();
  assert.deepEqual(client.events, [
    { control: 1, version: "1.2.3" },
    { command: "send", to: "bob", content: "hi", ref: 1 },
  ]);
  await client.say(say({ event: "pending", id: "X" }) + say({ event: "sent", id: "X" }));
  await client.say(say({ event: "delivered", to: "bob~x y", id: "X" }));
  assert.equal(await running, 0);
  assert.equal(paper.text, 'delivered to "bob~x y"\n');
  await until(() => client.isEnded, "the end");
});

Deno.test("to a version 1 peer, sent is the end and status 0", async () => {
  const { client, running, paper } = await sending();
  await client.say(say({ event: "sent" }));
  assert.equal(await running, 0);
  assert.match(paper.text, /^sent to bob in plain text; it runs version 1, which does not tell/);
});

for (const states of [["pending"], ["pending", "sent"], ["pending", "sent", "pending"]]) {
  Deno.test(`what is ${states.join(", ")} at the time-out is status 3`, async () => {
    const { clock, client, running, run, paper } = await sending();
    for (const event of states) await client.say(say({ event, id: "X" }));
    await clock.advance(9999);
    assert.equal(run.state, "waiting");
    await clock.advance(1);
    assert.equal(await running, 3);
    assert.match(paper.text, /^queued for bob: /);
  });
}

Deno.test("what was accepted is queued when the client ends before the delivery", async () => {
  const { client, running, paper } = await sending();
  await client.say(say({ event: "pending", id: "X" }));
  client.stream.close();
  assert.equal(await running, 3);
  assert.match(paper.text, /^queued for bob: /);
});

Deno.test("what failed is an error with the reason, made printable", async () => {
  for (const event of ["failed", "error"]) {
    const { client, running } = await sending();
    await client.say(say({ event, message: "Cannot send\u001b[2J" }));
    await assert.rejects(running, { name: "ParlanceError", message: "Cannot send\\u{1b}[2J" });
  }
});

Deno.test("a client that ends before it has answered leaves the question open", async () => {
  const { client, running } = await sending();
  client.stream.close();
  await assert.rejects(running, { message: /^Cannot tell whether the message to "bob" was sent/ });
});

Deno.test("a client that never answers is given up at the time-out", async () => {
  const { clock, running } = await sending();
  const failed = assert.rejects(running, {
    message: /within 10 s, and the running client goes on/,
  });
  await clock.advance(10_000);
  await failed;
});

Deno.test("an interrupted command says what is known, with status 130", async () => {
  for (const state of [undefined, "pending"]) {
    const { client, running, warnings, stop } = await sending();
    if (state !== undefined) await client.say(say({ event: state, id: "X" }));
    stop.abort();
    assert.equal(await running, 130);
    assert.match(warnings.join(), state === undefined ? /may have been sent/ : /^queued for bob/);
  }
});

Deno.test("a peer that is not there yet is waited for", async () => {
  const world = new World();
  const alice = await world.start("alice");
  const startedAt = world.clock.monotonic();
  const host = () => {
    const release = () => alice[Symbol.asyncDispose]();
    return Promise.resolve(
      linkTo({ clock: world.clock, node: alice, version: "1", startedAt, release }),
    );
  };
  const { running, run: state, paper } = run(SEND, world.clock, { host });
  await world.clock.advance(3000);
  assert.equal(state.state, "waiting");
  const bob = new Listening(await world.start("bob"));
  await world.clock.advance(500);
  assert.equal(state.state, "sent", String(state));
  assert.equal(await running, 0);
  assert.match(paper.text, /^sent to bob in plain text/);
  assert.deepEqual(bob.heard, ["alice: hi"]);
  await bob.node[Symbol.asyncDispose]();
});

Deno.test("a peer that comes while the client answers that it is not there is tried again", async () => {
  const { client, running } = await sending();
  const unknown = say({ event: "error", message: "Cannot reach", code: "unknown_peer" });
  await client.say(`{"event":"peer_up"}\n${unknown}`);
  assert.deepEqual(client.events.slice(1).map(({ command }) => command), ["send", "send"]);
  await client.say(unknown);
  await assert.rejects(running, { message: "Cannot reach" });
});

Deno.test("a peer that does not come is given up after one announce interval", async () => {
  const world = new World();
  const alice = await world.start("alice");
  const host = () => {
    const release = () => alice[Symbol.asyncDispose]();
    return Promise.resolve(
      linkTo({ clock: world.clock, node: alice, version: "1", startedAt: 0, release }),
    );
  };
  const { running, run: state } = run(SEND, world.clock, { host });
  const failed = assert.rejects(running, { message: /no such peer; `parlance peers` lists/ });
  await world.clock.advance(5999);
  assert.equal(state.state, "waiting");
  await world.clock.advance(1000);
  await failed;
});

Deno.test("a client of another version is named in the error", async () => {
  const clock = new FakeClock();
  const { client, endpoint } = scripted(clock);
  const { running } = run(SEND, clock, { endpoint });
  await settle(8);
  const failed = assert.rejects(running, {
    message: /process 7: it is Parlance 9\.9\.9, and this is 1\.2\.3.*use the same version$/,
  });
  await client.say('{"event":"control","control":2,"version":"9.9.9"}\n');
  await failed;
});

Deno.test("a profile in use by who takes no commands is an error after the time-out", async () => {
  const clock = new FakeClock();
  const { running } = run(SEND, clock);
  const failed = assert.rejects(running, { message: /process 7: it takes no commands/ });
  await clock.advance(10_100);
  await failed;
});

Deno.test("a client that serves too many commands is tried again until the time-out", async () => {
  const clock = new FakeClock();
  const refusal = '{"event":"error","message":"Cannot serve more","code":"busy"}\n';
  let attempts = 0;
  const dial = async () => {
    const [stream, other] = streamPair(clock);
    await new Talker(other).say(++attempts < 5 ? refusal : WELCOME);
    return { stream };
  };
  const endpoint = { listen: () => assert.fail(), dial };
  const later = run({ name: "listen", json: false }, clock, { endpoint });
  const pass = async (steps: number) => {
    for (let step = 0; step < steps; step++) {
      await clock.advance(50);
      await settle(16);
    }
  };
  await pass(20);
  assert.equal(attempts, 5);
  later.stop.abort();
  assert.equal(await later.running, 0);
  attempts = -1000;
  const { running } = run(SEND, clock, { endpoint });
  const failed = assert.rejects(running, { message: /process 7: Cannot serve more$/ });
  await pass(202);
  await failed;
});

Deno.test("a client that does not answer the first line is an error, not a hang", async () => {
  const clock = new FakeClock();
  const { endpoint } = scripted(clock);
  const { running } = run({ name: "peers", json: false }, clock, { endpoint });
  const failed = assert.rejects(running, { message: /process 7: it does not answer within 5 s/ });
  await clock.advance(5000);
  await failed;
});

Deno.test("a client that ends between the lock and the handshake is replaced", async () => {
  const world = new World();
  const alice = await world.start("alice");
  const bob = new Listening(await world.start("bob"));
  const { client, endpoint } = scripted(world.clock);
  let attempts = 0;
  const host = () => {
    if (++attempts === 1) return Promise.reject(new ProfileInUseError("/profile", "process 7"));
    const release = () => alice[Symbol.asyncDispose]();
    return Promise.resolve(
      linkTo({ clock: world.clock, node: alice, version: "1", startedAt: 0, release }),
    );
  };
  const { running } = run(SEND, world.clock, { endpoint, host });
  await settle(8);
  client.stream.close();
  await world.clock.advance(300);
  assert.equal(await running, 0);
  assert.deepEqual(bob.heard, ["alice: hi"]);
  await bob.node[Symbol.asyncDispose]();
});

Deno.test("standard input is one message, without the newline at its end", async () => {
  const inputs: [string, string][] = [
    ["hi\n", "hi"],
    ["two\nlines\n\n", "two\nlines\n"],
    ["hi\r\n", "hi"],
    ["no end", "no end"],
    ["\ufeffčau\u0000", "\ufeffčau\u0000"],
    [`${"x".repeat(65_536)}\n`, "x".repeat(65_536)],
  ];
  for (const [input, content] of inputs) {
    const clock = new FakeClock();
    const { client, endpoint } = scripted(clock);
    const { running, keyboard } = run({ ...SEND, text: undefined }, clock, { endpoint });
    keyboard.type(input);
    await settle();
    assert.equal(client.text, "", "nothing happens before the end of the input");
    keyboard.end();
    await settle(8);
    await client.say(WELCOME);
    assert.equal(client.events[1].content, content);
    await client.say(say({ event: "delivered", id: "X" }));
    assert.equal(await running, 0);
  }
});

Deno.test("standard input that is empty, too long or no text is refused", async () => {
  const inputs: [string, RegExp][] = [
    ["", /standard input is empty$/],
    ["\n", /standard input is empty$/],
    ["x".repeat(65_537), /a message has at most 65536 bytes/],
    ["x".repeat(200_000), /a message has at most 65536 bytes/],
  ];
  for (const [input, message] of inputs) {
    const { running, keyboard } = run({ ...SEND, text: undefined }, new FakeClock());
    keyboard.type(input);
    keyboard.end();
    await assert.rejects(running, { message });
  }
  let isRead = false;
  const read = (buffer: Uint8Array) => {
    buffer[0] = 0xff;
    const count = isRead ? null : 1;
    isRead = true;
    return Promise.resolve(count);
  };
  const { running } = run({ ...SEND, text: undefined }, new FakeClock(), { read });
  await assert.rejects(running, { message: /it is not text in UTF-8/ });
});

Deno.test("an interrupt while standard input is read ends the command", async () => {
  const { running, stop } = run({ ...SEND, text: undefined }, new FakeClock());
  await settle();
  stop.abort();
  assert.equal(await running, 130);
});

Deno.test("listen prints messages until it is asked to end", async () => {
  for (const json of [false, true]) {
    const { client, running, paper, stop } = await sending({ name: "listen", json });
    const message = { from: "bob\u001b", content: "hi", timestamp: 0, trust: "plain" };
    await client.say(say({ event: "ready" }) + say({ event: "message", ...message }));
    await settle(8);
    if (json) assert.equal(JSON.parse(paper.text).content, "hi");
    else assert.match(paper.text, /^\[\d\d:\d\d:\d\d\] bob\\u\{1b\} \[plain\]: hi\n$/);
    stop.abort();
    assert.equal(await running, 0);
  }
});

Deno.test("listen ends with an error when the client ends, and when nobody reads", async () => {
  const ended = await sending({ name: "listen", json: true });
  ended.client.stream.close();
  await assert.rejects(ended.running, { message: /the running client has ended/ });
  const unread = await sending({ name: "listen", json: true });
  unread.paper.tear();
  await unread.client.say(say({ event: "message", content: "hi" }));
  assert.equal(await unread.running, 0);
});

Deno.test("peers prints a list or the object of the interface", async () => {
  const peer = {
    nickname: "bob",
    label: "bob",
    addresses: [{ address: "10.0.0.2:5000", via: "lan" }],
    trust: "verified",
  };
  for (const json of [false, true]) {
    const { client, running, paper } = await sending({ name: "peers", json });
    await client.say(
      say({ event: "ready", nickname: "bob", ref: undefined }) +
        say({ event: "peers", to: undefined, peers: [peer] }),
    );
    assert.equal(await running, 0);
    assert.equal(
      paper.text,
      json
        ? `${JSON.stringify({ event: "peers", peers: [peer] })}\n`
        : "1 peer:\n  bob  10.0.0.2:5000  local network  verified, not you\n",
    );
  }
});

Deno.test("a list of megabytes comes through", async () => {
  const { client, running, paper } = await sending({ name: "peers", json: true });
  const peers = Array.from({ length: 10_000 }, (_, index) => ({ label: "x".repeat(300) + index }));
  await client.say(say({ event: "peers", peers }));
  assert.equal(await running, 0);
  assert.equal(JSON.parse(paper.text).peers.length, 10_000);
});

Deno.test("what comes in while a command is the client is shown on standard error", async () => {
  const clock = new FakeClock();
  const [commands, events] = [0, 1].map(() => new MemoryPipe(clock, () => 0, () => true));
  const link = new Link({
    clock,
    objects: readObjects((buffer) => events.read(buffer)),
    write: (bytes) => commands.write(bytes),
    cut: () => events.end(),
    ageMs: 60_000,
    isOwn: true,
    isOneShot: true,
  });
  const { running, warnings } = run(SEND, clock, { host: () => Promise.resolve(link) });
  const lines = [
    { event: "message", from: "bob", content: "psst", timestamp: 0, trust: "known" },
    { event: "error", message: "Cannot use the interface" },
    { event: "delivered", to: "bob", id: "X", ref: 1 },
  ];
  await events.write(
    new TextEncoder().encode(lines.map((one) => `${JSON.stringify(one)}\n`).join("")),
  );
  assert.equal(await running, 0);
  assert.match(warnings[0], /bob: psst$/);
  assert.equal(warnings[1], "! Cannot use the interface");
});

Deno.test("a command goes through another command that is the client", async () => {
  const world = new World();
  const alice = await world.start("alice");
  const bob = new Listening(await world.start("bob"));
  await world.clock.advance(250);
  const endpoint = new MemoryEndpoint(world.clock);
  const server = await ControlServer.start({
    ...{ clock: world.clock, log: keptLog(), node: alice, version: "1.2.3", startedAt: 0 },
    ...{ isOneShot: true, endpoint, directory: "/", signal: new AbortController().signal },
  });
  const { running } = run(SEND, world.clock, { endpoint });
  assert.equal(await running, 0);
  assert.deepEqual(bob.heard, ["alice: hi"]);
  await server[Symbol.asyncDispose]();
  await alice[Symbol.asyncDispose]();
  await bob.node[Symbol.asyncDispose]();
});

Deno.test("history and search are not there yet", async () => {
  const clock = new FakeClock();
  const { running } = run({ name: "history", json: false }, clock);
  await assert.rejects(running, { name: "ParlanceError", message: /not there yet$/ });
});
