import assert from "node:assert/strict";
import fc from "fast-check";
import { ConnectError, LimitError } from "../../lib/errors.ts";
import { Outbound } from "../../lib/peer/outbound.ts";
import { settle } from "../support/fake_clock.ts";
import {
  addHost,
  memoryWorld,
  peerAt,
  Receiver,
  ScriptedStream,
  scriptedTransport,
  watched,
} from "./fixtures.ts";

/** A sender on one host and a receiver on another. */
function pair({ version = 2, closesAfterLine = false, reads = true } = {}) {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const host = addHost(network, "10.0.0.2");
  const receiver = new Receiver(host, "10.0.0.2", closesAfterLine, reads);
  const peer = peerAt([receiver.address], { version });
  const outbound = new Outbound({ clock, transport: sender.transport });
  return { clock, network, sender, host, receiver, peer, outbound };
}

const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `line ${from + index}`);

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

Deno.test("the addresses of a peer are tried in order, and the one that worked first from then on", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const host = addHost(network, "10.0.0.2");
  addHost(network, "10.0.0.3");
  using receiver = new Receiver(host, "10.0.0.2");
  const refusing = { hostname: "10.0.0.3", port: 9 };
  const tried: string[] = [];
  const outbound = new Outbound({
    clock,
    transport: {
      ...sender.transport,
      dial(address, signal) {
        tried.push(address.hostname);
        return sender.transport.dial(address, signal);
      },
    },
  });
  const peer = peerAt([refusing, receiver.address]);
  await outbound.send(peer, "one\n");
  assert.deepEqual(tried, ["10.0.0.3", "10.0.0.2"]);
  receiver.connections[0].stream.close();
  await settle();
  await outbound.send(peer, "two\n");
  assert.deepEqual(tried.slice(2), ["10.0.0.2"]);
  await settle();
  assert.deepEqual(receiver.lines, ["one", "two"]);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("an address that does not answer delays the next one by 300 ms", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const host = addHost(network, "10.0.0.2");
  using receiver = new Receiver(host, "10.0.0.2");
  const outbound = new Outbound({ clock, transport: sender.transport });
  const nowhere = { hostname: "10.9.9.9", port: 9 };
  const send = watched(outbound.send(peerAt([nowhere, receiver.address]), "hello\n"));
  await clock.advance(299);
  assert.equal(send.state, "waiting");
  await clock.advance(2);
  assert.equal(send.state, "sent");
  await settle();
  assert.deepEqual(receiver.lines, ["hello"]);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("a peer that cannot be reached is named with every address and its cause", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  addHost(network, "10.0.0.2");
  const outbound = new Outbound({ clock, transport: sender.transport });
  const peer = peerAt([{ hostname: "10.0.0.2", port: 9 }, { hostname: "10.9.9.9", port: 9 }]);
  const sends = numbered(3).map((line) => watched(outbound.send(peer, `${line}\n`)));
  await clock.advance(5000);
  for (const { state } of sends) {
    assert.ok(state instanceof ConnectError);
    assert.match(
      state.message,
      /^Cannot connect to "bob" at 10\.0\.0\.2:9 \(Connection refused\), 10\.9\.9\.9:9 \(no answer within 5 s\); /,
    );
  }
  assert.equal(clock.waiting, 0);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("all addresses of a peer together get ten seconds", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const outbound = new Outbound({ clock, transport: sender.transport });
  const nowhere = numbered(16).map((_, index) => ({ hostname: "10.9.9.9", port: index + 1 }));
  const send = watched(outbound.send(peerAt(nowhere), "hello\n"));
  await clock.advance(9999);
  assert.equal(send.state, "waiting");
  await clock.advance(1);
  assert.ok(send.state as unknown instanceof ConnectError);
  assert.match(
    String(send.state),
    /10\.9\.9\.9:1 \(no answer within 2\.5 s\), .*10\.9\.9\.9:16 \(no answer within .* s\); /,
  );
  assert.equal(clock.waiting, 0);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("a peer that takes no data for ten seconds fails its lines, and nobody else's", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const host = addHost(network, "10.0.0.2");
  using receiver = new Receiver(host, "10.0.0.2");
  const stalledAt = { hostname: "10.0.0.3", port: 7 };
  const stalled = new ScriptedStream(stalledAt, () => new Promise(() => {}));
  const outbound = new Outbound({
    clock,
    transport: {
      ...sender.transport,
      dial: (address, signal) =>
        address === stalledAt ? Promise.resolve(stalled) : sender.transport.dial(address, signal),
    },
  });
  const slow = peerAt([stalledAt], { nickname: "slow" });
  const other = peerAt([receiver.address]);
  const first = watched(outbound.send(slow, "one\n"));
  await settle();
  const queued = numbered(50).map((line) => watched(outbound.send(slow, `${line}\n`)));
  await outbound.send(other, "quick\n");
  await clock.advance(9999);
  assert.equal(first.state, "waiting");
  await outbound.send(other, "quick again\n");
  await clock.advance(2);
  for (const { state } of [first, ...queued]) {
    assert.ok(state instanceof ConnectError);
    assert.match(state.message, /"slow" at 10\.0\.0\.3:7: it has taken no data for 10 s/);
  }
  assert.ok(stalled.closed);
  assert.deepEqual(receiver.lines, ["quick", "quick again"]);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("a peer that takes a little every few seconds is not given up", async () => {
  const { clock } = memoryWorld();
  const address = { hostname: "10.0.0.2", port: 7 };
  const slow = new ScriptedStream(address, async () => {
    await clock.sleep(9000);
    return 1;
  });
  const outbound = new Outbound({ clock, transport: scriptedTransport(() => slow) });
  const send = watched(outbound.send(peerAt([address]), "hello\n"));
  await clock.advance(60_000);
  assert.equal(send.state, "sent");
  assert.equal(slow.written, "hello\n");
  await outbound[Symbol.asyncDispose]();
});

Deno.test("more than 16 million characters waiting for one peer are refused at once", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const outbound = new Outbound({ clock, transport: sender.transport });
  const peer = peerAt([{ hostname: "10.9.9.9", port: 9 }]);
  const line = `${"x".repeat(4 * 1024 * 1024 - 1)}\n`;
  const inFlight = watched(outbound.send(peer, line));
  await settle();
  const sends = numbered(5).map(() => watched(outbound.send(peer, line)));
  await settle();
  const [last] = sends.splice(4);
  assert.ok(last.state instanceof LimitError);
  assert.match(last.state.message, /16777216 characters are waiting/);
  assert.ok(sends.every(({ state }) => state === "waiting"));
  await clock.advance(5000);
  assert.ok(inFlight.state instanceof ConnectError);
  assert.ok(sends.every(({ state }) => state instanceof ConnectError));
  await outbound[Symbol.asyncDispose]();
});

Deno.test("beyond 512 connections the longest idle one makes room, and its peer can be reached in the same turn", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const host = addHost(network, "10.0.0.2");
  using receiver = new Receiver(host, "10.0.0.2");
  const outbound = new Outbound({ clock, transport: sender.transport });
  const peers = Array.from({ length: 512 }, () => peerAt([receiver.address]));
  for (const peer of peers) await outbound.send(peer, "hello\n");
  await clock.advance(10);
  await outbound.send(peers[0], "hello again\n");
  await clock.advance(10);
  const open = () => receiver.connections.filter(({ ended }) => !ended).length;
  assert.equal(open(), 512);
  const newcomers = [1, 2, 3].map(() => peerAt([receiver.address]));
  const sends = [...newcomers, peers[1]].map((peer) => outbound.send(peer, "new\n"));
  await Promise.all(sends);
  await settle();
  assert.equal(open(), 512);
  assert.equal(receiver.connections[0].ended, false, "the one in use stays");
  assert.ok(receiver.connections[1].ended, "the longest idle one goes");
  assert.equal(receiver.lines.filter((line) => line === "new").length, 4);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("when every connection is in use, a message to somebody else is refused", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const outbound = new Outbound({ clock, transport: sender.transport });
  const nowhere = { hostname: "10.9.9.9", port: 9 };
  const busy = Array.from({ length: 512 }, () => watched(outbound.send(peerAt([nowhere]), "x\n")));
  await assert.rejects(
    outbound.send(peerAt([nowhere], { nickname: "zoe" }), "x\n"),
    /Cannot send to "zoe": messages to 512 other peers/,
  );
  await clock.advance(5000);
  assert.ok(busy.every(({ state }) => state instanceof ConnectError));
  await outbound[Symbol.asyncDispose]();
});

Deno.test("the end rejects what waits, whether it is dialling, writing or queued", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const stalledAt = { hostname: "10.0.0.3", port: 7 };
  const stalled = new ScriptedStream(stalledAt, () => new Promise(() => {}));
  const outbound = new Outbound({
    clock,
    transport: {
      ...sender.transport,
      dial: (address, signal) =>
        address === stalledAt ? Promise.resolve(stalled) : sender.transport.dial(address, signal),
    },
  });
  const nowhere = peerAt([{ hostname: "10.9.9.9", port: 9 }]);
  const slow = peerAt([stalledAt]);
  const sends = [nowhere, slow, nowhere, slow].map((peer) => watched(outbound.send(peer, "x\n")));
  await settle();
  sends.push(...[nowhere, slow].map((peer) => watched(outbound.send(peer, "y\n"))));
  await outbound[Symbol.asyncDispose]();
  await settle();
  for (const { state } of sends) assert.ok(state instanceof Error, String(state));
  assert.equal(clock.waiting, 0);
  assert.ok(stalled.closed);
});

Deno.test("after the end nothing is sent and no connection opened", async () => {
  const { outbound, peer, receiver } = pair();
  await outbound[Symbol.asyncDispose]();
  await assert.rejects(outbound.send(peer, "too late\n"), /ended/);
  await settle();
  assert.equal(receiver.connections.length, 0);
});

Deno.test("a peer that is gone is disconnected, and one that is back in the same turn gets its line", async () => {
  const { outbound, peer, receiver } = pair();
  await outbound.send(peer, "one\n");
  outbound.forget(peer.key);
  await outbound.send(peer, "two\n");
  await settle();
  assert.deepEqual(receiver.lines, ["one", "two"]);
  assert.deepEqual(receiver.connections.map(({ ended }) => ended), [true, false]);
  outbound.forget(12345);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("a peer that goes while something is being sent to it still gets that", async () => {
  const { outbound, peer, receiver } = pair();
  const send = outbound.send(peer, "one\n");
  outbound.forget(peer.key);
  await send;
  await settle();
  assert.deepEqual(receiver.lines, ["one"]);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("a peer that talks back on a connection does no harm, and is cut off beyond 64 KiB", async () => {
  const { outbound, peer, receiver } = pair();
  await outbound.send(peer, "one\n");
  await settle();
  const [{ stream }] = receiver.connections;
  await stream.write(new Uint8Array(32 * 1024));
  await settle();
  await outbound.send(peer, "two\n");
  await settle();
  assert.deepEqual(receiver.lines, ["one", "two"]);
  assert.equal(receiver.connections.length, 1);
  for (let round = 0; round < 2; round++) {
    await stream.write(new Uint8Array(32 * 1024));
    await settle(80);
  }
  assert.ok(receiver.connections[0].ended);
  await outbound.send(peer, "three\n");
  await settle();
  assert.deepEqual(receiver.lines, ["one", "two", "three"]);
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

Deno.test("a line to where a peer is no longer known is not used any more", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  using before = new Receiver(addHost(network, "10.0.0.2"), "10.0.0.2");
  using after = new Receiver(addHost(network, "10.0.0.3"), "10.0.0.3");
  const outbound = new Outbound({ clock, transport: sender.transport });
  const peer = peerAt([before.address, after.address]);
  const [first, second] = peer.addresses;
  await outbound.send(peer, "one\n");
  await outbound.send({ ...peer, addresses: [second, first] }, "two\n");
  await outbound.send({ ...peer, addresses: [second] }, "three\n");
  await settle();
  assert.deepEqual(before.lines, ["one", "two"]);
  assert.deepEqual(after.lines, ["three"]);
  await outbound[Symbol.asyncDispose]();
});
