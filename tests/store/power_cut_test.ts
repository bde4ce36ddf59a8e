import assert from "node:assert/strict";
import { checkHistory } from "../../lib/store/check.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import { bob, StoreFixture } from "./fixtures.ts";

/** Numbers from 0 to 1, always the same. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) / 0x80000000;
}

Deno.test("store holds all that it confirmed when the power is cut at any moment", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const random = seeded(7);
  const received = new Set<string>();
  const delivered = new Set<string>();
  let number = 0;
  const done: Promise<unknown>[] = [];
  for (let cut = 0; cut < 16; cut++) {
    for (let turn = Math.floor(random() * 4); turn >= 0; turn--) {
      for (let count = Math.ceil(random() * 80); count > 0; count--) {
        const content = `message ${number++} ${"x".repeat(random() * 300)}`;
        done.push(
          store.inbox.receive(fixture.incoming(content)).then(() => received.add(content)),
        );
        const message = fixture.outgoing(`out ${content}`);
        done.push(
          store.outbox.enqueue(message)
            .then(() => store.outbox.delivered(bob, [message.id]))
            .then(() => delivered.add(message.content)),
        );
      }
      if (random() < 0.3) done.push(store.search(parseSearch("message")));
      if (random() < 0.7) await new Promise((resolve) => setImmediate(resolve));
    }
    // The WAL first: what a checkpoint moves meanwhile must not be missing from both.
    const confirmed = [new Set(received), new Set(delivered)];
    await using copy = await StoreFixture.make();
    const torn = random() < 0.5 ? random() * 5_000 : 0;
    const wal = Deno.readFileSync(`${fixture.path}-wal`);
    Deno.copyFileSync(fixture.path, copy.path);
    // Half a batch behind it, which has not been confirmed: it never had its last frame.
    const tail = crypto.getRandomValues(new Uint8Array(torn));
    Deno.writeFileSync(`${copy.path}-wal`, new Uint8Array([...wal, ...tail]));
    {
      await using again = await copy.open();
      const found = new Map<string, string | undefined>();
      let before: number | undefined;
      while (true) {
        const page = again.history({ count: 1_000, before });
        for (const { content, state } of page) found.set(content, state);
        if (page.length === 0) break;
        before = page[0].key;
      }
      for (const content of confirmed[0]) assert.ok(found.has(content), `lost at cut ${cut}`);
      for (const content of confirmed[1]) assert.equal(found.get(content), "delivered");
      if (cut % 8 === 7) {
        await again.search(parseSearch("message"));
        assert.deepEqual((await checkHistory(copy.path)).problems, []);
      }
    }
  }
  await Promise.all(done);
  assert.equal(received.size, number);
});
