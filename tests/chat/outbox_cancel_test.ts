import assert from "node:assert/strict";
import { InvalidInputError } from "../../lib/errors.ts";
import { idOf } from "../peer/session_fixtures.ts";
import { messageIdOf } from "../support/message_ids.ts";
import { OutboxWorld, turns } from "./outbox_fixtures.ts";

const bob = { id: idOf(2), nickname: "bob" };

Deno.test("outbox does not hand over what was cancelled behind messages that are not taken", async () => {
  await using world = await OutboxWorld.open();
  const carrier = world.carrier("bob");
  carrier.open_ = true;
  const count = 9000;
  for (let number = 0; number < count; number++) void world.send(bob, `${number}`);
  await turns(20);
  assert.equal(carrier.contents.length, 8192);
  await world.outbox.cancel(messageIdOf(8500));
  carrier.takeAll();
  await turns(20);
  assert.equal(carrier.contents.length, count - 1);
  assert.ok(!carrier.contents.includes("8499"));
});

Deno.test("outbox cancels what waits, and says that it is too late for what is on its way", async () => {
  await using world = await OutboxWorld.open();
  await world.send(bob, "one");
  await world.send(bob, "two");
  const cancelled = world.outbox.cancel(messageIdOf(1));
  world.carrier("bob").open_ = true;
  world.outbox.wake(bob);
  await cancelled;
  await turns();
  assert.deepEqual(world.carrier("bob").contents, ["two"]);
  assert.deepEqual(world.states, ["one: failed", "two: pending"]);
  await assert.rejects(world.outbox.cancel(messageIdOf(2)), InvalidInputError);
});

Deno.test("outbox hands over what could not be cancelled", async () => {
  await using world = await OutboxWorld.open();
  await world.send(bob, "one");
  world.store.failure = new Error("disk full");
  const cancelled = world.outbox.cancel(messageIdOf(1));
  world.carrier("bob").open_ = true;
  world.outbox.wake(bob);
  await assert.rejects(cancelled, /disk full/);
  await turns();
  assert.deepEqual(world.carrier("bob").contents, ["one"]);
});

Deno.test("outbox hands over what could not be cancelled when the peer came meanwhile for the first time", async () => {
  let former: OutboxWorld;
  {
    await using world = await OutboxWorld.open();
    former = world;
    await world.send(bob, "one");
  }
  await using world = await OutboxWorld.open({}, former);
  await turns();
  const failing = Promise.withResolvers<undefined>();
  const { cancel } = world.store.outbox;
  world.store.outbox.cancel = () => failing.promise;
  const cancelled = world.outbox.cancel(messageIdOf(1));
  world.carrier("bob").open_ = true;
  world.outbox.wake(bob);
  await turns();
  assert.deepEqual(world.carrier("bob").contents, [], "it is being cancelled");
  failing.reject(new Error("disk full"));
  await assert.rejects(cancelled, /disk full/);
  await turns();
  assert.deepEqual(world.carrier("bob").contents, ["one"]);
  world.store.outbox.cancel = cancel;
  await assert.rejects(world.outbox.cancel(messageIdOf(1)), /it is on its way already/);
});

Deno.test("outbox has nothing left for a peer that came while the last message was being cancelled", async () => {
  await using world = await OutboxWorld.open();
  await world.send(bob, "one");
  const cancelled = world.outbox.cancel(messageIdOf(1));
  world.carrier("bob").open_ = true;
  world.outbox.wake(bob);
  await cancelled;
  await turns();
  assert.deepEqual(world.carrier("bob").contents, []);
  assert.ok(world.outbox.isClear(bob));
});

Deno.test("outbox that cancels one of the messages that must not go now still keeps the others", async () => {
  await using world = await OutboxWorld.open();
  const carrier = world.carrier("bob");
  carrier.open_ = true;
  carrier.isUntrusted = () => true;
  for (const text of ["one", "two", "three"]) await world.send(bob, text);
  await world.outbox.cancel(messageIdOf(2));
  await turns();
  assert.ok(!world.outbox.isClear(bob));
  carrier.isUntrusted = () => false;
  world.outbox.wakeAll();
  await turns();
  assert.deepEqual(carrier.contents, ["one", "three"]);
});
