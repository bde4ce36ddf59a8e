import assert from "node:assert/strict";
import { AsyncQueue } from "../../lib/base/async_queue.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import { Inbound } from "../../lib/peer/inbound.ts";
import { Intake } from "../../lib/peer/intake.ts";
import type { Listener, Stream } from "../../lib/transport/stream.ts";
import { tcpTransport } from "../../lib/transport/tcp.ts";
import { encodeMessage, type Message } from "../../lib/wire/message.ts";
import { settle } from "../support/fake_clock.ts";
import type { Burst } from "../support/v1_burst_worker.ts";
import { addHost, memoryWorld } from "./fixtures.ts";

const HIGH_WATER = 1024 * 1024;
/** The most that one read brings. */
const CHUNK = 64 * 1024;

/** An inbound side behind a queue as a node has it. */
function receive(listener: Listener, clock = systemClock) {
  const refusals = new Refusals(clock, silentLog);
  const queue = new AsyncQueue<Message>(HIGH_WATER, ({ content }) => content.length);
  let weight = 0;
  const totals = { pushed: 0, most: 0 };
  const inbound = new Inbound({
    clock,
    refusals,
    listener,
    maxContentBytes: CHUNK,
    onMessage: (message) => {
      weight += message.content.length;
      totals.most = Math.max(totals.most, weight);
      totals.pushed++;
      queue.push(message);
    },
    intake: new Intake(refusals, () => queue.ready()),
  });
  const take = async () => {
    const { value } = await queue.next();
    weight -= value.content.length;
    return value as Message;
  };
  const close = async () => {
    queue.close();
    await inbound[Symbol.asyncDispose]();
  };
  return { refusals, queue, totals, inbound, take, close };
}

const bytesOf = (from: string, content: string) =>
  new TextEncoder().encode(encodeMessage({ from, content, timestamp: 1 }));

Deno.test("a host with a hundred connections gets no more of a slow consumer than a host with one", async () => {
  const { clock, network } = memoryWorld();
  const host = addHost(network, "10.0.0.1");
  const { queue, totals, take, close } = receive(
    host.transport.listen({ hostname: "0.0.0.0", port: 7 }),
    clock,
  );
  const dial = (address: string) =>
    addHost(network, address).transport.dial(
      { hostname: "10.0.0.1", port: 7 },
      new AbortController().signal,
    );
  const hostile = addHost(network, "10.0.0.66");
  const block = bytesOf("hostile", "x".repeat(1000));
  const lines = new Uint8Array(60 * block.length).map((_, at) => block[at % block.length]);
  const flood = async (stream: Stream) => {
    for (let round = 0; round < 100; round++) {
      for (let at = 0; at < lines.length;) at += await stream.write(lines.subarray(at));
    }
  };
  for (let at = 0; at < 100; at++) {
    const stream = await hostile.transport.dial(
      { hostname: "10.0.0.1", port: 7 },
      new AbortController().signal,
    );
    flood(stream).catch(() => {}); // until the end of the test
  }
  await settle(100);
  assert.ok(totals.most <= HIGH_WATER + CHUNK, `${totals.most} wait`);
  const honest = await dial("10.0.0.2");
  const other = await dial("10.0.0.3");
  await honest.write(bytesOf("honest", "1"));
  await other.write(bytesOf("other", "2"));
  await settle(20);
  const before = queue.length;
  // What was there before, and one chunk of the hostile host for each of the others.
  const bound = before + 3 * CHUNK / 1000;
  const seen = new Set<string>();
  let taken = 0;
  for (; taken < bound && seen.size < 3; taken++) {
    seen.add((await take()).from);
    await settle(1);
  }
  assert.deepEqual([...seen].sort(), ["honest", "hostile", "other"], `of ${taken}`);
  assert.ok(totals.most <= HIGH_WATER + 3 * CHUNK, `${totals.most} wait`);
  await close();
});

Deno.test("15,000 messages with a TCP connection each all arrive, although the reader's thread stands still at times", async () => {
  const COUNT = 15_000;
  const listener = tcpTransport.listen({ hostname: "127.0.0.1", port: 0 });
  const { refusals, take, close } = receive(listener);
  const worker = new Worker(new URL("../support/v1_burst_worker.ts", import.meta.url), {
    type: "module",
  });
  const sent = new Promise((resolve) => worker.onmessage = resolve);
  const burst: Burst = { port: listener.address.port, count: COUNT };
  worker.postMessage(burst);
  const still = new Int32Array(new SharedArrayBuffer(4));
  const seen = new Set<number>();
  const read = async () => {
    while (seen.size < COUNT) {
      seen.add(Number.parseInt((await take()).content));
      if (seen.size % 4000 === 0) Atomics.wait(still, 0, 0, seen.size === 4000 ? 2500 : 150);
    }
  };
  const limit = new AbortController();
  const late = systemClock.sleep(60_000, limit.signal).then(() => {
    throw new Error(`Only ${seen.size} arrived; refused: ${JSON.stringify(refusals.totals())}`);
  });
  try {
    await Promise.race([Promise.all([sent, read()]), late]);
  } finally {
    limit.abort();
    await late.catch(() => {});
    worker.terminate();
    await close();
  }
  assert.equal(seen.size, COUNT);
  assert.deepEqual(refusals.totals(), {});
});
