import assert from "node:assert/strict";
import { bob, contents, StoreFixture } from "./fixtures.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

Deno.test("store deletes nothing for its age right after the clock was put right", async () => {
  await using fixture = await StoreFixture.make();
  const right = fixture.clock.now();
  fixture.clock.jump(1_000 - right); // 1970
  await using store = await fixture.open();
  await store.outbox.enqueue(fixture.outgoing("see you"));
  await store.inbox.receive(fixture.incoming("hello"));
  fixture.clock.jump(right);
  const before = () => fixture.clock.now() - 30 * DAY;
  for (let hours = 0; hours < 3; hours++) {
    assert.deepEqual(await store.outbox.expire(before()), []);
    assert.equal(await fixture.prune(store, { before: before() }), 0);
    await fixture.clock.advance(HOUR);
  }
});

Deno.test("store deletes messages from before the clock was put right with their neighbours", async () => {
  await using fixture = await StoreFixture.make();
  const right = fixture.clock.now();
  {
    fixture.clock.jump(1_000 - right);
    await using store = await fixture.open();
    await store.inbox.receive(fixture.incoming("in 1970"));
    fixture.clock.jump(right);
    await store.inbox.receive(fixture.incoming("an hour later"));
  }
  for (const [days, left] of [[1, 2], [28, 2], [3, 0]] as const) {
    await fixture.clock.advance(days * DAY);
    await using store = await fixture.open();
    await fixture.prune(store, { before: fixture.clock.now() - 30 * DAY });
    assert.equal(store.history({ count: 5 }).length, days === 3 ? 2 : left);
    // Nothing was stored for so long that the clock could be wrong.
    await fixture.clock.advance(HOUR);
    await fixture.prune(store, { before: fixture.clock.now() - 30 * DAY });
    assert.equal(store.history({ count: 5 }).length, left);
  }
});

Deno.test("store takes a message for no older than what was stored before it", async () => {
  await using fixture = await StoreFixture.make();
  const message = fixture.outgoing("with a wrong stamp");
  {
    await using store = await fixture.open();
    await store.inbox.receive(fixture.incoming("first"));
    fixture.clock.jump(-60 * DAY);
    await store.outbox.enqueue(message);
    fixture.clock.jump(60 * DAY);
  }
  await fixture.clock.advance(2 * DAY);
  {
    await using store = await fixture.open();
    await store.inbox.receive(fixture.incoming("later"));
    const before = fixture.clock.now() - 30 * DAY;
    assert.deepEqual(await store.outbox.expire(before), []);
    assert.equal(await fixture.prune(store, { before }), 0);
  }
  await fixture.clock.advance(29 * DAY);
  await using store = await fixture.open();
  assert.equal((await store.outbox.expire(fixture.clock.now() - 30 * DAY)).length, 1);
});

Deno.test("store does not believe a clock that is ahead of all it has seen, for an hour", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    await store.inbox.receive(fixture.incoming("hello"));
    await store.outbox.enqueue(fixture.outgoing("see you"));
  }
  fixture.clock.jump(20 * 365 * DAY);
  await using store = await fixture.open();
  const before = () => fixture.clock.now() - 30 * DAY;
  assert.equal(await fixture.prune(store, { before: before() }), 0);
  assert.deepEqual(await store.outbox.expire(before()), []);
  await fixture.clock.advance(HOUR);
  assert.deepEqual(contents(await store.outbox.expire(before())), ["see you"]);
  assert.equal(await fixture.prune(store, { before: before() }), 2);
});

Deno.test("store deletes what is old in an earlier run and in this one", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    await store.inbox.receive(fixture.incoming("old"));
    await fixture.clock.advance(20 * DAY);
    await store.inbox.receive(fixture.incoming("young"));
  }
  await fixture.clock.advance(11 * DAY);
  await using store = await fixture.open();
  await store.outbox.enqueue(fixture.outgoing("new"));
  await fixture.prune(store, { before: fixture.clock.now() - 30 * DAY });
  assert.deepEqual(contents(store.history({ count: 5 })), ["young", "new"]);
  await fixture.clock.advance(31 * DAY);
  await fixture.prune(store, { before: fixture.clock.now() - 30 * DAY });
  assert.deepEqual(contents(store.history({ count: 5 })), ["new"]);
  await store.outbox.expire(fixture.clock.now() - 30 * DAY);
  assert.deepEqual(store.outbox.pending(bob), []);
});

Deno.test("store uses no key twice although the clock went back", async () => {
  await using fixture = await StoreFixture.make();
  const last = await (async () => {
    await using store = await fixture.open({ keepHistory: false });
    const send = async () => {
      const message = fixture.outgoing("gone when it was delivered");
      const key = await store.outbox.enqueue(message);
      await store.outbox.delivered(bob, [message.id]);
      return key;
    };
    await send();
    fixture.clock.jump(-2 * HOUR);
    await send();
    return await send();
  })();
  await using store = await fixture.open({ keepHistory: false });
  assert.equal(await store.outbox.enqueue(fixture.outgoing("next")), last + 1);
});
