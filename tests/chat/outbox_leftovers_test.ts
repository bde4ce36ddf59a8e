import assert from "node:assert/strict";
import { silentLog } from "../../lib/base/log.ts";
import { Expiry } from "../../lib/chat/expiry.ts";
import { ConnectError } from "../../lib/errors.ts";
import { idOf } from "../peer/session_fixtures.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { OutboxWorld, turns, type WorldOptions } from "./outbox_fixtures.ts";

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const bob = { id: idOf(2), nickname: "bob" };
const carol = { id: idOf(3), nickname: "carol" };
const dave = { nickname: "dave" };

/** The next run, after messages have waited for bob for 31 days, and one for a day. */
async function afterAMonth(count: number, options: WorldOptions): Promise<OutboxWorld> {
  const former = await OutboxWorld.open({ expireDays: Infinity });
  await Promise.all(Array.from({ length: count }, (_, at) => former.send(bob, `old ${at}`)));
  await former.clock.advance(30 * DAY_MS);
  await former.send(bob, "of yesterday");
  await former.clock.advance(DAY_MS);
  former.outbox[Symbol.dispose]();
  return await OutboxWorld.open(options, former);
}

Deno.test("outbox gives messages up after the time that is set, and says so", async () => {
  await using world = await OutboxWorld.open({ expireDays: 1 });
  await world.send(bob, "hi");
  await world.clock.advance(23 * 3600_000);
  await turns();
  assert.deepEqual(world.states, ["hi: pending"]);
  await world.clock.advance(2 * 3600_000);
  await turns();
  assert.deepEqual(world.states, ["hi: failed"]);
  assert.equal(world.story.at(-1), "hi: failed (nobody took it within 1 day)");
});

Deno.test("outbox of the next run gives up what was on its way to a version 1 peer", async () => {
  let former: OutboxWorld;
  {
    await using world = await OutboxWorld.open();
    former = world;
    world.carrier("dave").open_ = true;
    await world.send(dave, "hi");
  }
  await using world = await OutboxWorld.open({}, former);
  await turns();
  assert.deepEqual(world.states, ["hi: failed"]);
});

Deno.test("outbox opens before anybody reads how much has expired, and sends nothing of that", async () => {
  const room = Promise.withResolvers<void>();
  let isRead = false;
  await using world = await afterAMonth(450, { ready: () => isRead ? undefined : room.promise });
  const failed = () => world.story.filter((line) => line.includes(": failed"));
  world.carrier("bob").open_ = true;
  world.outbox.wake(bob);
  world.carrier("carol").open_ = true;
  await turns(20);
  assert.equal(failed().length, 200, "one page, and then it waits");
  assert.deepEqual(world.carrier("bob").contents, []);
  isRead = true;
  assert.equal(await world.send(carol, "hi"), "sent", "for whom nothing is left");
  assert.equal(await world.send(bob, "of today"), "pending", "behind what is left");
  room.resolve();
  await turns(20);
  const reason = "(nobody took it within 30 days)";
  assert.deepEqual(failed(), Array.from({ length: 450 }, (_, at) => `old ${at}: failed ${reason}`));
  assert.deepEqual(world.carrier("bob").contents, ["of yesterday", "of today"]);
});

Deno.test("outbox sends nothing behind what has expired before more news is welcome", async () => {
  const rooms: PromiseWithResolvers<void>[] = [];
  const ready = () => {
    const room = Promise.withResolvers<void>();
    rooms.push(room);
    return room.promise;
  };
  await using world = await afterAMonth(1, { ready });
  await turns();
  world.carrier("bob").open_ = true;
  world.outbox.wake(bob);
  rooms.shift()!.resolve();
  await turns();
  assert.equal(rooms.length, 1);
  assert.deepEqual(world.carrier("bob").contents, []);
  rooms.shift()!.resolve();
  await turns();
  assert.deepEqual(world.carrier("bob").contents, ["of yesterday"]);
});

Deno.test("outbox that ends does not wait for anybody to read what has expired", async () => {
  let count = 0;
  const expiry = new Expiry({
    clock: new FakeClock(),
    log: silentLog,
    store: {
      expire: () => {
        count++;
        return Promise.resolve([{ contact: { key: 1, ...bob } } as never]);
      },
    },
    expireDays: 30,
    ready: () => new Promise(() => {}),
    isOnItsWay: () => false,
    onExpired: () => {},
    onDone: () => {},
  });
  const { first } = expiry;
  await turns();
  expiry[Symbol.dispose]();
  await first;
  assert.equal(count, 1);
});

Deno.test("outbox does not give up what is on its way, until it has come back", async () => {
  await using world = await OutboxWorld.open({ expireDays: 1 });
  const carrier = world.carrier("bob");
  carrier.open_ = true;
  const numbers = Array.from({ length: 300 }, (_, number) => `${number}`);
  await Promise.all(numbers.map((number) => world.send(bob, number)));
  await world.send(carol, "hi");
  await world.clock.advance(25 * HOUR_MS);
  await turns();
  const failed = () => world.story.filter((line) => line.includes(": failed"));
  assert.deepEqual(failed(), ["hi: failed (nobody took it within 1 day)"]);
  carrier.handedOver.splice(0, 100).forEach(({ outcome }) => outcome.resolve());
  carrier.breakDown(new ConnectError("gone"));
  await turns();
  await world.clock.advance(HOUR_MS);
  await turns();
  assert.equal(failed().length, 201);
  const states = numbers.map((number, at) => `${number}: ${at < 100 ? "delivered" : "failed"}`);
  assert.deepEqual(world.states, [...states, "hi: failed"]);
});

Deno.test("outbox sends nothing that it has given up, however far ahead of the peer it was written", async () => {
  await using world = await OutboxWorld.open({ expireDays: 1 });
  const carrier = world.carrier("bob");
  carrier.open_ = true;
  await world.send(bob, "first");
  await turns();
  await Promise.all(Array.from({ length: 9000 }, (_, number) => world.send(bob, `${number}`)));
  assert.equal(carrier.handedOver.length, 8192);
  await world.clock.advance(25 * HOUR_MS);
  for (let round = 0; round < 3; round++) {
    carrier.takeAll();
    await turns(20);
  }
  const failed = new Set(
    world.story.filter((line) => line.includes(": failed")).map((line) => line.split(":")[0]),
  );
  assert.deepEqual(carrier.contents.filter((content) => failed.has(content)), []);
  assert.ok(world.outbox.isClear(bob));
});

Deno.test("outbox has nothing left for a peer when what must not go to it has been given up", async () => {
  await using world = await OutboxWorld.open({ expireDays: 1 });
  world.carrier("bob").open_ = true;
  world.carrier("bob").isUntrusted = () => true;
  await world.send(bob, "hi");
  await world.clock.advance(23 * HOUR_MS);
  assert.ok(!world.outbox.isClear(bob));
  await world.clock.advance(2 * HOUR_MS);
  await turns();
  assert.deepEqual(world.states, ["hi: failed"]);
  assert.ok(world.outbox.isClear(bob));
});

for (const isRead of [true, false]) {
  const reader = isRead ? "everything is read at once" : "nobody reads yet";
  Deno.test(`outbox gives up what an earlier run has left for a version 1 peer, and no more: ${reader}`, async () => {
    await using former = await OutboxWorld.open();
    for (let at = 0; at < 1200; at++) void former.send(dave, `old ${at}`);
    await turns();
    former.outbox[Symbol.dispose]();
    const room = Promise.withResolvers<void>();
    const ready = () => isRead ? undefined : room.promise;
    await using world = await OutboxWorld.open({ ready }, former);
    const carrier = world.carrier("dave");
    carrier.open_ = true;
    const numbers = Array.from({ length: 40 }, (_, number) => `${number}`);
    for (const number of numbers) {
      void world.send(dave, number);
      await turns(1);
    }
    room.resolve();
    await turns(20);
    carrier.takeAll();
    await turns(20);
    assert.deepEqual(carrier.contents, numbers, "nothing old goes out");
    const states = [];
    for (let at = 0; at < 1200; at++) states.push(`old ${at}: failed`);
    assert.deepEqual(
      world.states,
      [...states, ...numbers.map((number) => `${number}: sent`)].slice(-1000),
    );
    const failed = world.story.filter((line) => line.includes(": failed"));
    assert.equal(failed.length, 1200);
  });
}

Deno.test("outbox tells once what becomes of a message that is too old, and was to go to a version 1 peer", async () => {
  const former = await OutboxWorld.open({ expireDays: Infinity });
  await former.send(dave, "hi");
  await former.clock.advance(31 * DAY_MS);
  former.outbox[Symbol.dispose]();
  await using world = await OutboxWorld.open({}, former);
  await turns();
  assert.equal(world.story.filter((line) => line.startsWith("hi: failed")).length, 1);
});
