import assert from "node:assert/strict";
import fc from "fast-check";
import { silentLog } from "../../lib/base/log.ts";
import type { Listener, Stream } from "../../lib/transport/stream.ts";
import { settle } from "../support/fake_clock.ts";
import { unicode } from "../wire/arbitraries.ts";
import { addHost, ScriptedStream } from "./fixtures.ts";
import { dial, encoder, KIB, line, MIB, start, write } from "./inbound_fixtures.ts";

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
