import assert from "node:assert/strict";
import fc from "fast-check";
import { silentLog } from "../../lib/base/log.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import { Inbound } from "../../lib/peer/inbound.ts";
import type { MemoryHost } from "../../lib/transport/memory.ts";
import type { Listener, Stream } from "../../lib/transport/stream.ts";
import { encodeMessage, type Message } from "../../lib/wire/message.ts";
import { settle } from "../support/fake_clock.ts";
import { unicode } from "../wire/arbitraries.ts";
import { addHost, memoryWorld, ScriptedStream } from "./fixtures.ts";

const encoder = new TextEncoder();
const KIB = 1024;
const MIB = 1024 * 1024;

const TOO_MUCH_UNFINISHED = "unfinished lines above the limit of 33554432 bytes of all connections";

/** A gate that a test closes to be a slow consumer. */
class Gate {
  #wait: PromiseWithResolvers<void> | undefined;
  close(): void {
    this.#wait ??= Promise.withResolvers<void>();
  }
  open(): void {
    this.#wait?.resolve();
    this.#wait = undefined;
  }
  ready(): Promise<void> | undefined {
    return this.#wait?.promise;
  }
}

/** An inbound side on 10.0.0.1; `listener` replaces the one in memory. */
function start(listener?: Listener, log = silentLog) {
  const { clock, network } = memoryWorld();
  const host = addHost(network, "10.0.0.1");
  const refusals = new Refusals(clock, log);
  const messages: Message[] = [];
  const gate = new Gate();
  const inbound = new Inbound({
    clock,
    refusals,
    listener: listener ?? host.transport.listen({ hostname: "0.0.0.0", port: 7 }),
    maxContentBytes: 64 * KIB,
    onMessage: (message) => void messages.push(message),
    ready: () => gate.ready(),
  });
  const contents = () => messages.map(({ content }) => content);
  return { clock, network, host, refusals, messages, contents, gate, inbound };
}

function dial(from: MemoryHost): Promise<Stream> {
  return from.transport.dial({ hostname: "10.0.0.1", port: 7 }, new AbortController().signal);
}

async function write(stream: Stream, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  for (let at = 0; at < bytes.length;) at += await stream.write(bytes.subarray(at));
}

const line = (content: string, from = "bob") => encodeMessage({ from, content, timestamp: 1 });

Deno.test("many lines on many connections all arrive, in order on each", async () => {
  const { network, messages, inbound } = start();
  const host = addHost(network, "10.0.0.2");
  const senders = Array.from({ length: 50 }, (_, index) => `sender${index}`);
  await Promise.all(senders.map(async (from) => {
    const stream = await dial(host);
    for (let at = 0; at < 40; at++) await write(stream, line(String(at), from));
    stream.close();
  }));
  await settle();
  assert.equal(messages.length, 2000);
  for (const sender of senders) {
    const own = messages.filter(({ from }) => from === sender).map(({ content }) => content);
    assert.deepEqual(own, Array.from({ length: 40 }, (_, at) => String(at)));
  }
  assert.equal(inbound.connections, 0);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("messages arrive the same wherever the stream is split", async () => {
  const contents = fc.array(unicode(60), { minLength: 1, maxLength: 8 });
  const splits = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 });
  const { network, messages, inbound } = start();
  const host = addHost(network, "10.0.0.2");
  await fc.assert(
    fc.asyncProperty(contents, splits, async (texts, sizes) => {
      messages.length = 0;
      const bytes = encoder.encode(texts.map((text) => line(text)).join(""));
      const stream = await dial(host);
      let at = 0;
      for (const size of [...sizes, bytes.length]) {
        await write(stream, bytes.subarray(at, at + size));
        at += size;
        await Promise.resolve();
      }
      stream.close();
      await settle();
      assert.deepEqual(messages.map(({ content }) => content), texts);
    }),
    { numRuns: 100 },
  );
  await inbound[Symbol.asyncDispose]();
});

Deno.test("a message of the version 1 sender that ends without a newline counts", async () => {
  const { network, contents, inbound } = start();
  const stream = await dial(addHost(network, "10.0.0.2"));
  await write(stream, line("one") + line("two").trimEnd());
  stream.close();
  await settle();
  assert.deepEqual(contents(), ["one", "two"]);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("bad lines are refused by cause and cost their neighbours nothing", async () => {
  const { network, contents, refusals, inbound } = start();
  const stream = await dial(addHost(network, "10.0.0.2"));
  const bad: [cause: string, data: string | Uint8Array][] = [
    ["not a JSON object", "hello"],
    ["not a JSON object", "[1]"],
    ["not JSON", '{"from":}'],
    ["not JSON", '{"from":"a\0b","content":"","timestamp":1}'],
    ["line is not UTF-8", Uint8Array.of(0x7b, 0xc3, 0x28, 0x7d)],
    ['message without a valid nickname in "from"', '{"content":"x","timestamp":1}'],
    ['message without a valid nickname in "from"', '{"from":"\\u001b[2J","content":"x"}'],
    ['message without text in "content"', '{"from":"a","timestamp":1}'],
    ['message without text in "content"', '{"from":"a","content":7,"timestamp":1}'],
    ['message without a Unix time in "timestamp"', '{"from":"a","content":"x"}'],
    ...["-1", "1e300", "1.5", "253402300800", '"1"', "null"].map((time): [string, string] => [
      'message without a Unix time in "timestamp"',
      `{"from":"a","content":"x","timestamp":${time}}`,
    ]),
    ["content above the limit", line("x".repeat(64 * KIB + 1)).trimEnd()],
    [`line above the limit of ${MIB} bytes`, "x".repeat(10 * MIB)],
  ];
  const expected: Record<string, number> = {};
  for (const [index, [cause, data]] of bad.entries()) {
    await write(stream, line(`before ${index}`));
    await write(stream, data);
    await write(stream, `\n${line(`after ${index}`)}`);
    expected[cause] = (expected[cause] ?? 0) + 1;
  }
  await settle();
  assert.deepEqual(refusals.totals(), expected);
  assert.deepEqual(contents(), bad.flatMap((_, index) => [`before ${index}`, `after ${index}`]));
  assert.equal(inbound.connections, 1);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("who sends only bad lines is cut off, and what it leaves behind is not counted for ever", async () => {
  const { network, refusals, contents, inbound } = start();
  const flood = encoder.encode("x\n".repeat(1100) + "y".repeat(60 * KIB));
  // More than the 32 MiB that unfinished lines may take together, were each tail kept.
  for (let round = 0; round < 600; round++) {
    const hostile = await dial(addHost(network, `10.1.${round >> 8}.${round & 255}`));
    await write(hostile, "x".repeat(30 * KIB) + "\n"); // the reading buffer grows to 64 KiB
    await settle(2);
    await write(hostile, flood).catch(() => {});
    await settle(1);
  }
  await settle();
  assert.equal(inbound.connections, 0);
  assert.ok(refusals.count("not a JSON object") > 600_000);
  const honest = await dial(addHost(network, "10.0.0.2"));
  const [start_, end] = [line("split").slice(0, 9), line("split").slice(9)];
  await write(honest, start_);
  await settle();
  await write(honest, end);
  await settle();
  assert.deepEqual(contents(), ["split"]);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("a line that trickles in byte by byte is given up after 30 seconds", async () => {
  const { clock, network, refusals, contents, inbound } = start();
  const stream = await dial(addHost(network, "10.0.0.2"));
  const quick = await dial(addHost(network, "10.0.0.3"));
  const bytes = encoder.encode(line("slow"));
  for (let at = 0; at < 29; at++) {
    await write(stream, bytes.subarray(at, at + 1));
    await clock.advance(1000);
  }
  assert.equal(inbound.connections, 2);
  await write(quick, line("quick"));
  for (let at = 29; at < 36; at++) {
    await stream.write(bytes.subarray(at, at + 1)).catch(() => {});
    await clock.advance(1000);
  }
  assert.equal(inbound.connections, 1);
  assert.equal(refusals.count("line that was not complete within 30 s"), 1);
  assert.deepEqual(contents(), ["quick"]);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("a long stream of lines that never pauses at a line's end is not an unfinished line", async () => {
  const { clock, network, contents, inbound } = start();
  const stream = await dial(addHost(network, "10.0.0.2"));
  const text = line("x");
  await write(stream, text.slice(0, 5));
  for (let second = 0; second < 300; second++) {
    await clock.advance(1000);
    await write(stream, text.slice(5) + text.slice(0, 5));
  }
  await clock.advance(1);
  assert.equal(contents().length, 300);
  assert.equal(inbound.connections, 1);
  await inbound[Symbol.asyncDispose]();
});

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

Deno.test("a slow consumer makes senders wait instead of filling the memory", async () => {
  const { network, contents, gate, inbound } = start();
  gate.close();
  const stream = await dial(addHost(network, "10.0.0.2"));
  let written = 0;
  const writing = (async () => {
    for (; written < 2000; written++) await write(stream, line("x".repeat(KIB)));
  })();
  await settle(20);
  assert.ok(contents().length < 100, `${contents().length} were read`);
  assert.ok(written < 200, `${written} were taken`);
  gate.open();
  await writing;
  await settle();
  assert.equal(contents().length, 2000);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("a slow consumer makes those wait, too, who open a connection for each message", async () => {
  const { network, contents, gate, inbound } = start();
  gate.close();
  const host = addHost(network, "10.0.0.2");
  for (let at = 0; at < 1000; at++) {
    const stream = await dial(host);
    await write(stream, line(String(at)));
    stream.close();
    if (at % 10 === 0) await settle(1);
  }
  await settle();
  assert.ok(contents().length <= 1, `${contents().length} were read`);
  gate.open();
  await settle(20);
  assert.deepEqual(contents(), Array.from({ length: 1000 }, (_, at) => String(at)));
  await inbound[Symbol.asyncDispose]();
});

Deno.test("the time that a slow consumer takes is not held against the sender", async () => {
  const { clock, network, contents, gate, refusals, inbound } = start();
  const stream = await dial(addHost(network, "10.0.0.2"));
  await settle();
  gate.close();
  await write(stream, line("one") + line("two").slice(0, 10));
  await clock.advance(600_000);
  assert.equal(inbound.connections, 1);
  gate.open();
  await clock.advance(10_000);
  await write(stream, line("two").slice(10));
  await settle();
  assert.deepEqual(contents(), ["one", "two"]);
  assert.deepEqual(refusals.totals(), {});
  await clock.advance(110_000);
  assert.equal(inbound.connections, 1, "it is idle since its last byte");
  await clock.advance(20_000);
  assert.equal(inbound.connections, 0);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("errors while accepting are survived, and logged once a second", async () => {
  const logged: string[] = [];
  let failures = 50;
  const waiting = new ScriptedStream({ hostname: "10.0.0.2", port: 1 });
  const closed = Promise.withResolvers<Stream>();
  closed.promise.catch(() => {});
  let handed = false;
  const listener: Listener = {
    address: { hostname: "0.0.0.0", port: 7 },
    accept() {
      if (failures-- > 0) return Promise.reject(new Error("Too many open files"));
      if (handed) return closed.promise;
      handed = true;
      return Promise.resolve(waiting);
    },
    close: () => closed.reject(new Error("closed")),
    [Symbol.dispose]() {},
  };
  const { clock, contents, inbound } = start(
    listener,
    { ...silentLog, warn: (text) => logged.push(text) },
  );
  await clock.advance(6000);
  waiting.receive(encoder.encode(line("at last")));
  await settle();
  assert.deepEqual(contents(), ["at last"]);
  assert.ok(logged.length >= 4 && logged.length <= 6, logged.join("\n"));
  assert.ok(logged.every((text) => text.includes("Too many open files")));
  await inbound[Symbol.asyncDispose]();
});

Deno.test("the end closes the listener and every connection, even while accepting fails or waits", async () => {
  const { clock, network, gate, inbound } = start();
  const host = addHost(network, "10.0.0.2");
  const stream = await dial(host);
  await settle();
  gate.close();
  await write(stream, line("x"));
  await dial(host);
  await settle();
  gate.open(); // as the owner does first
  await inbound[Symbol.asyncDispose]();
  await assert.rejects(dial(host), /refused/);
  await assert.rejects(write(stream, line("y")));
  assert.equal(inbound.connections, 0);
  assert.equal(clock.waiting, 0);

  const failing = start({
    address: { hostname: "0.0.0.0", port: 7 },
    accept: () => Promise.reject(new Error("Too many open files")),
    close() {},
    [Symbol.dispose]() {},
  });
  await settle();
  await failing.inbound[Symbol.asyncDispose]();
  assert.equal(failing.clock.waiting, 0);
});

Deno.test("a web page that posts messages is cut off", async () => {
  const { network, contents, refusals, inbound } = start();
  const host = addHost(network, "10.0.0.2");
  const headers = "Host: 10.0.0.1:7\r\nContent-Type: text/plain\r\n\r\n";
  const requests = [
    `POST / HTTP/1.1\r\n${headers}${line("posted")}`,
    `GET /?${encodeURIComponent(line("asked"))} HTTP/1.0\n${line("behind")}`,
    `POST /${"x".repeat(MIB)} HTTP/1.1\r\n${headers}${line("behind a long address")}`,
  ];
  for (const request of requests) {
    const stream = await dial(host);
    await write(stream, request).catch(() => {}); // cut off in the middle
    await settle();
    assert.equal(inbound.connections, 0);
  }
  assert.deepEqual(contents(), []);
  assert.deepEqual(refusals.totals(), { "HTTP request": 3 });
  const honest = await dial(host);
  await write(honest, line("hello") + "GET / HTTP/1.1\n" + line("later"));
  await settle();
  assert.deepEqual(contents(), ["hello", "later"], "only a first line tells");
  await inbound[Symbol.asyncDispose]();
});
