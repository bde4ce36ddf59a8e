import assert from "node:assert/strict";
import { DatabaseSync, StatementSync } from "node:sqlite";
import { parseSearch } from "../../lib/store/search_query.ts";
import { bob, StoreFixture } from "./fixtures.ts";

Deno.test("store asks for nothing that makes SQLite look at all messages", async () => {
  await using fixture = await StoreFixture.make();
  const asked = new Set<string>();
  const prepare = DatabaseSync.prototype.prepare;
  // Files of this test run in a process of their own.
  DatabaseSync.prototype.prepare = function (sql: string, ...rest): StatementSync {
    asked.add(sql);
    return prepare.call(this, sql, ...rest);
  };
  try {
    await using store = await fixture.open();
    const { outbox, inbox } = store;
    const [first, second, third] = [1, 2, 3].map((number) => fixture.outgoing(`${number}`));
    for (const message of [first, second, third]) await outbox.enqueue(message);
    inbox.unshown();
    const { key } = await inbox.receive(fixture.incoming("word")) as { key: number };
    inbox.unshown(0);
    inbox.shownTo(key);
    await outbox.delivered(bob, [first.id]);
    await outbox.delivered(bob, Array(10).fill(first.id));
    await outbox.sent(second.id);
    await outbox.failed(second.id, "no");
    await outbox.expire(fixture.clock.now() + 1);
    await outbox.cancel(third.id);
    outbox.pending(bob);
    outbox.contactsWithPending();
    outbox.pendingCount();
    outbox.pendingCount(bob);
    outbox.list("pending");
    outbox.pendingEndingWith("abcd");
    outbox.list("failed");
    outbox.find(first.id);
    store.history({ count: 10 });
    store.history({ count: 10, contacts: [1] });
    await store.search(parseSearch("word from:bob before:2030-01-01"));
    await store.clear(bob);
    await store.prune({ before: fixture.clock.now() + 1, maxBytes: 1 });
  } finally {
    DatabaseSync.prototype.prepare = prepare;
  }
  const database = new DatabaseSync(fixture.path);
  database.function("search_text", (text) => text);
  const scans: string[] = [];
  for (const sql of asked) {
    if (
      !/^\s*(SELECT|UPDATE|DELETE|INSERT)/.test(sql) ||
      /sqlite_schema|FROM contact |search_data/.test(sql)
    ) {
      continue;
    }
    for (const row of database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()) {
      const step = row.detail as string;
      if (/state = 1\b/.test(sql) && /^SEARCH (m|message) /.test(step)) {
        assert.match(step, /USING (COVERING )?INDEX message_(pending|outbox|outgoing) /, sql);
      }
      if (!/^SCAN |TEMP B-TREE/.test(step)) continue;
      // Walking along an order until the limit is reached, and what was found so, one row for a
      // value, tiny tables, and partial indexes, which hold what is pending only.
      if (
        /^SCAN (\(subquery-1\)|s VIRTUAL TABLE|search VIRTUAL TABLE INDEX 0:=|json_each |CONSTANT ROW|hour$|clearing$)/
          .test(
            step,
          )
      ) {
        continue;
      }
      if (/^SCAN (m|message)$/.test(step) && /LIMIT|min\(|max\(/.test(sql)) continue;
      if (/USING (COVERING )?INDEX message_(pending|outbox)/.test(step)) continue;
      scans.push(`${step}: ${sql}`);
    }
  }
  database.close();
  assert.ok(asked.size > 30, `only ${asked.size} statements were seen`);
  assert.deepEqual(scans, []);
});
