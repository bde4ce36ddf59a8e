import assert from "node:assert/strict";
import { Arrivals } from "../../lib/chat/arrivals.ts";
import { DiskTrouble } from "../../lib/chat/disk_trouble.ts";
import { Inbox } from "../../lib/chat/inbox.ts";
import type { Reception } from "../../lib/store/inbox.ts";
import type { ReceivedMessage } from "../../lib/store/message.ts";
import { storeProblem } from "../../lib/store/store_error.ts";
import { watched } from "../peer/fixtures.ts";
import { Database } from "../../lib/store/database.ts";
import { idOf } from "../peer/session_fixtures.ts";
import { contents, StoreFixture } from "../store/fixtures.ts";
import { messageIdOf } from "../support/message_ids.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { turns } from "./outbox_fixtures.ts";

/** A batch of one sender, as the inbox has given it to the store. */
class Commit {
  readonly outcome = Promise.withResolvers<readonly Reception[]>();

  constructor(
    readonly contents: readonly string[],
    readonly firstKey: number,
    readonly onCommitted: (receptions: readonly Reception[]) => void = () => {},
  ) {}

  /** All of it is new, and on the disk. */
  succeed(): void {
    this.commit();
    this.keep();
  }

  /** What was committed is on the disk. */
  keep(): void {
    this.outcome.resolve(this.#receptions);
  }

  /** It is safe from the end of the program; whether it reaches the disk is still open. */
  commit(): void {
    this.onCommitted(this.#receptions);
  }

  get #receptions(): Reception[] {
    return this.contents.map((_, at) => ({ kind: "new", key: this.firstKey + at }));
  }

  fail(reason: string): void {
    this.outcome.reject(new Error(reason));
  }
}

/** An inbox whose store commits when the test says so. */
class InboxWorld {
  readonly clock = new FakeClock();
  readonly story: string[] = [];
  readonly told: string[] = [];
  #last = 0;
  #lastKey = 0;
  readonly commits: Commit[] = [];
  /** Called instead of waiting for the test, where there is one. */
  decide: ((commit: Commit, sender: string) => void) | undefined;
  readonly inbox: Inbox;

  constructor({ isDurable = true, isOpen = true } = {}) {
    this.inbox = new Inbox({
      clock: this.clock,
      store: {
        receiveAll: (messages, onCommitted) => {
          const contents = messages.map(({ content }) => content);
          const commit = new Commit(contents, this.#lastKey + 1, onCommitted);
          this.#lastKey += messages.length;
          this.commits.push(commit);
          this.decide?.(commit, messages[0].contact.id!);
          return commit.outcome.promise;
        },
      },
      isDurable,
      trouble: new DiskTrouble((message) => this.told.push(message)),
      arrivals: new Arrivals(() => {}),
    });
    if (isOpen) this.inbox.open();
  }

  /** Takes a message that begins a batch of its own; returns that. */
  async takeAlone(content: string): Promise<Commit> {
    this.take(content);
    await turns();
    return this.commits.at(-1)!;
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

Deno.test("inbox shows a message when it is committed, and acknowledges it when the disk has it", async () => {
  const world = new InboxWorld();
  const commit = await world.takeAlone("hi");
  assert.deepEqual(world.story, []);
  commit.commit();
  await turns();
  assert.deepEqual(world.story, ["show hi"]);
  commit.keep();
  await turns();
  assert.deepEqual(world.story, ["show hi", "ack hi"]);
});

Deno.test("inbox goes on with what comes while the disk is at work, and acknowledges in order", async () => {
  const world = new InboxWorld();
  const first = await world.takeAlone("one");
  first.commit();
  const second = await world.takeAlone("two");
  second.commit();
  assert.deepEqual(world.story, ["show one", "show two"]);
  first.keep();
  await turns();
  second.keep();
  await turns();
  assert.deepEqual(world.story.slice(2), ["ack one", "ack two"]);
});

Deno.test("inbox acknowledges what was committed before something that could not be stored", async () => {
  const world = new InboxWorld();
  const first = await world.takeAlone("one");
  first.commit();
  (await world.takeAlone("two")).fail("The disk is full");
  await turns();
  assert.deepEqual(world.story, ["show one", "show two"]);
  first.keep();
  await turns();
  assert.equal(world.commits.length, 2, "it is not the time for another attempt");
  await world.clock.advance(5000);
  assert.deepEqual(world.commits[2].contents, ["two"]);
  world.commits[2].succeed();
  await turns();
  assert.deepEqual(world.story.slice(2), ["ack one", "ack two"]);
});

Deno.test("inbox does not show again what came twice because something behind it could not be stored", async () => {
  const world = new InboxWorld();
  (await world.takeAlone("seen before")).onCommitted([{ kind: "duplicate" }]);
  (await world.takeAlone("later")).fail("The disk is full");
  await turns();
  assert.deepEqual(world.story, ["show later"]);
});

Deno.test("inbox that is closed shows nothing that is committed then", async () => {
  const world = new InboxWorld();
  const commit = await world.takeAlone("hi");
  world.inbox[Symbol.dispose]();
  commit.succeed();
  await turns();
  assert.deepEqual(world.story, [], "the next run shows it");
});

Deno.test("inbox acknowledges a message that it has, and does not show it again", async () => {
  const world = new InboxWorld();
  world.take("hi");
  await turns();
  world.commits[0].outcome.resolve([{ kind: "duplicate" }]);
  await turns();
  assert.deepEqual(world.story, ["ack hi"]);
});

Deno.test("inbox shows what it cannot store, once, and acknowledges it when it could", async () => {
  const world = new InboxWorld();
  world.take("one");
  await turns();
  world.commits[0].fail("The disk is full");
  await turns();
  assert.match(world.told[0], /^The disk is full/);
  assert.deepEqual(world.story, ["show one"]);
  await world.clock.advance(5000);
  world.commits[1].fail("The disk is full");
  await turns();
  assert.equal(world.told.length, 1);
  await world.clock.advance(5000);
  world.commits[2].succeed();
  await turns();
  assert.deepEqual(world.story, ["show one", "ack one"]);
});

Deno.test("inbox stores what a sender has sent as a whole, and nothing before what waits for the disk", async () => {
  const world = new InboxWorld();
  for (const content of ["one", "two"]) world.take(content);
  await turns();
  world.commits[0].fail("The disk is full");
  await turns();
  world.take("three");
  await turns();
  assert.deepEqual(world.story, ["show one", "show two", "show three"]);
  await world.clock.advance(5000);
  assert.deepEqual(world.commits.map(({ contents }) => contents), [
    ["one", "two"],
    ["one", "two", "three"],
  ]);
  world.take("four");
  world.commits[1].succeed();
  await turns();
  world.commits[2].succeed();
  await turns();
  assert.deepEqual(world.story.slice(3), [
    "show four",
    "ack one",
    "ack two",
    "ack three",
    "ack four",
  ]);
  world.take("five");
  await turns();
  assert.deepEqual(world.commits.at(-1)?.contents, ["five"]);
});

Deno.test("inbox keeps a sender's order where one transaction fails", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const inbox = new Inbox({
    clock: fixture.clock,
    store: store.inbox,
    isDurable: true,
    trouble: new DiskTrouble(() => {}),
    arrivals: new Arrivals(() => {}),
  });
  inbox.open();
  // With these before it, the messages of bob do not fit into the same transaction.
  const others = Array.from(
    { length: 1500 },
    () =>
      store.outbox.enqueue(fixture.outgoing("", { contact: { id: idOf(9), nickname: "carol" } })),
  );
  const outcomes = Promise.allSettled(others);
  const run = Database.prototype.run;
  let isFull = true;
  // Files of tests run in processes of their own.
  Database.prototype.run = function (sql, ...values) {
    if (sql !== "COMMIT" || !isFull) return run.call(this, sql, ...values);
    isFull = false;
    throw storeProblem("full", "use the history", this.path, "database or disk is full");
  };
  try {
    const acknowledged: number[] = [];
    for (let at = 0; at < 1000; at++) {
      const message = fixture.incoming(`${at}`, { id: messageIdOf(at + 1) });
      inbox.take(message, () => {}, () => acknowledged.push(at));
    }
    await outcomes;
    for (let round = 0; round < 5; round++) {
      await turns(20);
      await fixture.clock.advance(5000);
    }
    const numbers = Array.from({ length: 1000 }, (_, at) => at);
    const bobs = store.contactsNamed("bob").map(({ key }) => key);
    const kept = store.history({ count: 1000, contacts: bobs });
    assert.deepEqual(contents(kept).map(Number), numbers);
    assert.deepEqual(acknowledged, numbers);
  } finally {
    Database.prototype.run = run;
  }
});

Deno.test("inbox takes no more than a bounded number of messages that are not stored yet", async () => {
  const world = new InboxWorld();
  for (let index = 0; index < 4999; index++) assert.ok(world.take("x"));
  assert.equal(world.inbox.ready(), undefined);
  for (let index = 4999; index < 50_000; index++) assert.ok(world.take("x"));
  let isReady = false;
  void world.inbox.ready()!.then(() => isReady = true);
  assert.equal(world.take("one more"), false);
  for (let done = 0; done < 50; done++) {
    await turns();
    assert.equal(isReady, done > 45);
    world.commits[done].succeed();
  }
  await turns();
  assert.ok(isReady);
  assert.ok(world.take("one more"));
});

Deno.test("inbox that is closed shows and acknowledges nothing any more", async () => {
  const world = new InboxWorld();
  world.take("hi");
  await turns();
  world.inbox[Symbol.dispose]();
  world.commits[0].succeed();
  await turns();
  assert.deepEqual(world.story, []);
  assert.equal(world.take("more"), false);
});

Deno.test("inbox begins when it is opened, and lets senders wait until then", async () => {
  const world = new InboxWorld({ isOpen: false });
  assert.ok(world.take("one"));
  const ready = watched(world.inbox.ready()!);
  await turns();
  assert.equal(world.commits.length, 0);
  assert.equal(ready.state, "waiting");
  world.inbox.open();
  await turns();
  assert.equal(ready.state, "sent");
  world.commits[0].succeed();
  await turns();
  assert.deepEqual(world.story, ["show one", "ack one"]);
});

/** A world in which only what bob sends cannot be stored. */
function withoutBob(): InboxWorld {
  const world = new InboxWorld();
  world.decide = (commit, sender) =>
    sender === idOf(2) ? commit.fail("A page is damaged") : commit.succeed();
  return world;
}

Deno.test("inbox lets nobody wait for what another sender has sent", async () => {
  const world = withoutBob();
  for (let count = 0; count < 9999; count++) world.take("x");
  await turns(50);
  assert.equal(world.inbox.ready(), undefined);
  world.take("two", idOf(3));
  await turns();
  assert.deepEqual(world.story.slice(-2), ["show two", "ack two"]);
});

Deno.test("inbox bounds what it cannot store, of one sender and of all", async () => {
  const world = new InboxWorld();
  world.decide = (commit, sender) =>
    sender === idOf(99) ? commit.succeed() : commit.fail("A page is damaged");
  const taken = new Map<number, number>();
  for (let sender = 2; sender < 12; sender++) {
    let count = 0;
    while (count < 20_000 && world.take("x", idOf(sender))) {
      if (++count % 1000 === 1) await turns(2);
    }
    taken.set(sender, count);
  }
  assert.equal(taken.get(2), 10_000);
  const all = [...taken.values()].reduce((sum, count) => sum + count);
  assert.ok(all >= 40_000 && all < 40_100, `${all}`);
  // Others go on as if nothing had happened.
  for (let count = 0; count < 1000; count++) assert.ok(world.take("mine", idOf(99)));
  assert.equal(world.inbox.ready(), undefined);
  await turns(20);
  assert.equal(world.story.at(-1), "ack mine");
});

Deno.test("the user is told once of what cannot be stored, although others' messages can", async () => {
  const world = withoutBob();
  world.take("one");
  for (let round = 0; round < 10; round++) {
    world.take("two", idOf(3));
    await turns();
    await world.clock.advance(5000);
  }
  assert.equal(world.told.length, 1);
  world.decide = (commit) => commit.succeed();
  await world.clock.advance(5000);
  world.decide = (commit) => commit.fail("A page is damaged");
  for (const sender of [2, 3, 4]) world.take("three", idOf(sender));
  await turns();
  assert.equal(world.told.length, 2, "told again after it had worked, once for all of them");
});

Deno.test("inbox shows a message once that comes again before it is stored, and acknowledges both", async () => {
  const world = new InboxWorld();
  world.take("one");
  await turns();
  world.commits[0].fail("The disk is full");
  await turns();
  world.take("one", idOf(2), messageIdOf(1));
  await turns();
  await world.clock.advance(5000);
  world.commits[1].succeed();
  await turns();
  assert.deepEqual(world.story, ["show one", "ack one", "ack one"]);
  assert.equal(world.commits.length, 2);
});

Deno.test("inbox acknowledges nothing that ends with the program", async () => {
  const world = new InboxWorld({ isDurable: false });
  world.take("one");
  await turns();
  world.commits[0].succeed();
  await turns();
  assert.deepEqual(world.story, ["show one"]);
});

Deno.test("inbox bounds how often one message that is not stored yet may come", async () => {
  const world = new InboxWorld();
  for (let count = 0; count < 50_000; count++) assert.ok(world.take("x", idOf(2), messageIdOf(1)));
  assert.equal(world.take("x", idOf(2), messageIdOf(1)), false);
  await turns();
  world.commits[0].succeed();
  await turns();
  assert.equal(world.story.length, 50_001);
  assert.equal(world.inbox.ready(), undefined);
});
