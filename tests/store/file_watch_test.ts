import assert from "node:assert/strict";
import { parseSearch } from "../../lib/store/search_query.ts";
import { bob, contents, StoreFixture } from "./fixtures.ts";

/** What an open file may suffer from others; Windows lets nobody do that. */
const ignore = Deno.build.os === "windows";

const FATES: Record<string, (path: string) => Promise<void>> = {
  "was deleted": (path) => Deno.remove(path),
  "was replaced": async (path) => {
    await Deno.copyFile(path, `${path}.copy`);
    await Deno.rename(`${path}.copy`, path);
  },
  "has lost its write-ahead log": (path) => Deno.remove(`${path}-wal`),
};

for (const [fate, happen] of Object.entries(FATES)) {
  Deno.test({
    name: `store confirms nothing when its file ${fate}`,
    ignore,
    fn: async () => {
      await using fixture = await StoreFixture.make();
      await using store = await fixture.open();
      const [first, second] = ["first", "second"].map((text) => fixture.outgoing(text));
      await store.outbox.enqueue(first);
      await happen(fixture.path);
      await fixture.clock.advance(1_000); // the log is looked at every second
      const refusal = {
        kind: "moved",
        message: /^Cannot write to the history in .*history\.sqlite.*; put it back where it was/,
      };
      await assert.rejects(store.outbox.enqueue(second), refusal);
      await assert.rejects(store.inbox.receive(fixture.incoming("third")), refusal);
      await assert.rejects(store.outbox.delivered(bob, [first.id]), refusal);
      assert.equal(store.state.kind, "failed");
      // What was there before can still be read, and nothing was written that was not confirmed.
      assert.deepEqual(contents(store.history({ count: 10 })), ["first"]);
      assert.deepEqual(await store.search(parseSearch("nothing")), []);
    },
  });
}

Deno.test({
  name: "store goes on when its file is back where it was",
  ignore,
  fn: async () => {
    await using fixture = await StoreFixture.make();
    {
      await using store = await fixture.open();
      await store.inbox.receive(fixture.incoming("before"));
      await Deno.rename(fixture.path, `${fixture.path}.away`);
      const message = fixture.incoming("meanwhile");
      await assert.rejects(store.inbox.receive(message), { kind: "moved" });
      await Deno.rename(`${fixture.path}.away`, fixture.path);
      assert.equal((await store.inbox.receive(message)).kind, "new");
      assert.equal(store.state.kind, "ok");
    }
    await using store = await fixture.open();
    assert.deepEqual(contents(store.history({ count: 10 })), ["before", "meanwhile"]);
  },
});

Deno.test({
  name: "store confirms nothing when its file goes while it is being written",
  ignore,
  fn: async () => {
    await using fixture = await StoreFixture.make();
    await using store = await fixture.open();
    await fixture.turn(store);
    const message = fixture.incoming("lost");
    // Whether it was encrypted is looked at inside the transaction.
    Object.defineProperty(message, "encrypted", {
      get: () => {
        try {
          Deno.removeSync(fixture.path);
        } catch {
          // It has gone already.
        }
        return true;
      },
    });
    await assert.rejects(store.inbox.receive(message), { kind: "moved" });
  },
});
