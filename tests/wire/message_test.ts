import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeMessage,
  encodeMessage,
  MAX_LINE_BYTES,
  utf8Length,
} from "../../lib/wire/message.ts";
import { isNickname } from "../../lib/wire/nickname.ts";
import { unicode } from "./arbitraries.ts";

const anyText = fc.oneof(
  unicode(60),
  // Any UTF-16 units: lone surrogates, too.
  fc.array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd700, max: 0xe0ff })))
    .map((units) => String.fromCharCode(...units)),
);
const nicknames = unicode(8).filter(isNickname);
const timestamps = fc.oneof(fc.nat(), fc.integer({ min: 0, max: 253402300799 }));
const messages = fc.record({ from: nicknames, content: anyText, timestamp: timestamps });

/** The value of a decoding that must have succeeded. */
function value<T>(decoded: { ok: true; value: T } | { ok: false; cause: string }): T {
  assert.ok(decoded.ok, decoded.ok ? "" : decoded.cause);
  return decoded.value;
}

function cause(line: string, maxContentBytes?: number): string {
  const decoded = decodeMessage(line, maxContentBytes);
  assert.equal(decoded.ok, false, `${line.slice(0, 80)} was accepted`);
  return decoded.ok ? "" : decoded.cause;
}

const line = (fields: object) =>
  JSON.stringify({ from: "alice", content: "hi", timestamp: 1699123456, ...fields });

Deno.test("a message is written byte for byte as the original writes it", () => {
  assert.equal(
    encodeMessage({ from: "alice", content: "message text", timestamp: 1699123456 }),
    '{"from":"alice","content":"message text","timestamp":1699123456}\n',
  );
  assert.equal(
    encodeMessage({ from: 'a"\\b', content: '\0\b\t\n\v\f\r\x1f"\\/\x7fä€😀\u2028', timestamp: 0 }),
    '{"from":"a\\"\\\\b","content":"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\\"\\\\/\x7fä€😀\u2028",' +
      '"timestamp":0}\n',
  );
  assert.equal(
    encodeMessage({ from: "a", content: "", timestamp: 253402300799 }),
    '{"from":"a","content":"","timestamp":253402300799}\n',
  );
});

Deno.test("a lone surrogate is written as U+FFFD and a pair as it is", () => {
  assert.equal(
    encodeMessage({ from: "a", content: "x\ud800y\udc00z\ud83d\ude00", timestamp: 1 }),
    '{"from":"a","content":"x\ufffdy\ufffdz😀","timestamp":1}\n',
  );
});

Deno.test("a message that was written is one line and is read as it was", () => {
  fc.assert(
    fc.property(messages, (message) => {
      const written = encodeMessage(message);
      assert.equal(written.indexOf("\n"), written.length - 1);
      assert.ok(written.isWellFormed());
      assert.deepEqual(value(decodeMessage(written.slice(0, -1))), {
        ...message,
        content: message.content.toWellFormed(),
      });
    }),
    { numRuns: 500 },
  );
});

Deno.test("a message may have other fields, in any order, with white space, and escapes", () => {
  const expected = { from: "alice", content: "hi", timestamp: 1699123456 };
  assert.deepEqual(value(decodeMessage(line({ id: "1", more: { of: ["this"] } }))), expected);
  assert.deepEqual(
    value(decodeMessage(' { "timestamp" : 1699123456 , "content":"\\u0068i","from":"alice" } \r')),
    expected,
  );
});

Deno.test("content can be empty, long, and any Unicode", () => {
  for (const content of ["", "x".repeat(10_000), "😀".repeat(10_000), "\0\u202e\x1b]52;"]) {
    assert.equal(value(decodeMessage(line({ content }))).content, content);
  }
});

Deno.test("a line that is no message is refused with what is wrong with it", () => {
  for (const text of ["{x}", "{}}", "\ufeff{}", "\u00a0{}", "{}{}", "{'a':1}", "{\0}"]) {
    assert.equal(cause(text), "not JSON");
  }
  const others = ["", " ", "\0", "hello", "{", "}", line({}) + "x", "\x16\x03\x01"];
  for (const text of [...others, "null", "1", '"text"', "[]", "[{}]", '"{}"']) {
    assert.equal(cause(text), "not a JSON object");
  }
  for (const from of [undefined, null, 1, {}, [], "", " a", "a\nb", "a\u009bb", "x".repeat(33)]) {
    assert.equal(cause(line({ from })), 'message without a valid nickname in "from"');
  }
  for (const content of [undefined, null, 1, {}, ["hi"], true]) {
    assert.equal(cause(line({ content })), 'message without text in "content"');
  }
  for (const timestamp of [undefined, null, "1699123456", {}, true, -1, 0.5, 253402300800, 1e300]) {
    assert.equal(cause(line({ timestamp })), 'message without a Unix time in "timestamp"');
  }
  assert.equal(
    cause('{"from":"a","content":"b","timestamp":1e999}'),
    'message without a Unix time in "timestamp"',
  );
});

Deno.test("content above the limit is refused, measured in bytes of UTF-8", () => {
  for (const [content, bytes] of [["abc", 3], ["ää", 4], ["€", 3], ["😀", 4], ["\ud800", 3]]) {
    const text = line({ content });
    assert.ok(decodeMessage(text, bytes as number).ok);
    assert.equal(cause(text, (bytes as number) - 1), "content above the limit");
  }
  assert.ok(decodeMessage(line({ content: "x".repeat(65536) })).ok);
  assert.equal(cause(line({ content: "x".repeat(65537) })), "content above the limit");
});

Deno.test("any text and any JSON value is read as a message or refused, never thrown at", () => {
  const fields = fc.record({
    from: fc.oneof(nicknames, fc.jsonValue()),
    content: fc.oneof(anyText, fc.jsonValue()),
    timestamp: fc.oneof(timestamps, fc.jsonValue()),
  }, { requiredKeys: [] });
  const input = fc.oneof(
    anyText,
    fc.jsonValue().map((it) => JSON.stringify(it)),
    fields.map((it) => JSON.stringify(it)),
  );
  fc.assert(
    fc.property(input, fc.nat({ max: 100 }), (text, limit) => {
      const decoded = decodeMessage(text, limit);
      if (!decoded.ok) return assert.match(decoded.cause, /^[a-zA-Z-" ]+$/);
      const { from, content, timestamp } = decoded.value;
      assert.deepEqual(Object.keys(decoded.value), ["from", "content", "timestamp"]);
      assert.ok(isNickname(from));
      assert.ok(utf8Length(content) <= limit);
      assert.ok(timestamp >= 0 && Number.isFinite(new Date(timestamp * 1000).getTime()));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("deeply nested JSON of the longest line is refused without a crash", () => {
  for (const opening of ["[", "{", '{"a":', '[{"a":', '{"from":"a","content":[']) {
    const text = opening.repeat(Math.floor(MAX_LINE_BYTES / opening.length));
    assert.equal(cause(text), "not a JSON object");
    assert.equal(cause(`{"a":${text}}`), "not JSON");
  }
  const half = Math.floor(MAX_LINE_BYTES / 2);
  assert.equal(cause("[".repeat(half) + "]".repeat(half)), "not a JSON object");
  const sixth = Math.floor(MAX_LINE_BYTES / 6);
  assert.equal(
    cause('{"a":'.repeat(sixth) + "1" + "}".repeat(sixth)),
    'message without a valid nickname in "from"',
  );
});

Deno.test("length in UTF-8 is what the encoder writes", () => {
  const encoder = new TextEncoder();
  fc.assert(
    fc.property(anyText, (text) => {
      assert.equal(utf8Length(text), encoder.encode(text).length);
    }),
    { numRuns: 1000 },
  );
  for (
    const text of ["\x7f\x80\u07ff\u0800\uffff", "\ud83d\ude00", "\ud83d", "\ud83dx", "\ude00"]
  ) {
    assert.equal(utf8Length(text), encoder.encode(text).length);
  }
});
