import assert from "node:assert/strict";
import fc from "fast-check";
import { ConnectError } from "../../lib/errors.ts";
import { Outbound } from "../../lib/peer/outbound.ts";
import { settle } from "../support/fake_clock.ts";
import { memoryWorld, peerAt, ScriptedStream, scriptedTransport, watched } from "./fixtures.ts";
import { numbered, pair } from "./outbound_fixtures.ts";

Deno.test("lines of one turn go to a version 2 peer in order, on one connection, in one write", async () => {
  const { outbound, peer, receiver } = pair();
  const lines = numbered(100);
  await Promise.all(lines.map((line) => outbound.send(peer, `${line}\n`)));
  await settle();
  assert.deepEqual(receiver.lines, lines);
  assert.equal(receiver.connections.length, 1);
  assert.equal(receiver.connections[0].reads, 1, "one write");
  await Promise.all(numbered(100, 100).map((line) => outbound.send(peer, `${line}\n`)));
  await settle();
  assert.deepEqual(receiver.lines, numbered(200));
  assert.equal(receiver.connections.length, 1, "the connection stays open");
  await outbound[Symbol.asyncDispose]();
  await settle();
  assert.ok(receiver.connections[0].ended);
});

Deno.test("a connection is closed after a minute without use, and opened again when needed", async () => {
  const { clock, outbound, peer, receiver } = pair();
  await outbound.send(peer, "one\n");
  await clock.advance(59_000);
  await outbound.send(peer, "two\n");
  await clock.advance(59_999);
  assert.equal(receiver.connections[0].ended, false, "use starts the minute again");
  await clock.advance(2);
  assert.ok(receiver.connections[0].ended);
  assert.equal(clock.waiting, 0, "nothing is left behind");
  await outbound.send(peer, "three\n");
  await settle();
  assert.equal(receiver.connections.length, 2);
  assert.deepEqual(receiver.lines, ["one", "two", "three"]);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("lines reach a peer that has closed the connection by a new one", async () => {
  for (const version of [1, 2]) {
    const { clock, outbound, peer, receiver } = pair({ version });
    await outbound.send(peer, "one\n");
    await clock.advance(2000);
    receiver.connections[0].stream.close();
    await clock.advance(1);
    await Promise.all(["two\n", "three\n"].map((line) => outbound.send(peer, line)));
    await settle();
    assert.deepEqual(receiver.lines, ["one", "two", "three"], `version ${version}`);
    await outbound[Symbol.asyncDispose]();
  }
});

Deno.test("a connection that breaks while writing is opened once more, and no line is doubled or lost", async () => {
  const { clock } = memoryWorld();
  const address = { hostname: "10.0.0.2", port: 7 };
  // Takes "one\n" and half of "two\n", then breaks.
  let broken = false;
  const first = new ScriptedStream(address, (bytes) => {
    if (broken) throw new Error("Connection reset by peer");
    broken = true;
    return Math.min(6, bytes.length);
  });
  const second = new ScriptedStream(address);
  const streams = [first, second];
  const outbound = new Outbound({ clock, transport: scriptedTransport(() => streams.shift()!) });
  const peer = peerAt([address]);
  await Promise.all(["one\n", "two\n", "three\n"].map((line) => outbound.send(peer, line)));
  assert.equal(first.written, "one\ntw");
  assert.equal(second.written, "two\nthree\n");
  assert.ok(first.closed);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("what was taken is counted in bytes where a character has several", async () => {
  const { clock } = memoryWorld();
  const address = { hostname: "10.0.0.2", port: 7 };
  const lines = ["ä€😀\n", "ÄÄ\n", "z\n"];
  const whole = new TextEncoder().encode(lines.join("")).length;
  for (let taken = 0; taken < whole; taken++) {
    let left = taken;
    const first = new ScriptedStream(address, (bytes) => {
      const count = Math.min(left, bytes.length);
      if (count === 0) throw new Error("Connection reset by peer");
      left -= count;
      return count;
    });
    const second = new ScriptedStream(address);
    const streams = [first, second];
    const outbound = new Outbound({ clock, transport: scriptedTransport(() => streams.shift()!) });
    const peer = peerAt([address]);
    await Promise.all(lines.map((line) => outbound.send(peer, line)));
    const arrived = first.written.split("\n").slice(0, -1).concat(second.written.split("\n"));
    assert.equal(arrived.join("\n"), lines.join(""), `broken after ${taken} bytes`);
    await outbound[Symbol.asyncDispose]();
  }
});

Deno.test("a connection that breaks twice fails the lines it did not take", async () => {
  const { clock } = memoryWorld();
  const address = { hostname: "10.0.0.2", port: 7 };
  let dials = 0;
  const outbound = new Outbound({
    clock,
    transport: scriptedTransport(() => {
      dials++;
      return new ScriptedStream(address, () => {
        throw new Error("Connection reset by peer");
      });
    }),
  });
  const peer = peerAt([address]);
  const sends = ["one\n", "two\n"].map((line) => watched(outbound.send(peer, line)));
  await settle();
  assert.equal(dials, 2);
  for (const { state } of sends) {
    assert.ok(state instanceof ConnectError);
    assert.match(state.message, /"bob" at 10\.0\.0\.2:7: the connection broke twice/);
  }
  assert.equal(clock.waiting, 0);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("a version 1 peer that keeps reading gets its lines on one connection after a second", async () => {
  const { clock, outbound, peer, receiver } = pair({ version: 1 });
  await Promise.all(numbered(5).map((line) => outbound.send(peer, `${line}\n`)));
  await settle();
  assert.equal(receiver.connections.length, 5, "until it is known, a connection for each line");
  assert.deepEqual(receiver.connections.map(({ ended }) => ended), [false, true, true, true, true]);
  await clock.advance(1000);
  await Promise.all(numbered(100, 5).map((line) => outbound.send(peer, `${line}\n`)));
  await settle();
  assert.equal(receiver.connections.length, 5);
  assert.deepEqual([...receiver.lines].sort(), numbered(105).sort());
  await outbound[Symbol.asyncDispose]();
});

Deno.test("a version 1 peer that closes after each line loses none", async () => {
  const { clock, outbound, peer, receiver } = pair({ version: 1, closesAfterLine: true });
  let sent = 0;
  for (const pause of [0, 1, 500, 999, 1000, 1500, 30_000, 60_001, 0]) {
    const lines = numbered(20, sent);
    sent += lines.length;
    await Promise.all(lines.map((line) => outbound.send(peer, `${line}\n`)));
    await clock.advance(pause);
  }
  await settle();
  assert.deepEqual(receiver.lines, numbered(sent));
  await outbound[Symbol.asyncDispose]();
});

Deno.test("a version 1 peer that ends a connection later gets a connection for each line from then on", async () => {
  const { clock, outbound, peer, receiver } = pair({ version: 1 });
  await outbound.send(peer, "first\n");
  await clock.advance(1500);
  receiver.connections[0].stream.close(); // it reads one line and thinks about it for a while
  await clock.advance(1);
  const lines = numbered(10);
  await Promise.all(lines.map((line) => outbound.send(peer, `${line}\n`)));
  await settle();
  assert.equal(receiver.connections.length, 11, "none shares a connection that may be closed");
  assert.deepEqual(receiver.lines, ["first", ...lines]);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("a bulk of lines to one peer arrives whole and in order across batches", async () => {
  const { outbound, peer, receiver } = pair();
  const lines = Array.from({ length: 5000 }, (_, index) => `${index} ${"ü".repeat(100)}`);
  await Promise.all(lines.map((line) => outbound.send(peer, `${line}\n`)));
  await settle();
  assert.deepEqual(receiver.lines, lines);
  assert.equal(receiver.connections.length, 1);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("however often connections are cut, no line comes twice or out of order", async () => {
  const steps = fc.array(
    fc.oneof(
      { arbitrary: fc.record({ send: fc.integer({ min: 1, max: 20 }) }), weight: 3 },
      { arbitrary: fc.constant("cut" as const), weight: 1 },
      { arbitrary: fc.record({ wait: fc.integer({ min: 0, max: 70_000 }) }), weight: 1 },
      { arbitrary: fc.constant("turn" as const), weight: 2 },
    ),
    { maxLength: 25 },
  );
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom(1, 2), async (all, version) => {
      const { clock, network, sender, outbound, peer, receiver } = pair({ version });
      const lines: string[] = [];
      const sends: ReturnType<typeof watched>[] = [];
      const send = () => {
        lines.push(`line ${lines.length}`);
        sends.push(watched(outbound.send(peer, `${lines.at(-1)}\n`)));
      };
      for (const step of all) {
        if (step === "cut") network.cut(sender);
        else if (step === "turn") await settle(1);
        else if ("wait" in step) await clock.advance(step.wait);
        else for (let at = 0; at < step.send; at++) send();
      }
      await settle();
      const before = lines.length;
      for (let at = 0; at < 10; at++) send();
      await clock.advance(100);
      assert.ok(sends.every(({ state }) => state !== "waiting"));
      const arrived = receiver.lines.map((text) => Number(text.slice("line ".length)));
      assert.equal(new Set(arrived).size, arrived.length, "a line came twice");
      for (const { text } of receiver.connections) {
        const own = text.split("\n").slice(0, -1).map((line) => Number(line.slice(5)));
        assert.deepEqual(own, own.toSorted((a, b) => a - b), "lines changed places");
      }
      for (let at = before; at < lines.length; at++) {
        assert.ok(arrived.includes(at), "a line was lost");
      }
      await outbound[Symbol.asyncDispose]();
      await settle();
      assert.equal(clock.waiting, 0);
    }),
    { numRuns: 100 },
  );
});
