import assert from "node:assert/strict";
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
import { numbered, pair } from "./outbound_fixtures.ts";

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
