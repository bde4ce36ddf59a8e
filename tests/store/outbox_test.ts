import assert from "node:assert/strict";
import fc from "fast-check";
import { systemRandom } from "../../lib/base/random.ts";
import { bob, carol, contact, contents, StoreFixture } from "./fixtures.ts";
import type { MessageId } from "../../lib/wire/message_id.ts";
import { MessageIdSource } from "../../lib/wire/message_id.ts";
import { FakeClock } from "../support/fake_clock.ts";

const HOUR = 3_600_000;

Deno.test("outbox gives what is pending in order, in pages of messages and of bytes", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const { outbox } = store;
  for (let number = 0; number < 10; number++) {
    outbox.enqueue(fixture.outgoing(`b${number}`));
    outbox.enqueue(fixture.outgoing(`c${number}`, { contact: carol }));
    if (number === 4) fixture.clock.jump(-24 * HOUR); // order does not come from the clock
  }
  await fixture.turn(store);
  const page = outbox.pending(bob, { limit: 4 });
  assert.deepEqual(contents(page), ["b0", "b1", "b2", "b3"]);
  const next = outbox.pending(bob, { after: page[3].key, maxBytes: 5 });
  assert.deepEqual(contents(next), ["b4", "b5"]);
  assert.deepEqual(contents(outbox.pending(bob, { maxBytes: 0 })), ["b0"]);
  assert.deepEqual(outbox.pending(contact("dave", 3)), []);
  assert.deepEqual(outbox.contactsWithPending().map(({ nickname }) => nickname), ["bob", "carol"]);
  assert.deepEqual(outbox.contactsWithPending(1).map(({ nickname }) => nickname), ["carol"]);
  assert.equal(outbox.pendingCount(), 20);
  assert.equal(outbox.pendingCount(carol), 10);
  assert.deepEqual(contents(outbox.list("pending", { after: 2, limit: 3 })), ["b1", "c1", "b2"]);
});

Deno.test("outbox takes receipts only from whom the message is for", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const message = fixture.outgoing("for bob");
  await store.outbox.enqueue(message);
  assert.equal(await store.outbox.delivered(carol, [message.id]), 0);
  await store.inbox.receive(fixture.incoming("hello", { contact: carol, id: message.id }));
  assert.equal(await store.outbox.delivered(carol, [message.id]), 0);
  assert.equal(store.outbox.find(message.id)?.state, "pending");
  const strange = fixture.ids.next();
  assert.equal(await store.outbox.delivered(bob, [strange, message.id]), 1);
  assert.equal(await store.outbox.delivered(bob, [message.id]), 0);
  assert.equal(store.outbox.find(message.id)?.state, "delivered");
});

Deno.test("outbox marks long messages delivered in several transactions", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const messages = Array.from({ length: 10 }, (_, at) => fixture.outgoing(`${at}`));
  await Promise.all(messages.map((message) => store.outbox.enqueue(message)));
  let done = 0;
  const marking = messages.map(async ({ id }) => {
    await store.outbox.delivered(bob, [id], 2 ** 20);
    done++;
  });
  await marking[0];
  assert.ok(done <= 4, `${done} MB at once`);
  await Promise.all(marking);
  assert.equal(store.outbox.pendingCount(), 0);
});

Deno.test("outbox reports what has expired, also when the clock went back meanwhile", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const start = fixture.clock.now();
  await store.outbox.enqueue(fixture.outgoing("old"));
  fixture.clock.jump(2 * HOUR);
  await store.outbox.enqueue(fixture.outgoing("young"));
  fixture.clock.jump(-2 * HOUR);
  await store.outbox.enqueue(fixture.outgoing("old again"));
  assert.deepEqual(await store.outbox.expire(start), []);
  const expired = await store.outbox.expire(start + 1, "not delivered for 30 days");
  assert.deepEqual(contents(expired), ["old", "old again"]);
  assert.deepEqual(await store.outbox.expire(start + 1), []);
  assert.deepEqual(contents(store.outbox.pending(bob)), ["young"]);
  const [failed] = store.outbox.list("failed");
  assert.equal(failed.reason, "not delivered for 30 days");
});

Deno.test("outbox goes through its states as a model of it does", async () => {
  await using fixture = await StoreFixture.make();
  type Model = { state: string; to: number };
  const steps = fc.array(
    fc.record({
      step: fc.constantFrom("enqueue", "v1", "delivered", "sent", "failed", "cancel", "reopen"),
      id: fc.nat(5),
      to: fc.nat(1),
    }),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (commands) => {
      const source = new MessageIdSource(new FakeClock(), systemRandom);
      const ids: MessageId[] = Array.from({ length: 6 }, () => source.next());
      const peers = [bob, carol];
      const model = new Map<number, Model>();
      await Deno.remove(fixture.path).catch(() => {});
      let store = await fixture.open();
      for (const { step, id, to } of commands) {
        const known = model.get(id);
        const state = known?.state;
        switch (step) {
          case "enqueue":
          case "v1": {
            const first = step === "v1" ? "sent" : "pending";
            const message = { contact: peers[to], id: ids[id], state: first } as const;
            const done = store.outbox.enqueue(fixture.outgoing(`${id}`, message));
            if (known !== undefined) await assert.rejects(done, /one with this id already/);
            else {
              await done;
              model.set(id, { state: first, to });
            }
            break;
          }
          case "delivered": {
            const changed = known?.to === to && state !== "delivered";
            assert.equal(await store.outbox.delivered(peers[to], [ids[id]]), +changed);
            if (changed) known!.state = "delivered";
            break;
          }
          case "sent":
            assert.equal(await store.outbox.sent(ids[id]), state === "pending");
            if (state === "pending") known!.state = "sent";
            break;
          case "failed": {
            const fails = state === "pending" || state === "sent";
            assert.equal(await store.outbox.failed(ids[id], "no"), fails);
            if (fails) known!.state = "failed";
            break;
          }
          case "cancel":
            assert.equal(await store.outbox.cancel(ids[id]), state);
            if (state === "pending") known!.state = "failed";
            break;
          case "reopen":
            await store[Symbol.asyncDispose]();
            store = await fixture.open();
        }
        const pending = [...model].filter(([, { state }]) => state === "pending");
        for (const [number, peer] of peers.entries()) {
          const expected = pending.filter(([, { to }]) => to === number).map(([id]) => `${id}`);
          assert.deepEqual(contents(store.outbox.pending(peer)), expected);
        }
        assert.equal(store.outbox.pendingCount(), pending.length);
        for (const [id, { state }] of model) {
          assert.equal(store.outbox.find(ids[id])?.state, state);
        }
      }
      assert.equal(store.history({ count: 100 }).length, model.size);
      await store[Symbol.asyncDispose]();
    }),
    { numRuns: 25 },
  );
});

Deno.test("inbox takes each id of a sender once, whatever else happens", async () => {
  await using fixture = await StoreFixture.make();
  const steps = fc.array(
    fc.record({
      step: fc.constantFrom("receive", "receive", "receive", "clear", "reopen", "prune"),
      id: fc.nat(5),
      from: fc.nat(1),
    }),
    { maxLength: 30 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (commands) => {
      const source = new MessageIdSource(new FakeClock(), systemRandom);
      const ids = Array.from({ length: 6 }, () => source.next());
      const seen = new Set<string>();
      let shown: string[] = [];
      await Deno.remove(fixture.path).catch(() => {});
      let store = await fixture.open();
      for (const [at, { step, id, from }] of commands.entries()) {
        if (step === "receive") {
          const message = { id: ids[id], contact: [bob, carol][from] };
          const content = `text ${at}`;
          const { kind } = await store.inbox.receive(fixture.incoming(content, message));
          assert.equal(kind, seen.has(`${from} ${id}`) ? "duplicate" : "new");
          seen.add(`${from} ${id}`);
          if (kind === "new") shown.push(content);
        } else if (step === "reopen") {
          await store[Symbol.asyncDispose]();
          store = await fixture.open();
        } else {
          if (step === "clear") await store.clear();
          else await fixture.prune(store, { before: fixture.clock.now() + 1 });
          shown = [];
        }
        assert.deepEqual(contents(store.history({ count: 100 })), shown);
      }
      await store[Symbol.asyncDispose]();
    }),
    { numRuns: 25 },
  );
});

Deno.test("outbox finds a message that is pending by the end of its id among many", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const messages = Array.from({ length: 1_500 }, (_, at) => fixture.outgoing(`${at}`));
  await Promise.all(messages.map((message) => store.outbox.enqueue(message)));
  const { id } = messages[1_499];
  const find = (suffix: string) => contents(store.outbox.pendingEndingWith(suffix));
  assert.deepEqual(find(id.slice(-10)), ["1499"]);
  assert.deepEqual(find(id.slice(-20).toUpperCase()), ["1499"]);
  assert.deepEqual(find(id), ["1499"]);
  assert.equal(find(id.slice(-1)).length, 2);
  assert.deepEqual(find(""), []);
  assert.deepEqual(find("%"), []);
  await store.outbox.cancel(id);
  assert.deepEqual(find(id.slice(-10)), []);
});
