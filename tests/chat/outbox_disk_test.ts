import assert from "node:assert/strict";
import { ConnectError } from "../../lib/errors.ts";
import { StoreError } from "../../lib/store/store_error.ts";
import { idOf } from "../peer/session_fixtures.ts";
import { ManualDisk } from "../support/manual_disk.ts";
import { OutboxWorld, turns } from "./outbox_fixtures.ts";

const bob = { id: idOf(2), nickname: "bob" };

/** A world in which a message to bob, who is there, is committed and not on the disk yet. */
class Sending implements AsyncDisposable {
  /** What became of it, once that is told to whoever sent it. */
  state: string | undefined;

  private constructor(readonly disk: ManualDisk, readonly world: OutboxWorld) {}

  static async start(): Promise<Sending> {
    const disk = new ManualDisk();
    const sending = new Sending(disk, await OutboxWorld.open({ disk }));
    sending.carrier.open_ = true;
    void sending.world.send(bob, "hi").then((state) => sending.state = state);
    await turns();
    return sending;
  }

  get carrier() {
    return this.world.carrier("bob");
  }

  get story(): string[] {
    return this.world.story;
  }

  async finishDisk(failure?: StoreError): Promise<void> {
    this.disk.finish(failure);
    await turns();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.world[Symbol.asyncDispose]();
  }
}

Deno.test("outbox hands a message over while the disk is at work, and tells of it when it is done", async () => {
  await using sending = await Sending.start();
  assert.deepEqual(sending.carrier.contents, ["hi"]);
  assert.deepEqual(sending.world.states, ["hi: pending"]);
  assert.deepEqual(sending.story, []);
  assert.equal(sending.state, undefined);
  await sending.finishDisk();
  assert.deepEqual(sending.story, ["hi: sent"]);
  assert.equal(sending.state, "sent");
});

Deno.test("outbox tells of a message in order that is delivered before the disk is done", async () => {
  await using sending = await Sending.start();
  sending.carrier.takeAll();
  await turns();
  assert.deepEqual(sending.story, []);
  assert.equal(sending.disk.syncs.length, 1);
  await sending.finishDisk();
  assert.deepEqual(sending.story, ["hi: sent"], "that it was delivered is not on the disk yet");
  await sending.finishDisk();
  assert.deepEqual(sending.story, ["hi: sent", "hi: delivered"]);
});

Deno.test("outbox tells in order of a message that comes back before the disk is done", async () => {
  await using sending = await Sending.start();
  sending.carrier.breakDown(new ConnectError("it is gone"));
  await turns();
  assert.deepEqual(sending.story, []);
  await sending.finishDisk();
  assert.deepEqual(sending.story, ["hi: sent", "hi: pending (it is gone)"]);
  assert.equal(sending.state, "pending");
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
  await using sending = await Sending.start();
  await sending.finishDisk(new StoreError("other", "the disk is broken"));
  sending.carrier.takeAll();
  await turns();
  assert.deepEqual(sending.story, []);
  await sending.world.clock.advance(5_000);
  await sending.finishDisk();
  assert.equal(sending.carrier.contents.length, 1);
  assert.deepEqual(sending.world.states, ["hi: delivered"]);
  assert.deepEqual(sending.story, ["hi: sent", "hi: delivered"]);
});
