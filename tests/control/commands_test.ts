import assert from "node:assert/strict";
import { type Kept, Link, readObjects } from "../../lib/control/link.ts";
import { MemoryPipe } from "../../lib/transport/memory_pipe.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { Output } from "../../lib/ui/output.ts";
import { run, say, scripted, SEND, sending, WELCOME } from "./commands_fixtures.ts";
import { streamPair, Talker } from "./fixtures.ts";

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
  // Now and then it does not even get that far.
  const rough = {
    ...endpoint,
    dial: () => ++attempts % 3 === 0 ? dial() : Promise.resolve(undefined),
  };
  const { running } = run(SEND, clock, { endpoint: rough });
  const failed = assert.rejects(running, { message: /process 7: Cannot serve more$/ });
  await pass(202);
  await failed;
});

Deno.test("a client that does not answer the first line is an error, not a hang", async () => {
  const clock = new FakeClock();
  const dial = () => Promise.resolve({ stream: streamPair(clock)[0] });
  const endpoint = { listen: () => assert.fail(), dial };
  const { running, run: state } = run({ name: "peers", json: false }, clock, { endpoint });
  const failed = assert.rejects(running, { message: /process 7: it does not answer within 5 s/ });
  await clock.advance(5000);
  await settle(8);
  assert.equal(state.state, "waiting", "there is time for another attempt");
  await clock.advance(5000);
  await failed;
});

Deno.test("a client that is too busy to answer in time is asked again", async () => {
  const clock = new FakeClock();
  let attempts = 0;
  const dial = async () => {
    const [stream, other] = streamPair(clock);
    if (++attempts === 2) {
      await new Talker(other).say(WELCOME + say({ event: "delivered", id: "X" }));
    }
    return { stream };
  };
  const { running } = run(SEND, clock, { endpoint: { listen: () => assert.fail(), dial } });
  await clock.advance(5050);
  assert.equal(await running, 0);
});

Deno.test("why a client hangs up is read, though it took no first line", async () => {
  const clock = new FakeClock();
  const refusal = '{"event":"error","message":"Cannot serve more","code":"busy"}\n';
  const dial = async () => {
    const [stream, other] = streamPair(clock);
    await new Talker(other).say(refusal);
    return { stream: { ...stream, write: () => Promise.reject(new Deno.errors.BrokenPipe()) } };
  };
  const { running } = run(SEND, clock, { endpoint: { listen: () => assert.fail(), dial } });
  const failed = assert.rejects(running, { message: /process 7: Cannot serve more$/ });
  for (let step = 0; step < 202; step++) {
    await clock.advance(50);
    await settle(8);
  }
  await failed;
});

Deno.test("listen prints messages until it is asked to end", async () => {
  for (const json of [false, true]) {
    const { clock, client, running, paper, stop } = await sending({ name: "listen", json });
    const timestamp = clock.now() / 1000;
    const message = { from: "bob\u001b", content: "hi", timestamp, trust: "plain" };
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

Deno.test("a command that is the client shows what is not in the history, on standard error", async () => {
  for (const kept of ["everything", "outbox", "nothing"] as const) {
    const { running, warnings, events } = hosting(kept);
    const lines = [
      { event: "message", from: "bob", content: "psst", timestamp: 0, trust: "known" },
      { event: "bootstrap", state: "connecting", url: "ws://there" },
      { event: "bootstrap", state: "disconnected", url: "ws://there", reason: "refused" },
      { event: "error", message: "Cannot use the interface" },
      { event: "delivered", to: "bob", id: "X", ref: 1 },
    ];
    await events.write(
      new TextEncoder().encode(lines.map((one) => `${JSON.stringify(one)}\n`).join("")),
    );
    assert.equal(await running, 0);
    assert.equal(warnings.pop(), "! Cannot use the interface");
    assert.equal(warnings.pop(), "! Out of reach: the bootstrap server ws://there (refused)");
    if (kept === "everything") assert.deepEqual(warnings, []);
    else assert.match(warnings.join(), /bob: psst$/);
  }
});

/** A command that is the client itself, of which a test says what happens. */
function hosting(kept: Kept) {
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
    queuesPlain: false,
    kept: () => kept,
  });
  return { events, ...run(SEND, clock, { host: () => Promise.resolve(link) }) };
}

Deno.test("output that cannot be written is an error, but for a message that was sent", async () => {
  const full = () => new Output(() => Promise.reject(new Error("No space left on device")));
  const listed = await sending({ name: "peers", json: true }, { output: full() });
  const failed = assert.rejects(listed.running, { message: /^Cannot write all of the output: No/ });
  await listed.client.say(say({ event: "peers", peers: [] }));
  await failed;
  const sent = await sending(SEND, { output: full() });
  await sent.client.say(say({ event: "delivered", id: "X" }));
  assert.equal(await sent.running, 0);
  assert.match(sent.warnings.join(), /^Cannot write all of the output: No space left/);
});
