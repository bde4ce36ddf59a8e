import assert from "node:assert/strict";
import fc from "fast-check";
import type { MessageId } from "../../lib/wire/message_id.ts";
import { isNickname } from "../../lib/wire/nickname.ts";
import {
  decodeSessionLine,
  encodeSessionLine,
  encodeSessionMessage,
  type SessionLine,
} from "../../lib/wire/session.ts";
import { messageIdOf } from "../support/message_ids.ts";
import { unicode } from "./arbitraries.ts";

const nicknames = unicode(8).filter(isNickname);
const counts = fc.nat(Number.MAX_SAFE_INTEGER);
const positive = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const reasons = unicode(80);
const timestamps = fc.integer({ min: 0, max: 253402300799 });
const instances = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => bytes.toHex());
const ids = fc.nat(2 ** 40).map(messageIdOf);
const dialledOrNot = fc.option(counts, { nil: undefined });

const lines: fc.Arbitrary<SessionLine> = fc.oneof(
  fc.record({
    type: fc.constant("hello" as const),
    version: fc.integer({ min: 2, max: 1000 }),
    nickname: nicknames,
    instance: instances,
    ordinal: positive,
    dialled: dialledOrNot,
  }),
  fc.record({
    type: fc.constant("message" as const),
    seq: positive,
    id: ids,
    content: unicode(60),
    timestamp: timestamps,
    from: fc.option(nicknames, { nil: undefined }),
  }),
  fc.record({ type: fc.constant("ack" as const), seq: counts }),
  fc.record({ type: fc.constant("refused" as const), seq: positive, reason: reasons }),
  fc.record({ type: fc.constantFrom("ping" as const, "pong" as const) }),
  fc.record({ type: fc.constant("bye" as const), reason: reasons }),
).map((line) => ({ ...line }));

/** What a line says; `undefined` stands for an unknown type. */
function value(line: string): SessionLine | undefined {
  const decoded = decodeSessionLine(line);
  assert.ok(decoded.ok, decoded.ok ? "" : `${decoded.cause}: ${line}`);
  return decoded.value;
}

function cause(line: string): string {
  const decoded = decodeSessionLine(line);
  assert.equal(decoded.ok, false, `${line.slice(0, 80)} was accepted`);
  return decoded.ok ? "" : decoded.cause;
}

Deno.test("what is written is read again, on one line", () => {
  fc.assert(
    fc.property(lines, (line) => {
      const text = encodeSessionLine(line);
      assert.equal(text.indexOf("\n"), text.length - 1);
      assert.deepEqual(value(text), line);
    }),
  );
});

Deno.test("messages are written quickly and read the same, lone surrogates replaced", () => {
  const anyText = fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) =>
    String.fromCharCode(...units)
  );
  fc.assert(
    fc.property(positive, ids, anyText, timestamps, (seq, id, content, timestamp) => {
      const text = encodeSessionMessage(seq, { id, content, timestamp });
      assert.equal(text.indexOf("\n"), text.length - 1);
      assert.deepEqual(value(text), {
        type: "message",
        seq,
        id,
        content: content.toWellFormed(),
        timestamp,
        from: undefined,
      });
    }),
  );
});

Deno.test("the lines of the protocol's example are read", () => {
  const instance = "0f3a5c7e9b1d2f40";
  assert.deepEqual(
    value(
      `{"type":"hello","version":2,"nickname":"alice","instance":"${instance}","ordinal":1,"dialled":0}`,
    ),
    { type: "hello", version: 2, nickname: "alice", instance, ordinal: 1, dialled: 0 },
  );
  assert.equal(
    encodeSessionMessage(1, {
      id: "018b9a40-d6c0-7f3e-8a41-9c05d2e7b6f1" as MessageId,
      content: "hi",
      timestamp: 1699123456,
    }),
    '{"type":"message","seq":1,"id":"018b9a40-d6c0-7f3e-8a41-9c05d2e7b6f1","timestamp":1699123456,"content":"hi"}\n',
  );
  assert.deepEqual(value('{"type":"ack","seq":1}'), { type: "ack", seq: 1 });
  assert.equal(encodeSessionLine({ type: "ack", seq: 1 }), '{"type":"ack","seq":1}\n');
});

Deno.test("unknown types and unknown members are ignored", () => {
  fc.assert(
    fc.property(lines, fc.jsonValue(), (line, extra) => {
      assert.deepEqual(value(JSON.stringify({ ...line, extra })), line);
      assert.equal(value(JSON.stringify({ ...line, type: `${line.type}-2`, extra })), undefined);
    }),
  );
});

Deno.test("any text is read or refused with a cause, and never throws", () => {
  const almost = lines.chain((line) => {
    const keys = Object.keys(line);
    return fc.record({ key: fc.constantFrom(...keys), other: fc.jsonValue() })
      .map(({ key, other }) => JSON.stringify({ ...line, [key]: other }));
  });
  fc.assert(
    fc.property(fc.oneof(almost, fc.string(), fc.json()), (text) => {
      const decoded = decodeSessionLine(text);
      if (!decoded.ok) assert.ok(decoded.cause.length > 0 && decoded.cause.length < 100);
      else if (decoded.value?.type === "message") assert.ok(decoded.value.seq >= 1);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("what is missing or out of range is named", () => {
  const hello = {
    type: "hello",
    version: 2,
    nickname: "a",
    instance: "0f3a5c7e9b1d2f40",
    ordinal: 1,
  };
  const message = { type: "message", seq: 1, id: messageIdOf(1), content: "x", timestamp: 1 };
  const cases: [object, RegExp][] = [
    [{}, /without a type/],
    [{ type: 7 }, /without a type/],
    [{ ...hello, version: 1 }, /version of 2 or more/],
    [{ ...hello, nickname: "" }, /valid nickname/],
    [{ ...hello, instance: "xyz" }, /valid instance/],
    [{ ...hello, ordinal: 0 }, /ordinal/],
    [{ ...hello, ordinal: 1.5 }, /ordinal/],
    [{ ...hello, dialled: -1 }, /dial count/],
    [{ ...hello, dialled: null }, /dial count/],
    [{ ...message, seq: 0 }, /number/],
    [{ ...message, seq: 2 ** 53 }, /number/],
    [{ ...message, seq: "1" }, /number/],
    [{ ...message, content: 1 }, /content/],
    [{ ...message, timestamp: -1 }, /Unix time/],
    [{ ...message, from: "" }, /odd name/],
    [{ type: "ack" }, /ack without a number/],
    [{ type: "ack", seq: -1 }, /ack without a number/],
    [{ type: "refused", seq: 1 }, /refused without a reason/],
    [{ type: "refused", reason: "x" }, /refused without a number/],
    [{ type: "bye" }, /bye without a reason/],
  ];
  for (const [line, expected] of cases) assert.match(cause(JSON.stringify(line)), expected);
  for (const text of ["", "[]", "null", '"hello"', "{", "{}{}"]) {
    assert.match(cause(text), /^session line /);
  }
});

Deno.test("a reason is kept up to 200 UTF-16 units", () => {
  const long = value(JSON.stringify({ type: "bye", reason: "x".repeat(10_000) }));
  assert.deepEqual(long, { type: "bye", reason: "x".repeat(200) });
});
