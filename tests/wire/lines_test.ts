import assert from "node:assert/strict";
import fc from "fast-check";
import { LineDecoder } from "../../lib/wire/lines.ts";
import { unicode } from "./arbitraries.ts";

/** What a decoder handed over, in order: lines as JSON strings, refusals in angle brackets. */
class Recorder {
  readonly events: string[] = [];
  line(text: string): void {
    this.events.push(JSON.stringify(text));
  }
  refused(cause: string): void {
    this.events.push(`<${cause}>`);
  }
}

/** The plain reading of the whole stream at once that the decoder must agree with. */
function reference(bytes: Uint8Array, maxBytes: number): string[] {
  const recorder = new Recorder();
  const lines: number[][] = [[]];
  for (const byte of bytes) {
    if (byte === 0x0a) lines.push([]);
    else lines.at(-1)!.push(byte);
  }
  if (lines.at(-1)!.length === 0) lines.pop(); // nothing stands behind the last newline
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (const line of lines) {
    if (line.length > maxBytes) {
      recorder.refused(`line above the limit of ${maxBytes} bytes`);
      continue;
    }
    let text: string;
    try {
      text = decoder.decode(Uint8Array.from(line));
    } catch {
      recorder.refused("line is not UTF-8");
      continue;
    }
    recorder.line(text);
  }
  return recorder.events;
}

/** Feeds `bytes` in pieces of the given sizes (the rest in one), through one reused buffer. */
function decoded(bytes: Uint8Array, sizes: readonly number[], maxBytes: number): string[] {
  const decoder = new LineDecoder(maxBytes);
  const recorder = new Recorder();
  const buffer = new Uint8Array(bytes.length);
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    const piece = bytes.subarray(at, at + size);
    at += piece.length;
    buffer.set(piece);
    decoder.push(buffer.subarray(0, piece.length), recorder);
    buffer.fill(0x3f);
    assert.ok(decoder.pendingBytes <= maxBytes, "more is kept than a line may have");
  }
  decoder.end(recorder);
  assert.equal(decoder.pendingBytes, 0);
  assert.equal(decoder.unfinished, false);
  return recorder.events;
}

const encoder = new TextEncoder();
const decode = (text: string, sizes: number[] = [], maxBytes = 100) =>
  decoded(encoder.encode(text), sizes, maxBytes);

/** Bytes in which newlines, NUL and (broken) UTF-8 sequences are frequent. */
const streams = fc.array(
  fc.oneof(
    fc.constantFrom("\n", "\n\n", "\r\n", "\0", "\ufeff", "ä", "€", "😀", "\ufffd").map((text) => [
      ...encoder.encode(text),
    ]),
    fc.constantFrom([0xff], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xed, 0xa0, 0x80], [0x80]),
    fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 12 }),
    fc.string({ maxLength: 12 }).map((text) => [...encoder.encode(text)]),
  ),
  { maxLength: 40 },
).map((parts) => Uint8Array.from(parts.flat()));
const splits = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 120 });
const limits = fc.oneof(fc.integer({ min: 0, max: 24 }), fc.constant(1000));

Deno.test("lines are the same however the byte stream is split", () => {
  fc.assert(
    fc.property(streams, splits, limits, (bytes, sizes, maxBytes) => {
      assert.deepEqual(decoded(bytes, sizes, maxBytes), reference(bytes, maxBytes));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("lines are the same when bytes come one by one", () => {
  fc.assert(
    fc.property(streams, limits, (bytes, maxBytes) => {
      const sizes = Array<number>(bytes.length).fill(1);
      assert.deepEqual(decoded(bytes, sizes, maxBytes), reference(bytes, maxBytes));
    }),
    { numRuns: 300 },
  );
});

Deno.test("lines of text come back as they were written", () => {
  const texts = fc.array(
    unicode(20).map((text) => text.replaceAll("\n", "")),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(texts, splits, (lines, sizes) => {
      const stream = lines.map((line) => line + "\n").join("");
      assert.deepEqual(decode(stream, sizes, 1000), lines.map((line) => JSON.stringify(line)));
    }),
  );
});

Deno.test("a line at the limit is delivered and a longer one is dropped alone", () => {
  const events = ['"12345"', "<line above the limit of 5 bytes>", '"after"'];
  assert.deepEqual(decode("12345\n123456\nafter\n", [], 5), events);
  assert.deepEqual(decode("12345\n123456\nafter\n", [3, 8, 1], 5), events);
  assert.deepEqual(decode("12345\n123456\nafter", [11, 1], 5), events);
});

Deno.test("a line above the limit is refused once and before its newline", () => {
  const decoder = new LineDecoder(1000);
  const recorder = new Recorder();
  const chunk = new Uint8Array(600).fill(0x61);
  for (let i = 0; i < 10_000; i++) {
    decoder.push(chunk, recorder);
    assert.ok(decoder.pendingBytes <= 1000);
    assert.ok(decoder.unfinished);
  }
  assert.deepEqual(recorder.events, ["<line above the limit of 1000 bytes>"]);
  decoder.push(encoder.encode("tail\nnext\n"), recorder);
  assert.deepEqual(recorder.events.slice(1), ['"next"']);
});

Deno.test("a line that is not UTF-8 is dropped alone", () => {
  const bytes = Uint8Array.from([...encoder.encode("a\n"), 0xff, 0x0a, ...encoder.encode("b\n")]);
  for (const sizes of [[], [2], [3], [1, 1, 1, 1]]) {
    assert.deepEqual(decoded(bytes, sizes, 10), ['"a"', "<line is not UTF-8>", '"b"']);
  }
});

Deno.test("a character that is cut by the end of a chunk is whole again", () => {
  for (const size of [1, 2, 3, 4]) assert.deepEqual(decode("😀\n", [size]), ['"😀"']);
});

Deno.test("a character that is cut by a newline spoils both lines and no other", () => {
  const bytes = Uint8Array.from([0x61, 0x0a, 0xf0, 0x9f, 0x0a, 0x98, 0x80, 0x0a, 0x62, 0x0a]);
  const events = ['"a"', "<line is not UTF-8>", "<line is not UTF-8>", '"b"'];
  assert.deepEqual(decoded(bytes, [], 10), events);
  assert.deepEqual(decoded(bytes, [3, 2], 10), events);
});

Deno.test("empty lines, NUL, carriage returns and byte order marks stay what they are", () => {
  assert.deepEqual(decode("\n\na\0b\r\n\ufeffc\n"), [
    '""',
    '""',
    '"a\\u0000b\\r"',
    JSON.stringify("\ufeffc"),
  ]);
});

Deno.test("a line without its newline is delivered at the end of the stream only", () => {
  const decoder = new LineDecoder(10);
  const recorder = new Recorder();
  decoder.push(encoder.encode("tail"), recorder);
  assert.deepEqual(recorder.events, []);
  assert.equal(decoder.pendingBytes, 4);
  decoder.end(recorder);
  decoder.end(recorder);
  assert.deepEqual(recorder.events, ['"tail"']);
});

Deno.test("lines that were handed over stay as they are when the buffer is used again", () => {
  const decoder = new LineDecoder(100);
  const recorder = new Recorder();
  for (const piece of ["fir", "st\nsec", "ond\nth", "ird\n"]) {
    decoder.push(encoder.encode(piece), recorder);
  }
  assert.deepEqual(recorder.events, ['"first"', '"second"', '"third"']);
});

Deno.test("a long line that comes byte by byte costs no more than its length", () => {
  const bytes = new Uint8Array(1024 * 1024).fill(0x61);
  const decoder = new LineDecoder(bytes.length);
  const recorder = new Recorder();
  const started = performance.now();
  for (let at = 0; at < bytes.length; at++) decoder.push(bytes.subarray(at, at + 1), recorder);
  decoder.push(Uint8Array.of(0x0a), recorder);
  // 0.1 s when the buffer doubles, more than 4 s when it is copied every 64 bytes.
  assert.ok(performance.now() - started < 3000, "the time grows with the square of the length");
  assert.equal(recorder.events[0].length, bytes.length + 2);
});
