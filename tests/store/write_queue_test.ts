import assert from "node:assert/strict";
import { parseSearch } from "../../lib/store/search_query.ts";
import { bob, carol, contents, StoreFixture } from "./fixtures.ts";
import { hideCells } from "./page_damage.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

Deno.test("an operation that fails alone takes nothing of its neighbours with it", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const first = fixture.outgoing("needle");
  const outcomes = await Promise.allSettled([
    store.outbox.enqueue(first),
    store.outbox.enqueue({ ...first, content: "the same id" }),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status), ["fulfilled", "rejected"]);
  await fixture.clock.advance(2 * DAY_MS);
  const before = fixture.clock.now() - DAY_MS;
  assert.deepEqual(
    (await store.search({ ...parseSearch("needle"), before })).map(({ message }) =>
      message.content
    ),
    ["needle"],
  );
});

Deno.test("messages are kept although the table of the hours is damaged", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    for (let hour = 0; hour < 3; hour++) {
      await store.inbox.receive(fixture.incoming(`${hour}`));
      await fixture.clock.advance(HOUR_MS);
    }
  }
  hideCells(fixture.path, "hour");
  await using store = await fixture.open();
  for (const content of ["one", "two"]) await store.inbox.receive(fixture.incoming(content));
  assert.deepEqual(contents(store.history({ count: 10 })), ["0", "1", "2", "one", "two"]);
  assert.deepEqual(store.state, { kind: "ok" });
});

Deno.test("a damaged page concerns nobody but those who meet it", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    for (const contact of [bob, carol]) {
      for (let at = 0; at < 500; at++) void store.inbox.receive(fixture.incoming("x", { contact }));
    }
  }
  // Ids grow, so the last page is where the newest ones of the last contact go.
  hideCells(fixture.path, "received");
  await using store = await fixture.open();
  const outcomes = await Promise.allSettled(
    [bob, carol, bob, carol, bob].map((contact, at) =>
      store.inbox.receive(fixture.incoming(`new ${at}`, { contact }))
    ),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(contents(store.history({ count: 3 })), ["new 0", "new 2", "new 4"]);
  assert.deepEqual(store.state, { kind: "ok" });
});
