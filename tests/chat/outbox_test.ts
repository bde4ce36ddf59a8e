import assert from "node:assert/strict";
import { AsyncQueue } from "../../lib/base/async_queue.ts";
import { ConnectError, RefusedError } from "../../lib/errors.ts";
import { idOf } from "../peer/session_fixtures.ts";
import { OutboxWorld, turns } from "./outbox_fixtures.ts";

const bob = { id: idOf(2), nickname: "bob" };
const carol = { id: idOf(3), nickname: "carol" };
const dave = { nickname: "dave" };

Deno.test("outbox hands a message over once it is stored, and marks it delivered when it is taken", async () => {
  await using world = await OutboxWorld.open();
  world.carrier("bob").open_ = true;
  const sent = world.send(bob, "hi");
  await turns(1);
  assert.deepEqual(world.carrier("bob").contents, ["hi"]);
  assert.deepEqual(world.states, ["hi: pending"], "stored before it was handed over");
  await sent;
  world.carrier("bob").takeAll();
  await turns();
  assert.deepEqual(world.states, ["hi: delivered"]);
  assert.deepEqual(world.story.slice(-2), ["hi: sent", "hi: delivered"]);
});

Deno.test("outbox hands messages over once that were stored together", async () => {
  await using world = await OutboxWorld.open();
  world.carrier("bob").open_ = true;
  await Promise.all(["one", "two", "three"].map((text) => world.send(bob, text)));
  assert.deepEqual(world.carrier("bob").contents, ["one", "two", "three"]);
  world.carrier("bob").takeAll();
  await turns();
  assert.deepEqual(world.story.filter((line) => line.endsWith("delivered")), [
    "one: delivered",
    "two: delivered",
    "three: delivered",
  ]);
});

Deno.test("outbox hands nothing over that could not be stored", async () => {
  await using world = await OutboxWorld.open();
  world.carrier("bob").open_ = true;
  world.store.failure = new Error("disk full");
  await assert.rejects(world.send(bob, "hi"), /disk full/);
  await turns();
  assert.deepEqual(world.carrier("bob").contents, []);
});

Deno.test("outbox keeps messages for who is away and hands them over in order when it comes", async () => {
  await using world = await OutboxWorld.open();
  for (const text of ["one", "two", "three"]) assert.equal(await world.send(bob, text), "pending");
  await turns();
  assert.deepEqual(world.carrier("bob").contents, []);
  assert.equal(world.carrier("bob").attempts, 0, "nobody is dialled who is not announced");
  world.carrier("bob").reachable = true;
  world.outbox.wake(bob);
  await turns();
  assert.deepEqual(world.carrier("bob").contents, ["one", "two", "three"]);
  await world.send(bob, "four");
  await turns();
  assert.deepEqual(world.carrier("bob").contents, ["one", "two", "three", "four"]);
});

Deno.test("outbox of the next run hands over what the last one could not", async () => {
  let former: OutboxWorld;
  {
    await using world = await OutboxWorld.open();
    former = world;
    world.carrier("bob").open_ = true;
    await world.send(bob, "lost on the way");
    await world.send(bob, "never left");
  }
  await using world = await OutboxWorld.open({}, former);
  world.carrier("bob").open_ = true;
  world.outbox.wake(bob);
  await turns();
  assert.deepEqual(world.carrier("bob").contents, ["lost on the way", "never left"]);
});

Deno.test("outbox hands messages over again, in order, after a session broke for good", async () => {
  await using world = await OutboxWorld.open();
  const carrier = world.carrier("bob");
  carrier.open_ = true;
  for (const text of ["one", "two", "three"]) await world.send(bob, text);
  carrier.handedOver[0].outcome.resolve();
  await turns();
  carrier.breakDown(new ConnectError("gone"));
  await world.send(bob, "four");
  await turns();
  assert.deepEqual(carrier.contents, []);
  assert.deepEqual(world.states, [
    "one: delivered",
    "two: pending",
    "three: pending",
    "four: pending",
  ]);
  carrier.open_ = true;
  world.outbox.wake(bob);
  await turns();
  assert.deepEqual(carrier.contents, ["two", "three", "four"]);
});

Deno.test("outbox fails what the peer refuses, and goes on with the next", async () => {
  await using world = await OutboxWorld.open();
  const carrier = world.carrier("bob");
  carrier.open_ = true;
  await world.send(bob, "too long");
  await world.send(bob, "fine");
  carrier.handedOver[0].outcome.reject(new RefusedError("bob", "too long for it"));
  carrier.handedOver[1].outcome.resolve();
  await turns();
  assert.deepEqual(world.states, ["too long: failed", "fine: delivered"]);
  assert.ok(world.story.includes('too long: failed (Cannot send to "bob": too long for it)'));
});

Deno.test("outbox tries again, later and later, while a peer is announced but does not answer", async () => {
  await using world = await OutboxWorld.open();
  const carrier = world.carrier("bob");
  carrier.reachable = true;
  carrier.openError = new ConnectError("no answer");
  await world.send(bob, "hi");
  await turns();
  assert.equal(carrier.attempts, 1);
  for (const [index, waitMs] of [750, 1500, 3000, 6000].entries()) {
    await world.clock.advance(waitMs - 1);
    await turns();
    assert.equal(carrier.attempts, index + 1);
    await world.clock.advance(1);
    await turns();
    assert.equal(carrier.attempts, index + 2);
  }
  carrier.openError = undefined;
  world.outbox.wake(bob);
  await turns();
  assert.deepEqual(carrier.contents, ["hi"], "its coming is a reason not to wait");
  const told = world.story.filter((line) => line.startsWith("bob cannot be reached"));
  assert.deepEqual(told, ["bob cannot be reached: no answer"], "told once");
});

Deno.test("outbox has a bounded number of messages on their way to one peer", async () => {
  await using world = await OutboxWorld.open();
  const carrier = world.carrier("bob");
  await Promise.all(Array.from({ length: 10_000 }, (_, index) => world.send(bob, `${index}`)));
  carrier.open_ = true;
  world.outbox.wake(bob);
  await turns();
  assert.equal(carrier.contents.length, 8192);
  carrier.takeAll();
  await turns(20);
  assert.deepEqual(carrier.contents, Array.from({ length: 10_000 }, (_, index) => `${index}`));
});

Deno.test("outbox lets nobody wait for a peer that takes nothing", async () => {
  await using world = await OutboxWorld.open();
  world.carrier("bob").open_ = true;
  world.carrier("carol").open_ = true;
  await Promise.all(Array.from({ length: 10_000 }, (_, index) => world.send(bob, `${index}`)));
  assert.equal(await world.send(carol, "hi"), "sent");
  assert.deepEqual(world.carrier("carol").contents, ["hi"]);
});

Deno.test("outbox hands over once what is stored together", async () => {
  await using world = await OutboxWorld.open();
  world.carrier("bob").open_ = true;
  const numbers = Array.from({ length: 100 }, (_, index) => `${index}`);
  const states = await Promise.all(numbers.map((number) => world.send(bob, number)));
  await turns();
  assert.deepEqual(world.carrier("bob").contents, numbers);
  assert.deepEqual(new Set(states), new Set(["sent"]));
});

Deno.test("outbox hands over once and in order what is written faster than it is taken", async () => {
  await using world = await OutboxWorld.open();
  const carrier = world.carrier("bob");
  carrier.open_ = true;
  const count = 30_000;
  const numbers = Array.from({ length: count }, (_, index) => `${index}`);
  const sent = Promise.all(numbers.map((number) => world.send(bob, number)));
  for (let turn = 0; turn < 1000 && carrier.handedOver.length < count; turn++) {
    await turns(1);
    if (turn % 3 === 0) carrier.takeAll();
  }
  await sent;
  assert.deepEqual(carrier.contents, numbers);
});

Deno.test("outbox goes on when its news is welcome again, however much was written meanwhile", async () => {
  const events = new AsyncQueue<string>(1);
  await using world = await OutboxWorld.open({ ready: () => events.ready() });
  const carrier = world.carrier("bob");
  events.push("something that is not read yet");
  const numbers = Array.from({ length: 600 }, (_, index) => `${index}`);
  await Promise.all(numbers.map((number) => world.send(bob, number)));
  carrier.open_ = true;
  await Promise.all(numbers.map((number) => world.send(bob, number)));
  assert.equal(carrier.handedOver.length, 0);
  await events.next();
  await turns(20);
  assert.deepEqual(carrier.contents, [...numbers, ...numbers]);
});

Deno.test("outbox asks whoever writes faster than is taken to wait, but not for long", async () => {
  await using world = await OutboxWorld.open();
  const carrier = world.carrier("bob");
  carrier.open_ = true;
  await world.send(bob, "first");
  carrier.takeAll();
  await turns();
  assert.equal(world.outbox.pace(), undefined);
  await Promise.all(Array.from({ length: 9000 }, (_, number) => world.send(bob, `${number}`)));
  let waited = 0;
  void world.outbox.pace()!.then(() => waited++);
  carrier.takeAll();
  await turns(20);
  assert.equal(waited, 1, "it has caught up");
  await Promise.all(Array.from({ length: 9000 }, (_, number) => world.send(bob, `${number}`)));
  void world.outbox.pace()!.then(() => waited++);
  await world.clock.advance(99);
  await turns();
  assert.equal(waited, 1);
  await world.clock.advance(1);
  await turns();
  assert.equal(waited, 2);
  await world.clock.advance(1899);
  assert.notEqual(world.outbox.pace(), undefined);
  await world.clock.advance(1);
  assert.equal(world.outbox.pace(), undefined, "nothing has moved for long");
});

Deno.test("outbox marks long messages in small parts, and short ones together", async () => {
  await using world = await OutboxWorld.open();
  world.carrier("bob").open_ = true;
  const { delivered } = world.store.outbox;
  const marked: number[] = [];
  world.store.outbox.delivered = (contact, ids, ...rest) => {
    marked.push(ids.length);
    return delivered(contact, ids, ...rest);
  };
  for (const length of [64 * 1024, 10]) {
    marked.length = 0;
    const text = "x".repeat(length);
    await Promise.all(Array.from({ length: 40 }, () => world.send(bob, text)));
    for (let turn = 0; turn < 5; turn++) {
      world.carrier("bob").takeAll();
      await turns();
    }
    assert.equal(marked.reduce((sum, count) => sum + count, 0), 40);
    // With all the bytes that they may have in UTF-8.
    if (length > 10) assert.ok(Math.max(...marked) * 3 * length <= 2 * 2 ** 20, `${marked}`);
    else assert.deepEqual(marked, [40]);
  }
});

Deno.test("outbox records deliveries later when the disk is full, and logs that once", async () => {
  await using world = await OutboxWorld.open();
  world.carrier("bob").open_ = true;
  await world.send(bob, "one");
  await world.send(bob, "two");
  world.store.failure = new Error("disk full");
  world.carrier("bob").takeAll();
  await turns();
  assert.deepEqual(world.states, ["one: pending", "two: pending"]);
  await world.clock.advance(5000);
  await turns();
  assert.equal(world.warnings.length, 1);
  world.store.failure = undefined;
  await world.clock.advance(5000);
  await turns();
  assert.deepEqual(world.states, ["one: delivered", "two: delivered"]);
});

Deno.test("outbox says of a version 1 peer no more than sent", async () => {
  await using world = await OutboxWorld.open();
  world.carrier("dave").open_ = true;
  await world.send(dave, "hi");
  world.carrier("dave").takeAll();
  await turns();
  assert.deepEqual(world.states, ["hi: sent"]);
  assert.deepEqual(world.story.filter((line) => !line.endsWith("pending")), ["hi: sent"]);
});

Deno.test("outbox that queues for version 1 peers, too, keeps their messages over a restart", async () => {
  let former: OutboxWorld;
  {
    await using world = await OutboxWorld.open({ queuePlain: true });
    former = world;
    await world.send(dave, "hi");
  }
  await using world = await OutboxWorld.open({ queuePlain: true }, former);
  world.carrier("dave").open_ = true;
  world.outbox.wake(dave);
  await turns();
  assert.deepEqual(world.carrier("dave").contents, ["hi"]);
});

Deno.test("outbox is idle when everything has arrived, or waits for somebody who is away", async () => {
  await using world = await OutboxWorld.open();
  await world.send(bob, "for later");
  await world.outbox.idle();
  world.carrier("carol").open_ = true;
  await world.send(carol, "now");
  let isIdle = false;
  const idle = world.outbox.idle().then(() => isIdle = true);
  await turns();
  assert.equal(isIdle, false);
  world.carrier("carol").takeAll();
  await idle;
});

Deno.test("outbox waits before it hands over again what a peer that is there has not confirmed, and keeps nobody waiting meanwhile", async () => {
  await using world = await OutboxWorld.open();
  const carrier = world.carrier("bob");
  carrier.open_ = true;
  for (const text of ["one", "two"]) await world.send(bob, text);
  let isIdle = false;
  void world.outbox.idle().then(() => isIdle = true);
  await turns();
  assert.equal(isIdle, false);
  for (const { outcome } of carrier.handedOver.splice(0)) {
    outcome.reject(new ConnectError("it has confirmed nothing"));
  }
  await turns();
  assert.deepEqual(world.states, ["one: pending", "two: pending"]);
  assert.ok(isIdle);
  await world.send(bob, "three");
  assert.deepEqual(carrier.contents, [], "it backs off");
  await world.clock.advance(750);
  await turns();
  assert.deepEqual(carrier.contents, ["one", "two", "three"]);
});

Deno.test("outbox complains of nobody who leaves, or is blocked, while it is dialled", async () => {
  await using world = await OutboxWorld.open();
  const carrier = world.carrier("bob");
  carrier.reachable = true;
  const opening = Promise.withResolvers<void>();
  carrier.open = () => opening.promise;
  await world.send(bob, "hi");
  carrier.reachable = false;
  opening.reject(new ConnectError("sending has ended"));
  await turns();
  assert.ok(!world.story.some((line) => line.includes("cannot be reached")), `${world.story}`);
});
