import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Database } from "../../lib/store/database.ts";
import { GrowthWatch } from "../../lib/store/growth.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import { storeProblem } from "../../lib/store/store_error.ts";
import { WriteQueue } from "../../lib/store/write_queue.ts";
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

Deno.test("what fails after a commit does not make it one that failed", async () => {
  const database = new Database(new DatabaseSync(":memory:"), "memory");
  database.run("CREATE TABLE item (value)");
  const afterCommit = () => {
    throw storeProblem("damaged", "use the history", "memory", "malformed");
  };
  const queue = new WriteQueue({ database, afterCommit });
  const added = queue.add(() => database.run("INSERT INTO item VALUES (1)"));
  assert.throws(() => queue.close(), /malformed/);
  assert.equal(await added, 1);
  assert.deepEqual(queue.state, { kind: "ok" });
  assert.equal(database.all("SELECT * FROM item").length, 1);
  database.close();
});

Deno.test("who waits for the file to grow waits on where its size cannot be read", () => {
  const database = new Database(new DatabaseSync(":memory:"), "memory");
  const growth = new GrowthWatch(database);
  let count = 0;
  growth.await(4096, () => count++);
  database.run("CREATE TABLE item (value)");
  database.pragma = () => {
    throw storeProblem("damaged", "use the history", "memory", "malformed");
  };
  growth.look();
  assert.equal(count, 0);
  database.pragma = Database.prototype.pragma;
  growth.look();
  assert.equal(count, 1);
  database.close();
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
