import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { checkHistory } from "../../lib/store/check.ts";
import type { DiskSync } from "../../lib/store/log_file.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import type { Store } from "../../lib/store/store.ts";
import { bob, StoreFixture } from "./fixtures.ts";

/** Numbers from 0 to 1, always the same. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) / 0x80000000;
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** Writes messages that come and go, and knows which of them are confirmed. */
class Traffic {
  readonly received = new Set<string>();
  readonly delivered = new Set<string>();
  readonly done: Promise<unknown>[] = [];
  number = 0;

  constructor(
    private readonly fixture: StoreFixture,
    private readonly store: Store,
    private readonly random: () => number,
  ) {}

  /** What is confirmed now. */
  confirmed() {
    return { received: new Set(this.received), delivered: new Set(this.delivered) };
  }

  /** Some turns of the event loop with up to 80 messages each way. */
  async flow(): Promise<void> {
    const { fixture, store, random, done } = this;
    for (let turn = Math.floor(random() * 4); turn >= 0; turn--) {
      for (let count = Math.ceil(random() * 80); count > 0; count--) {
        const content = `message ${this.number++} ${"x".repeat(random() * 300)}`;
        done.push(
          store.inbox.receive(fixture.incoming(content)).then(() => this.received.add(content)),
        );
        const message = fixture.outgoing(`out ${content}`);
        done.push(
          store.outbox.enqueue(message)
            .then(() => store.outbox.delivered(bob, [message.id]))
            .then(() => this.delivered.add(message.content)),
        );
      }
      if (random() < 0.3) done.push(store.search(parseSearch("message")));
      if (random() < 0.7) await nextTurn();
    }
  }
}

/**
 * Requires that a file which outlasted a power cut has what was confirmed before.
 *
 * @returns How many messages it has.
 */
async function requireAll(
  copy: StoreFixture,
  confirmed: ReturnType<Traffic["confirmed"]>,
  cut: number,
) {
  await using again = await copy.open();
  const found = new Map<string, string | undefined>();
  let before: number | undefined;
  while (true) {
    const page = again.history({ count: 1_000, before });
    for (const { content, state } of page) found.set(content, state);
    if (page.length === 0) break;
    before = page[0].key;
  }
  for (const content of confirmed.received) assert.ok(found.has(content), `lost at cut ${cut}`);
  for (const content of confirmed.delivered) assert.equal(found.get(content), "delivered");
  if (cut % 8 === 7) {
    await again.search(parseSearch("message"));
    assert.deepEqual((await checkHistory(copy.path)).problems, []);
  }
  return found.size;
}

Deno.test("store holds all that it confirmed when the power is cut at any moment", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open({ disk: undefined });
  const random = seeded(7);
  const traffic = new Traffic(fixture, store, random);
  for (let cut = 0; cut < 16; cut++) {
    await traffic.flow();
    // The WAL first: what a checkpoint moves meanwhile must not be missing from both.
    const confirmed = traffic.confirmed();
    await using copy = await StoreFixture.make();
    const torn = random() < 0.5 ? random() * 5_000 : 0;
    const wal = Deno.readFileSync(`${fixture.path}-wal`);
    Deno.copyFileSync(fixture.path, copy.path);
    // Half a batch behind it, which has not been confirmed: it never had its last frame.
    const tail = crypto.getRandomValues(new Uint8Array(torn));
    Deno.writeFileSync(`${copy.path}-wal`, new Uint8Array([...wal, ...tail]));
    await requireAll(copy, confirmed, cut);
  }
  await Promise.all(traffic.done);
  assert.equal(traffic.received.size, traffic.number);
});

/** A slow disk, of which a power cut leaves what it was told to keep, and had time for. */
class LosingDisk implements DiskSync {
  database = new Uint8Array();
  log = new Uint8Array();
  /** Resolves when it has kept something. */
  kept = Promise.withResolvers<void>();

  constructor(private readonly path: string, private readonly random: () => number) {}

  async sync(): Promise<undefined> {
    const database = Deno.readFileSync(this.path);
    const log = Deno.readFileSync(`${this.path}-wal`);
    for (let turn = this.random() * 5; turn > 0; turn--) await nextTurn();
    Object.assign(this, { database, log });
    this.kept.resolve();
    this.kept = Promise.withResolvers();
  }
}

Deno.test("store has confirmed nothing that a power cut takes from a slow disk", async () => {
  await using fixture = await StoreFixture.make();
  const random = seeded(11);
  const disk = new LosingDisk(fixture.path, random);
  await using store = await fixture.open({ disk });
  await fixture.turn(store);
  const traffic = new Traffic(fixture, store, random);
  let hasLost = false;
  for (let cut = 0; cut < 16; cut++) {
    const kept = disk.kept.promise;
    await traffic.flow();
    // Right behind it is when too much would be confirmed.
    if (cut % 2 === 0) {
      await kept;
      await nextTurn();
    }
    const confirmed = traffic.confirmed();
    const { database, log } = disk;
    const later = Deno.readFileSync(`${fixture.path}-wal`);
    const written = store.outbox.lastKey; // each message has taken one
    await using copy = await StoreFixture.make();
    Deno.writeFileSync(copy.path, database);
    // Of what came later, some may have reached it.
    const isGrown = Buffer.compare(later.subarray(0, log.length), log) === 0;
    const part = cut % 2 * random() * (later.length - log.length);
    Deno.writeFileSync(`${copy.path}-wal`, isGrown ? later.subarray(0, log.length + part) : log);
    hasLost ||= await requireAll(copy, confirmed, cut) < written;
  }
  assert.ok(hasLost, "what was not confirmed yet");
  await Promise.all(traffic.done);
  assert.equal(traffic.received.size, traffic.number);
});
