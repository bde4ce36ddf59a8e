import assert from "node:assert/strict";
import type { Outgoing } from "../../lib/chat/delivery.ts";
import { Lane } from "../../lib/chat/lane.ts";
import { idOf } from "../peer/session_fixtures.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { messageIdOf } from "../support/message_ids.ts";
import { ManualCarrier, turns } from "./outbox_fixtures.ts";

/** A lane to a peer that is there, with messages 1 to `count`, whose contents are their keys. */
class LaneWorld {
  readonly clock = new FakeClock();
  readonly carrier = new ManualCarrier();
  /** Behind which keys the lane has read, in order. */
  readonly reads: number[] = [];
  readonly lane: Lane;

  constructor(private readonly count: number, after = 0) {
    this.carrier.open_ = true;
    this.lane = new Lane({
      clock: this.clock,
      random: { float: () => 0.5, bytes: (length) => new Uint8Array(length) },
      carrier: this.carrier,
      after,
      pending: (after, limit) => this.#pending(after, limit),
      ready: () => undefined,
      isHeld: () => false,
      onSent: () => {},
      onArrived: () => Promise.resolve(),
      onRefused: () => Promise.resolve(),
      onReturned: () => {},
      onUnreachable: () => {},
      onQuiet: () => {},
    });
  }

  #pending(after: number, limit: number): Outgoing[] {
    this.reads.push(after);
    const length = Math.max(0, Math.min(limit, this.count - after));
    return Array.from({ length }, (_, at) => this.message(after + at + 1));
  }

  message(key: number): Outgoing {
    const contact = { id: idOf(2), nickname: "bob" };
    return { key, id: messageIdOf(key), contact, content: `${key}`, timestamp: 1 };
  }
}

Deno.test("lane passes over many messages with turns for others in between", async () => {
  const { lane, carrier, reads } = new LaneWorld(20_000);
  carrier.isUntrusted = (content) => Number(content) % 1000 !== 0;
  lane.hurry();
  let most = 0;
  for (let turn = 0; turn < 100; turn++) {
    const before = reads.length;
    await turns(1);
    most = Math.max(most, reads.length - before);
  }
  assert.ok(most <= 2, `${most} pages in one turn`);
  assert.deepEqual(carrier.contents, Array.from({ length: 20 }, (_, at) => `${(at + 1) * 1000}`));
});

Deno.test("lane looks again at what it passed over, from there and not from the beginning", async () => {
  const { lane, carrier, reads } = new LaneWorld(5000);
  carrier.isUntrusted = (content) => Number(content) > 4000;
  lane.hurry();
  await turns(10);
  assert.equal(carrier.contents.length, 4000);
  assert.ok(!lane.isEmpty);
  reads.length = 0;
  carrier.isUntrusted = () => false;
  lane.hurry();
  await turns(10);
  assert.equal(Math.min(...reads), 4000);
  assert.deepEqual(carrier.contents, Array.from({ length: 5000 }, (_, at) => `${at + 1}`));
  carrier.takeAll();
  await turns(10);
  assert.ok(lane.isEmpty);
});

Deno.test("lane that passes messages over while they become trusted keeps their order", async () => {
  const { lane, carrier } = new LaneWorld(5000);
  carrier.isUntrusted = () => true;
  lane.hurry();
  await turns(3);
  carrier.isUntrusted = () => false;
  lane.hurry();
  await turns(20);
  assert.deepEqual(carrier.contents, Array.from({ length: 5000 }, (_, at) => `${at + 1}`));
});

Deno.test("lane forgets that it passed over what it could hand over since", async () => {
  const { lane, carrier, clock } = new LaneWorld(3);
  carrier.isUntrusted = (content) => content === "3";
  lane.hurry();
  await turns();
  carrier.isUntrusted = () => false;
  for (const { outcome } of carrier.handedOver.splice(0)) outcome.reject(new Error("gone"));
  await turns();
  await clock.advance(1000);
  await turns();
  assert.deepEqual(carrier.contents, ["1", "2", "3"]);
  carrier.takeAll();
  await turns();
  assert.ok(lane.isEmpty);
});

Deno.test("lane that is closed while it passes messages over stops", async () => {
  const { lane, carrier, reads } = new LaneWorld(20_000);
  carrier.isUntrusted = () => true;
  lane.hurry();
  await turns(3);
  lane.close();
  const count = reads.length;
  await turns(3);
  assert.equal(reads.length, count);
});

Deno.test("lane begins behind the key that it is given, whatever is looked at again", async () => {
  const { lane, carrier } = new LaneWorld(5, 3);
  lane.hurry();
  lane.rewind(1);
  await turns();
  assert.deepEqual(carrier.contents, ["4", "5"]);
});
