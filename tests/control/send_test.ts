import assert from "node:assert/strict";
import { ControlServer } from "../../lib/control/server.ts";
import { ProfileInUseError } from "../../lib/identity/profile.ts";
import { Listening, World } from "../node/fixtures.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { startKeeping, until } from "../ui/driven.ts";
import { own, run, say, scripted, SEND, sending, WELCOME } from "./commands_fixtures.ts";
import { keptLog, MemoryEndpoint } from "./fixtures.ts";

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

Deno.test("what the client has not read before its end goes through the next one", async () => {
  const clock = new FakeClock();
  const first = scripted(clock);
  const second = scripted(clock);
  const places = [first, second];
  const endpoint = { listen: () => assert.fail(), dial: () => places.shift()!.endpoint.dial() };
  const { running } = run(SEND, clock, { endpoint });
  await settle(8);
  await first.client.say(`${WELCOME}{"event":"end","commands":0}\n`);
  first.client.stream.close();
  await settle(8);
  await second.client.say(WELCOME + say({ event: "delivered", id: "X" }));
  assert.equal(await running, 0);
  assert.equal(second.client.events[1].content, "hi");
});

Deno.test("what the client has read before its end and not answered stays an open question", async () => {
  const { client, running } = await sending();
  await client.say('{"event":"end","commands":1}\n');
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
  const alice = await startKeeping(world, "alice");
  const startedAt = world.clock.monotonic();
  const host = () => {
    const release = () => alice[Symbol.asyncDispose]();
    return Promise.resolve(own(world.clock, alice, release, startedAt));
  };
  const { running, run: state, paper } = run(SEND, world.clock, { host });
  await world.clock.advance(3000);
  assert.equal(state.state, "waiting");
  const bob = new Listening(await startKeeping(world, "bob"));
  await world.clock.advance(500);
  assert.equal(state.state, "sent", String(state));
  assert.equal(await running, 0);
  assert.match(paper.text, /^sent to bob in plain text/);
  assert.deepEqual(bob.heard, ["alice: hi"]);
  await bob.node[Symbol.asyncDispose]();
});

for (const code of ["unknown_peer", "not_stored"]) {
  Deno.test(`a peer that comes while the client answers ${code} is tried again`, async () => {
    const { client, running } = await sending();
    const refusal = say({ event: "error", message: "Cannot reach", code });
    await client.say(`{"event":"peer_up"}\n${refusal}`);
    assert.deepEqual(client.events.slice(1).map(({ command }) => command), ["send", "send"]);
    await client.say(refusal);
    await assert.rejects(running, { message: "Cannot reach" });
  });
}

Deno.test("a peer that does not come is given up after one announce interval", async () => {
  const world = new World();
  const alice = await startKeeping(world, "alice");
  const host = () => {
    const release = () => alice[Symbol.asyncDispose]();
    return Promise.resolve(own(world.clock, alice, release, 0));
  };
  const { running, run: state } = run(SEND, world.clock, { host });
  const failed = assert.rejects(running, { message: /no such peer; `parlance peers` lists/ });
  await world.clock.advance(5999);
  assert.equal(state.state, "waiting");
  await world.clock.advance(1000);
  await failed;
});

Deno.test("a client that ends between the lock and the handshake is replaced", async () => {
  const world = new World();
  const alice = await startKeeping(world, "alice");
  const bob = new Listening(await startKeeping(world, "bob"));
  const { client, endpoint } = scripted(world.clock);
  let attempts = 0;
  const host = () => {
    if (++attempts === 1) return Promise.reject(new ProfileInUseError("/profile", "process 7"));
    const release = () => alice[Symbol.asyncDispose]();
    return Promise.resolve(own(world.clock, alice, release, 0));
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
  const broken = () => Promise.reject(new Deno.errors.IsADirectory("Is a directory"));
  const failed = run({ ...SEND, text: undefined }, new FakeClock(), { read: broken });
  await assert.rejects(failed.running, {
    name: "ParlanceError",
    message: "Cannot read standard input: Is a directory",
  });
});

Deno.test("an interrupt while standard input is read ends the command", async () => {
  const { running, stop } = run({ ...SEND, text: undefined }, new FakeClock());
  await settle();
  stop.abort();
  assert.equal(await running, 130);
});

Deno.test("a command goes through another command that is the client", async () => {
  const world = new World();
  const alice = await startKeeping(world, "alice");
  const bob = new Listening(await startKeeping(world, "bob"));
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

Deno.test("what waits for a version 1 peer is queued only where such messages wait", async () => {
  const queues = WELCOME.replace("}", ',"queue_plain":true}');
  const queued = await sending(SEND, {}, queues);
  await queued.client.say(say({ event: "pending" }));
  await queued.clock.advance(10_000);
  assert.equal(await queued.running, 3);
  const { client, clock, running } = await sending();
  await client.say(say({ event: "pending" }));
  const failed = assert.rejects(running, { message: /^Cannot tell whether the message to "bob"/ });
  await clock.advance(10_000);
  await failed;
});

Deno.test("what only memory holds is not queued when the command ends that is the client", async () => {
  for (const kept of ["outbox", "nothing"] as const) {
    const world = new World();
    const alice = await startKeeping(world, "alice", { queuePlain: true });
    const bob = new Listening(await startKeeping(world, "bob"));
    await world.clock.advance(250);
    await alice.post("bob", "hello");
    await until(() => bob.heard.length === 1, "the first message");
    await bob.node[Symbol.asyncDispose]();
    await world.clock.advance(250);
    const host = () =>
      Promise.resolve(own(world.clock, alice, () => alice[Symbol.asyncDispose](), 0, kept));
    const { running } = run(SEND, world.clock, { host });
    const ended = kept === "nothing"
      ? assert.rejects(running, { message: /^Gave up the message to "bob" after 10 s/ })
      : running.then((status) => assert.equal(status, 3));
    await world.clock.advance(10_000);
    await ended;
  }
});

Deno.test("a command that is the client ends at its time-out, whatever is on its way", async () => {
  const world = new World();
  const alice = await startKeeping(world, "alice");
  alice.messages.idle = () => new Promise(() => {});
  const host = () =>
    Promise.resolve(own(world.clock, alice, () => alice[Symbol.asyncDispose](), 0));
  const { running } = run({ ...SEND, timeoutMs: 1000 }, world.clock, { host });
  const failed = assert.rejects(running, { message: /no such peer/ });
  await world.clock.advance(1000);
  await failed;
});
