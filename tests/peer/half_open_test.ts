import assert from "node:assert/strict";
import { silentLog } from "../../lib/base/log.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import { HalfOpen } from "../../lib/peer/half_open.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { ScriptedStream } from "./fixtures.ts";

function waitingRoom() {
  const refusals = new Refusals(new FakeClock(), silentLog);
  return { refusals, room: new HalfOpen(refusals) };
}

const from = (hostname: string) => new ScriptedStream({ hostname, port: 1 });

Deno.test("the oldest of 32 handshakes of one host makes room, and nobody else's", () => {
  const { refusals, room } = waitingRoom();
  const bystander = from("10.0.0.9");
  room.enter(bystander);
  const streams = Array.from({ length: 40 }, () => from("10.0.0.1"));
  for (const stream of streams) room.enter(stream);
  assert.deepEqual(streams.map(({ closed }) => closed), streams.map((_, index) => index < 8));
  assert.equal(bystander.closed, false);
  assert.equal(refusals.totals()["handshakes above the limit"], 8);
});

Deno.test("the oldest of 128 handshakes makes room, whoever's it is", () => {
  const { room } = waitingRoom();
  const streams = Array.from({ length: 130 }, (_, index) => from(`10.0.0.${index}`));
  for (const stream of streams) room.enter(stream);
  assert.deepEqual(streams.map(({ closed }) => closed), streams.map((_, index) => index < 2));
});

Deno.test("a handshake that is done gives its place back, once, and is not closed for another", () => {
  const { room } = waitingRoom();
  const done = Array.from({ length: 32 }, () => from("10.0.0.1"));
  for (const stream of done) {
    using place = room.enter(stream);
    place.leave();
  }
  const others = Array.from({ length: 32 }, () => from("10.0.0.1"));
  for (const stream of others) room.enter(stream);
  assert.ok([...done, ...others].every(({ closed }) => !closed));
});
