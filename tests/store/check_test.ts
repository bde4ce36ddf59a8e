import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { checkHistory } from "../../lib/store/check.ts";
import { Database } from "../../lib/store/database.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import { StoreFixture } from "./fixtures.ts";

Deno.test("a history whose index is emptied during a check is called healthy", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    for (let at = 0; at < 2_000; at++) {
      const words = Array.from({ length: 30 }, (_, word) => `w${at * 31 + word}`);
      void store.inbox.receive(fixture.incoming(words.join(" ")));
    }
    await fixture.turn(store);
    await store.search(parseSearch("w1"));
  }
  const writer = new DatabaseSync(fixture.path) as DatabaseSync & {
    enableDefensive?(active: boolean): void;
  };
  writer.enableDefensive?.(false);
  writer.exec(
    `BEGIN; INSERT INTO meta VALUES ('index_clearing', 1);
     DELETE FROM search_data WHERE id IN (SELECT id FROM search_data WHERE id > 10 LIMIT 50);
     COMMIT`,
  );
  const { all } = Database.prototype;
  let findings: unknown[] = [];
  // The emptying ends between two things that the check reads.
  Database.prototype.all = function <T>(this: Database, sql: string) {
    const rows = all.call(this, sql) as T[];
    if (sql.includes("integrity_check")) {
      findings = rows;
      writer.exec(
        `BEGIN; INSERT INTO search (search) VALUES ('delete-all');
         DELETE FROM meta WHERE name = 'index_clearing'; COMMIT`,
      );
    }
    return rows;
  };
  try {
    assert.deepEqual((await checkHistory(fixture.path)).problems, []);
  } finally {
    Database.prototype.all = all;
    writer.close();
  }
  assert.notDeepEqual(findings, [{ integrity_check: "ok" }]);
});
