import assert from "node:assert/strict";
import { ConnectError } from "../../lib/errors.ts";
import { StoreError } from "../../lib/store/store_error.ts";
import { idOf } from "../peer/session_fixtures.ts";
import { ManualDisk } from "../support/manual_disk.ts";
import { OutboxWorld, turns } from "./outbox_fixtures.ts";

const bob = { id: idOf(2), nickname: "bob" };

async function openWith(disk: ManualDisk) {
  const world = await OutboxWorld.open({ disk });
  const carrier = world.carrier("bob");
  carrier.open_ = true;
  return { world, carrier };
}

Deno.test("outbox hands a message over while the disk is at work, and tells of it when it is done", async () => {
  const disk = new ManualDisk();
  const { world, carrier } = await openWith(disk);
  await using _world = world;
  let state: string | undefined;
  void world.send(bob, "hi").then((sent) => state = sent);
  await turns();
  assert.deepEqual(carrier.contents, ["hi"]);
  assert.deepEqual(world.states, ["hi: pending"]);
  assert.deepEqual(world.story, []);
  assert.equal(state, undefined);
  disk.finish();
  await turns();
  assert.deepEqual(world.story, ["hi: sent"]);
  assert.equal(state, "sent");
});

Deno.test("outbox tells of a message in order that is delivered before the disk is done", async () => {
  const disk = new ManualDisk();
  const { world, carrier } = await openWith(disk);
  await using _world = world;
  void world.send(bob, "hi");
  await turns();
  carrier.takeAll();
  await turns();
  assert.deepEqual(world.story, []);
  assert.equal(disk.syncs.length, 1);
  disk.finish();
  await turns();
  assert.deepEqual(world.story, ["hi: sent"], "that it was delivered is not on the disk yet");
  disk.finish();
  await turns();
  assert.deepEqual(world.story, ["hi: sent", "hi: delivered"]);
});

Deno.test("outbox tells in order of a message that comes back before the disk is done", async () => {
  const disk = new ManualDisk();
  const { world, carrier } = await openWith(disk);
  await using _world = world;
  let state: string | undefined;
  void world.send(bob, "hi").then((sent) => state = sent);
  await turns();
  carrier.breakDown(new ConnectError("it is gone"));
  await turns();
  assert.deepEqual(world.story, []);
  disk.finish();
  await turns();
  assert.deepEqual(world.story, ["hi: sent", "hi: pending (it is gone)"]);
  assert.equal(state, "pending");
});

Deno.test("outbox says of a message to who is away that it is pending when the disk has it", async () => {
  const disk = new ManualDisk();
  await using world = await OutboxWorld.open({ disk });
  const sent = world.send(bob, "hi");
  await turns();
  assert.deepEqual(world.story, []);
  disk.finish();
  assert.equal(await sent, "pending");
  assert.deepEqual(world.story, ["hi: pending"]);
});

Deno.test("outbox tells of nothing, and of all in order, that leaves with what the disk has not got", async () => {
  const disk = new ManualDisk();
  await using world = await OutboxWorld.open({ disk });
  // Nobody has written to bob before: his lane reads all of them from the store.
  world.carrier("bob").open_ = true;
  const sent = Promise.all(["one", "two", "three"].map((text) => world.send(bob, text)));
  await turns();
  assert.deepEqual(world.carrier("bob").contents, ["one", "two", "three"]);
  assert.deepEqual(world.story, []);
  disk.finish();
  assert.deepEqual(await sent, ["sent", "sent", "sent"]);
  assert.deepEqual(world.story, ["one: sent", "two: sent", "three: sent"]);
});

Deno.test("outbox sends once, and tells later, what the disk does not take at first", async () => {
  const disk = new ManualDisk();
  const { world, carrier } = await openWith(disk);
  await using _world = world;
  void world.send(bob, "hi");
  await turns();
  disk.finish(new StoreError("other", "the disk is broken"));
  await turns();
  carrier.takeAll();
  await turns();
  assert.deepEqual(world.story, []);
  await world.clock.advance(5_000);
  disk.finish();
  await turns();
  assert.equal(carrier.contents.length, 1);
  assert.deepEqual(world.states, ["hi: delivered"]);
  assert.deepEqual(world.story, ["hi: sent", "hi: delivered"]);
});
