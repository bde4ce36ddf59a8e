import assert from "node:assert/strict";
import { DiskTrouble } from "../../lib/chat/disk_trouble.ts";
import { Inbox } from "../../lib/chat/inbox.ts";
import type { Reception } from "../../lib/store/inbox.ts";
import type { ReceivedMessage } from "../../lib/store/message.ts";
import { idOf } from "../peer/session_fixtures.ts";
import { messageIdOf } from "../support/message_ids.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { turns } from "./outbox_fixtures.ts";

/** An inbox whose store commits when the test says so. */
class InboxWorld {
  readonly clock = new FakeClock();
  readonly story: string[] = [];
  #last = 0;
  readonly commits: { content: string; outcome: PromiseWithResolvers<Reception> }[] = [];
  readonly inbox: Inbox;

  constructor(isDurable = true) {
    this.inbox = new Inbox({
      clock: this.clock,
      store: {
        receive: ({ content }) => {
          const outcome = Promise.withResolvers<Reception>();
          this.commits.push({ content, outcome });
          return outcome.promise;
        },
      },
      isDurable,
      trouble: new DiskTrouble((message) => this.story.push(`! ${message}`)),
    });
  }

  take(content: string, sender = idOf(2), id = messageIdOf(++this.#last)): boolean {
    const message: ReceivedMessage = {
      id,
      contact: { id: sender, nickname: "bob" },
      content,
      timestamp: 1,
      encrypted: true,
      trust: "known",
    };
    return this.inbox.take(
      message,
      () => this.story.push(`show ${content}`),
      () => this.story.push(`ack ${content}`),
    );
  }
}

Deno.test("inbox shows and acknowledges a message when it is stored, not before", async () => {
  const world = new InboxWorld();
  world.take("hi");
  await turns();
  assert.deepEqual(world.story, []);
  world.commits[0].outcome.resolve({ kind: "new", key: 1 });
  await turns();
  assert.deepEqual(world.story, ["show hi", "ack hi"]);
});

Deno.test("inbox acknowledges a message that it has, and does not show it again", async () => {
  const world = new InboxWorld();
  world.take("hi");
  await turns();
  world.commits[0].outcome.resolve({ kind: "duplicate" });
  await turns();
  assert.deepEqual(world.story, ["ack hi"]);
});

Deno.test("inbox shows what it cannot store, once, and acknowledges it when it could", async () => {
  const world = new InboxWorld();
  world.take("one");
  await turns();
  world.commits[0].outcome.reject(new Error("The disk is full"));
  await turns();
  assert.match(world.story[0], /^! The disk is full/);
  assert.deepEqual(world.story.slice(1), ["show one"]);
  await world.clock.advance(5000);
  world.commits[1].outcome.reject(new Error("The disk is full"));
  await turns();
  assert.equal(world.story.length, 2, "told once");
  await world.clock.advance(5000);
  world.commits[2].outcome.resolve({ kind: "new", key: 1 });
  await turns();
  assert.deepEqual(world.story.slice(2), ["ack one"]);
});

Deno.test("inbox acknowledges nothing before what came before it", async () => {
  const world = new InboxWorld();
  world.take("one");
  world.take("two");
  await turns();
  world.commits[0].outcome.reject(new Error("The disk is full"));
  world.commits[1].outcome.resolve({ kind: "new", key: 1 });
  await turns();
  assert.ok(!world.story.some((line) => line.startsWith("ack")));
  await world.clock.advance(5000);
  world.commits[2].outcome.resolve({ kind: "new", key: 1 });
  await turns();
  assert.deepEqual(world.story.slice(-2), ["ack one", "ack two"]);
});

Deno.test("inbox stores nothing before what waits for the disk", async () => {
  const world = new InboxWorld();
  world.take("one");
  await turns();
  world.commits[0].outcome.reject(new Error("The disk is full"));
  await turns();
  world.take("two");
  await turns();
  assert.equal(world.story.at(-1), "show two");
  await world.clock.advance(5000);
  assert.deepEqual(world.commits.map(({ content }) => content), ["one", "one", "two"]);
  for (const { outcome } of world.commits) outcome.resolve({ kind: "new", key: 1 });
  await turns();
  assert.deepEqual(world.story.slice(-3), ["show two", "ack one", "ack two"]);
  world.take("three");
  await turns();
  assert.equal(world.commits.at(-1)?.content, "three");
});

Deno.test("inbox takes no more than a bounded number of messages that are not stored yet", async () => {
  const world = new InboxWorld();
  for (let index = 0; index < 4999; index++) assert.ok(world.take("x"));
  assert.equal(world.inbox.ready(), undefined);
  for (let index = 4999; index < 50_000; index++) assert.ok(world.take("x"));
  let isReady = false;
  void world.inbox.ready()!.then(() => isReady = true);
  assert.equal(world.take("one more"), false);
  for (let done = 0; done < 50_000;) {
    await turns();
    assert.equal(isReady, done > 45_000);
    const { length } = world.commits;
    for (; done < length; done++) world.commits[done].outcome.resolve({ kind: "new", key: 1 });
  }
  await turns();
  assert.ok(isReady);
  assert.ok(world.take("one more"));
});

Deno.test("inbox that is closed acknowledges nothing any more", async () => {
  const world = new InboxWorld();
  world.take("hi");
  await turns();
  world.inbox[Symbol.dispose]();
  world.commits[0].outcome.resolve({ kind: "new", key: 1 });
  await turns();
  assert.ok(!world.story.includes("ack hi"));
  assert.equal(world.take("more"), false);
});

Deno.test("inbox lets nobody wait for what another sender has sent", async () => {
  const world = new InboxWorld();
  world.take("one");
  await turns();
  world.commits[0].outcome.reject(new Error("cannot be kept"));
  await turns();
  world.take("two", idOf(3));
  await turns();
  world.commits[1].outcome.resolve({ kind: "new", key: 1 });
  await turns();
  assert.deepEqual(world.story.slice(-2), ["show two", "ack two"]);
});

Deno.test("inbox shows a message once that comes again before it is stored, and acknowledges both", async () => {
  const world = new InboxWorld();
  world.take("one");
  await turns();
  world.commits[0].outcome.reject(new Error("The disk is full"));
  await turns();
  world.take("one", idOf(2), messageIdOf(1));
  await turns();
  await world.clock.advance(5000);
  world.commits[1].outcome.resolve({ kind: "new", key: 1 });
  await turns();
  assert.deepEqual(world.story.slice(1), ["show one", "ack one", "ack one"]);
  assert.equal(world.commits.length, 2);
});

Deno.test("inbox acknowledges nothing that ends with the program", async () => {
  const world = new InboxWorld(false);
  world.take("one");
  await turns();
  world.commits[0].outcome.resolve({ kind: "new", key: 1 });
  await turns();
  assert.deepEqual(world.story, ["show one"]);
});

Deno.test("inbox bounds how often one message that is not stored yet may come", async () => {
  const world = new InboxWorld();
  for (let count = 0; count < 50_000; count++) assert.ok(world.take("x", idOf(2), messageIdOf(1)));
  assert.equal(world.take("x", idOf(2), messageIdOf(1)), false);
  await turns();
  world.commits[0].outcome.resolve({ kind: "new", key: 1 });
  await turns();
  assert.equal(world.story.length, 50_001);
  assert.equal(world.inbox.ready(), undefined);
});
