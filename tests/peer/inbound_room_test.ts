import assert from "node:assert/strict";
import type { Stream } from "../../lib/transport/stream.ts";
import { encodeMessage } from "../../lib/wire/message.ts";
import { settle } from "../support/fake_clock.ts";
import { addHost } from "./fixtures.ts";
import { dial, encoder, line, MIB, start, write } from "./inbound_fixtures.ts";

const TOO_MUCH_UNFINISHED = "unfinished lines above the limit of 33554432 bytes of all connections";

Deno.test("a silent connection is closed after two minutes", async () => {
  const { clock, network, contents, inbound } = start();
  const host = addHost(network, "10.0.0.2");
  await dial(host);
  const used = await dial(host);
  await clock.advance(60_000);
  await write(used, line("still here"));
  await clock.advance(70_000);
  assert.equal(inbound.connections, 1);
  await clock.advance(60_000);
  assert.equal(inbound.connections, 0);
  assert.deepEqual(contents(), ["still here"]);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("a thousand idle connections keep no new sender out", async () => {
  const { clock, network, contents, refusals, inbound } = start();
  for (let host = 0; host < 10; host++) {
    const from = addHost(network, `10.1.0.${host}`);
    for (let at = 0; at < 128; at++) await dial(from);
  }
  await clock.advance(2500);
  assert.equal(inbound.connections, 1024);
  for (const address of ["10.0.0.2", "10.0.0.3"]) {
    const stream = await dial(addHost(network, address));
    await write(stream, line(address));
    await clock.advance(2500);
  }
  assert.deepEqual(contents(), ["10.0.0.2", "10.0.0.3"]);
  assert.equal(inbound.connections, 1024);
  assert.equal(refusals.count("connections above the limit of 1024"), 256 + 2);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("a host that opens too many connections loses its own longest idle ones", async () => {
  const { clock, network, contents, refusals, inbound } = start();
  const greedy = addHost(network, "10.0.0.2");
  const other = await dial(addHost(network, "10.0.0.3"));
  await clock.advance(1);
  const streams: Stream[] = [];
  for (let at = 0; at < 128; at++) streams.push(await dial(greedy));
  await settle();
  await clock.advance(1);
  await write(streams[0], line("in use"));
  await settle();
  for (let at = 0; at < 10; at++) streams.push(await dial(greedy));
  await clock.advance(1900);
  assert.deepEqual(refusals.totals(), {}, "none has been idle for long");
  await clock.advance(400);
  assert.equal(inbound.connections, 129);
  assert.equal(refusals.count("connections above the limit of 128 per host"), 10);
  await write(streams[0], line("kept"));
  await write(streams.at(-1)!, line("newest"));
  await write(other, line("other"));
  await assert.rejects(write(streams[1], line("lost")));
  await settle();
  assert.deepEqual(contents(), ["in use", "kept", "newest", "other"]);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("a burst of short connections of one host loses nothing", async () => {
  const { clock, network, contents, refusals, inbound } = start();
  const host = addHost(network, "10.0.0.2");
  const streams: Stream[] = [];
  for (let at = 0; at < 3000; at++) streams.push(await dial(host));
  await clock.advance(1500); // a sender that shares its processor with many others
  for (const [at, stream] of streams.entries()) {
    await write(stream, line(String(at)));
    stream.close();
    if (at % 100 === 0) await clock.advance(100);
  }
  await settle(40);
  assert.deepEqual(contents(), streams.map((_, at) => String(at)));
  assert.deepEqual(refusals.totals(), {});
  await inbound[Symbol.asyncDispose]();
});

Deno.test("a burst of short connections loses nothing to a consumer who is slow for minutes", async () => {
  const { clock, network, contents, gate, refusals, inbound } = start();
  const host = addHost(network, "10.0.0.2");
  gate.close();
  for (let at = 0; at < 3000; at++) {
    const stream = await dial(host);
    await write(stream, line(String(at)));
    stream.close();
  }
  await clock.advance(300_000);
  assert.deepEqual(contents(), []);
  gate.open();
  await clock.advance(200);
  assert.deepEqual(contents(), Array.from({ length: 3000 }, (_, at) => String(at)));
  assert.deepEqual(refusals.totals(), {});
  await inbound[Symbol.asyncDispose]();
  assert.equal(clock.waiting, 0);
});

Deno.test("hosts that keep all connections busy keep a host with none out for seconds only", async () => {
  const { clock, network, contents, inbound } = start();
  const busy: Stream[] = [];
  for (let host = 0; host < 8; host++) {
    const from = addHost(network, `10.1.0.${host}`);
    for (let at = 0; at < 128; at++) busy.push(await dial(from));
  }
  await settle();
  const honest = await dial(addHost(network, "10.0.0.2"));
  await write(honest, line("at last"));
  for (let second = 0; second < 3; second++) {
    for (const stream of busy) void stream.write(encoder.encode(" ")).catch(() => {});
    await clock.advance(1000);
  }
  assert.deepEqual(contents(), ["at last"]);
  assert.equal(inbound.connections, 1024);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("a host whose connections all wait for room keeps another out for seconds only", async () => {
  const { clock, network, contents, refusals, inbound } = start();
  const hostile = addHost(network, "10.0.0.66");
  const busy: Stream[] = [];
  for (let at = 0; at < 128 + 1500; at++) busy.push(await dial(hostile));
  const honest = await dial(addHost(network, "10.0.0.2"));
  await write(honest, line("at last"));
  for (let second = 0; second < 6; second++) {
    for (const stream of busy) void stream.write(encoder.encode(" ")).catch(() => {});
    await clock.advance(1000);
  }
  assert.deepEqual(contents(), ["at last"]);
  assert.equal(refusals.count("connections that wait above the limit of 1024"), 1024);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("a host that keeps all its connections busy delays nobody else", async () => {
  const { clock, network, contents, inbound } = start();
  const hostile = addHost(network, "10.0.0.66");
  const busy: Stream[] = [];
  for (let at = 0; at < 400; at++) busy.push(await dial(hostile));
  for (let round = 0; round < 5; round++) {
    const honest = await dial(addHost(network, `10.2.0.${round}`));
    for (const stream of busy) void stream.write(encoder.encode(" ")).catch(() => {});
    await write(honest, line(String(round)));
    await settle();
    assert.equal(contents().at(-1), String(round), "it is read at once");
    await clock.advance(50);
  }
  await clock.advance(200);
  assert.equal(inbound.connections, 128 + 5);
  const waiting = await dial(hostile);
  await settle();
  await inbound[Symbol.asyncDispose]();
  await assert.rejects(write(waiting, line("too late")));
  assert.equal(clock.waiting, 0);
});

Deno.test("unfinished lines above 32 MiB together cost whoever holds most of them, nobody else", async () => {
  const { network, contents, refusals, inbound } = start();
  const hostile = addHost(network, "10.0.0.66");
  const honest = await dial(addHost(network, "10.0.0.2"));
  const split = encodeMessage({ from: "bob", content: "z".repeat(2000), timestamp: 1 });
  await write(honest, split.slice(0, 1000));
  await settle();
  const long = new Uint8Array(MIB - 1).fill(0x78);
  for (let at = 0; at < 31; at++) await write(await dial(hostile), long);
  await write(await dial(hostile), long.subarray(1000));
  await settle(40);
  assert.equal(refusals.count(TOO_MUCH_UNFINISHED), 0, "31 bytes are left");
  await write(honest, split.slice(1000, 1500));
  await settle();
  for (let at = 0; at < 4; at++) await write(await dial(hostile), long).catch(() => {});
  await settle(40);
  assert.ok(refusals.count(TOO_MUCH_UNFINISHED) > 0);
  const late = await dial(addHost(network, "10.0.0.3"));
  await write(late, line("late").slice(0, 10));
  await settle();
  await write(late, line("late").slice(10));
  await write(honest, split.slice(1500));
  await settle();
  assert.deepEqual(contents(), ["late", "z".repeat(2000)]);
  assert.ok(inbound.connections >= 31, "no more are closed than needed");
  await inbound[Symbol.asyncDispose]();
});
