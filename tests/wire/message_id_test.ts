import assert from "node:assert/strict";
import fc from "fast-check";
import { type Random, systemRandom } from "../../lib/base/random.ts";
import {
  isMessageId,
  messageIdBytes,
  messageIdFromBytes,
  MessageIdSource,
  parseMessageId,
} from "../../lib/wire/message_id.ts";
import { FakeClock } from "../support/fake_clock.ts";

function constantRandom(byte: number): Random {
  return { float: () => 0, bytes: (length) => new Uint8Array(length).fill(byte) };
}

Deno.test("message ids have the bits of a UUID of version 7", () => {
  const source = new MessageIdSource({ now: () => 0x0123456789ab }, constantRandom(0xff));
  // The counter starts at 2^25 - 1: its highest bit is left for counting.
  assert.equal(source.next(), "01234567-89ab-77ff-bfff-ffffffffffff");
  assert.equal(source.next(), "01234567-89ab-7800-8000-ffffffffffff");
});

Deno.test("message ids sort as they were made, whatever the clock does", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: -100_000_000, max: 100_000_000 }), { maxLength: 50 }),
    (jumps) => {
      const clock = new FakeClock();
      const source = new MessageIdSource(clock, systemRandom);
      let last: string = source.next();
      for (const jump of jumps) {
        clock.jump(jump);
        for (let count = 0; count < 3; count++) {
          const id = source.next();
          assert.ok(id > last, `${id} after ${last}`);
          assert.ok(isMessageId(id));
          last = id;
        }
      }
    },
  ));
});

Deno.test("message ids count up while the clock stands still", () => {
  const clock = new FakeClock(5);
  const source = new MessageIdSource(clock, constantRandom(0xff));
  let last = source.next();
  // The counter is read from the ids.
  const counterOf = (id: string) =>
    (Number.parseInt(id.slice(15, 18), 16) << 14) +
    (Number.parseInt(id.slice(19, 23), 16) & 0x3fff);
  assert.equal(counterOf(last), 2 ** 25 - 1);
  for (let count = 1; count <= 20_000; count++) {
    const id = source.next();
    assert.equal(counterOf(id), counterOf(last) + 1);
    last = id;
  }
  assert.equal(last.slice(0, 13), "00000000-0005", "the time has not gone on");
});

Deno.test("message ids with the clock before the epoch or beyond 48 bits are still ids", () => {
  for (const now of [-5, NaN, 2 ** 60, 1.5]) {
    const source = new MessageIdSource({ now: () => now }, systemRandom);
    assert.ok(isMessageId(source.next()), String(now));
  }
});

Deno.test("message ids survive the way through bytes", () => {
  const source = new MessageIdSource(new FakeClock(), systemRandom);
  for (let count = 0; count < 100; count++) {
    const id = source.next();
    const bytes = messageIdBytes(id);
    assert.equal(bytes.length, 16);
    assert.deepEqual(messageIdFromBytes(bytes), { ok: true, value: id });
    assert.deepEqual(parseMessageId(id.toUpperCase()), { ok: true, value: id });
  }
});

Deno.test("message ids in any other form are refused", () => {
  const good = new MessageIdSource(new FakeClock(), systemRandom).next();
  const bad = [
    "",
    good.slice(1),
    ` ${good}`,
    `${good}\n`,
    good.replaceAll("-", ""),
    `{${good}}`,
    good.slice(0, 14) + "4" + good.slice(15),
    good.slice(0, 19) + "c" + good.slice(20),
    "g" + good.slice(1),
  ];
  for (const text of bad) {
    assert.equal(isMessageId(text), false, text);
    assert.equal(parseMessageId(text).ok, false, text);
  }
  assert.equal(isMessageId(good.toUpperCase()), false);
  assert.equal(isMessageId(undefined), false);
  assert.equal(messageIdFromBytes(new Uint8Array(15)).ok, false);
  assert.equal(messageIdFromBytes(new Uint8Array(16)).ok, false);
});
