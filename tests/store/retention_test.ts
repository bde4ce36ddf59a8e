import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { parseSearch } from "../../lib/store/search_query.ts";
import type { Store } from "../../lib/store/store.ts";
import { bob, carol, contents, StoreFixture } from "./fixtures.ts";

const DAY = 86_400_000;

/** How often a text is anywhere in the files, as it was written or in lower case. */
async function traces(fixture: StoreFixture, ...texts: string[]): Promise<number> {
  let count = 0;
  for await (const { name } of Deno.readDir(fixture.directory)) {
    const bytes = await Deno.readFile(`${fixture.directory}/${name}`);
    const content = new TextDecoder("latin1").decode(bytes).toLowerCase();
    for (const text of texts) count += content.split(text.toLowerCase()).length - 1;
  }
  return count;
}

Deno.test("clearing the history leaves no byte of it in the files", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const texts = Array.from({ length: 3_000 }, (_, at) => `ordinary words number ${at}`);
  texts[5] = "the Xylophonequartet plays";
  texts[1500] = "Zugzwangkomitee " + "filling ".repeat(2_000);
  texts[2999] = "at last Quizmasterjudo";
  await Promise.all(texts.map((text) => store.inbox.receive(fixture.incoming(text))));
  const secrets = ["xylophoneq", "zugzwangk", "quizmasterj"];
  assert.equal((await store.search(parseSearch("xylophonequartet"))).length, 1);
  assert.ok(await traces(fixture, ...secrets) > 3);
  assert.equal(await store.clear(), 3_000);
  assert.equal(await traces(fixture, ...secrets), 0);
  assert.deepEqual(await store.search(parseSearch("ordinary")), []);
  const { size } = await Deno.stat(fixture.path);
  // What is left are the ids that were received.
  assert.ok(size < 250_000, `${size} bytes are left`);
});

for (const [share, count] of [["small", 30], ["large", 1_500]] as const) {
  Deno.test(`clearing a ${share} conversation leaves no byte of it, and all of others`, async () => {
    await using fixture = await StoreFixture.make();
    await using store = await fixture.open();
    const writes: Promise<unknown>[] = [];
    for (let at = 0; at < count; at++) {
      writes.push(store.inbox.receive(fixture.incoming(`Xylophone${at} at the Zugzwangkomitee`)));
      const contact = carol;
      writes.push(store.inbox.receive(fixture.incoming(`walk number ${at}`, { contact })));
    }
    await Promise.all(writes);
    assert.equal((await store.search(parseSearch("xylophone*"))).length, 20);
    assert.equal(await store.clear(bob), count);
    assert.equal(await traces(fixture, "xylophone", "zugzwang"), 0);
    assert.equal(store.history({ count: 1_000 }).length, Math.min(1_000, count));
    assert.equal(
      (await store.search(parseSearch("walk"), { limit: 200 })).length,
      Math.min(200, count),
    );
    assert.deepEqual(await store.search(parseSearch("xylophone*")), []);
    assert.deepEqual(await store.clear({ nickname: "nobody" }), 0);
  });
}

Deno.test("clearing leaves what is pending to be delivered, out of sight", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const message = fixture.outgoing("Xylophone, please");
  await store.outbox.enqueue(message);
  await store.inbox.receive(fixture.incoming("hello"));
  await store.search(parseSearch("xylophone"));
  await store.clear();
  assert.deepEqual(store.history({ count: 10 }), []);
  assert.deepEqual(await store.search(parseSearch("xylophone")), []);
  assert.deepEqual(contents(store.outbox.pending(bob)), ["Xylophone, please"]);
  assert.equal(store.outbox.list("pending").length, 1);
  await store.outbox.delivered(bob, [message.id]);
  assert.equal(store.outbox.find(message.id), undefined);
  await fixture.clock.advance(1_000);
  assert.equal(await traces(fixture, "xylophone"), 0);
});

Deno.test("clearing waits for a reader, and says when one stays", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  await store.inbox.receive(fixture.incoming("Xylophone"));
  const reader = new DatabaseSync(fixture.path, { readOnly: true });
  reader.exec("BEGIN; SELECT * FROM message");
  const cleared = assert.rejects(store.clear(), {
    name: "StoreError",
    kind: "busy",
    message: /^Deleted 1 message, but the file may still have what it said: .*tried again/,
  });
  while (fixture.clock.waiting === 0 || store.history({ count: 1 }).length > 0) {
    await fixture.turn(store);
  }
  await fixture.clock.advance(60_000);
  await cleared;
  assert.deepEqual(store.history({ count: 1 }), []);
  reader.close();
  await store.clear();
  assert.equal(await traces(fixture, "xylophone"), 0);
});

Deno.test("clearing deletes for good although damage keeps the room from being given back", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    for (const [word, contact] of [["xylophone", bob], ["trumpet", carol]] as const) {
      const text = (at: number) => `${word} ${"so ".repeat(80)} ${at}`;
      const writes = Array.from(
        { length: 500 },
        (_, at) => fixture.incoming(text(at), { contact }),
      );
      await Promise.all(writes.map((message) => store.inbox.receive(message)));
    }
    await store.search(parseSearch("xylophone"));
  }
  {
    // The second page says to what each other one belongs, which only matters for moving them.
    using file = Deno.openSync(fixture.path, { write: true });
    file.seekSync(4096, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(4096).fill(0xa5));
  }
  await using store = await fixture.open();
  assert.equal(await store.clear(bob), 500);
  assert.equal(await traces(fixture, "xylophone"), 0);
  assert.equal(store.history({ count: 1_000 }).length, 500);
  assert.equal((await Deno.stat(`${fixture.path}-wal`)).size, 0);
});

Deno.test("clearing is ended at the next start where a crash ended it", async () => {
  await using fixture = await StoreFixture.make();
  {
    const store = await fixture.open();
    const writes = Array.from({ length: 2_500 }, (_, at) => fixture.incoming(`word ${at}`));
    await Promise.all(writes.map((message) => store.inbox.receive(message)));
    const first = store.clear();
    await fixture.turn(store);
    await store[Symbol.asyncDispose]();
    await assert.rejects(first);
  }
  await using store = await fixture.open();
  while (store.history({ count: 1 }).length > 0) await fixture.turn(store);
  assert.deepEqual(await store.search(parseSearch("word")), []);
});

Deno.test("pruning takes the oldest first, and nothing that is pending", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  await store.outbox.enqueue(fixture.outgoing("old, but pending"));
  for (let day = 0; day < 10; day++) {
    for (let at = 0; at < 3; at++) await store.inbox.receive(fixture.incoming(`day ${day}`));
    await fixture.clock.advance(DAY);
  }
  await store.search(parseSearch("day"));
  assert.equal(await fixture.prune(store, { before: fixture.clock.now() - 3 * DAY }), 21);
  const left = contents(store.history({ count: 100 }));
  assert.deepEqual([...new Set(left)], ["old, but pending", "day 7", "day 8", "day 9"]);
  assert.equal((await store.search(parseSearch("day"))).length, 9);
  assert.equal(await fixture.prune(store, {}), 0);
});

Deno.test("pruning makes the file as small as it shall be", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const text = (at: number) => `${at} ` + `word${at % 100} `.repeat(100);
  for (let at = 0; at < 4_000; at += 500) {
    const batch = Array.from({ length: 500 }, (_, add) => fixture.incoming(text(at + add)));
    await Promise.all(batch.map((message) => store.inbox.receive(message)));
  }
  await store.search(parseSearch("word1"));
  assert.ok((await Deno.stat(fixture.path)).size > 2_000_000);
  const count = await fixture.prune(store, { maxBytes: 1_500_000 });
  assert.ok(count > 1_000 && count < 4_000, `${count} are gone`);
  const { size } = await Deno.stat(fixture.path);
  // The ids that were received are not counted, nor are ten tables with a page each.
  assert.ok(size <= 1_500_000 + 4_000 * 30 + 10 * 4_096, `${size} bytes`);
  const left = store.history({ count: 1_000 });
  assert.equal(left.at(-1)!.content, text(3_999));
  const hits = await store.search(parseSearch("word99"), { limit: 200 });
  assert.equal(hits.length, Math.ceil((4_000 - count) / 100));
});

for (
  const [how, options] of [
    ["cleared", {}],
    ["sent without a history", { keepHistory: false }],
  ] as const
) {
  Deno.test(`what was pending leaves the files when it is delivered, having been ${how}`, async () => {
    await using fixture = await StoreFixture.make();
    await using store = await fixture.open(options);
    const messages = [1, 2, 3, 4, 5].map((number) => fixture.outgoing(`Xylophone ${number}`));
    for (const message of messages) await store.outbox.enqueue(message);
    await store.search(parseSearch("xylophone"));
    await store.clear();
    await store.outbox.delivered(bob, messages.map(({ id }) => id));
    await fixture.clock.advance(1_000);
    assert.equal(await traces(fixture, "xylophone"), 0);
    const last = fixture.outgoing("Zugzwang");
    await store.outbox.enqueue(last);
    await store.clear();
    await store.outbox.failed(last.id, "no");
    await fixture.clock.advance(1_000);
    assert.equal(await traces(fixture, "zugzwang"), 0);
  });
}

Deno.test("pruning by age leaves no byte of what was deleted", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  await store.inbox.receive(fixture.incoming("Xylophone"));
  await store.search(parseSearch("xylophone"));
  assert.equal(await fixture.prune(store, { before: fixture.clock.now() + 1 }), 1);
  assert.equal(await traces(fixture, "xylophone"), 0);
});

for (const [share, maxBytes] of [["little", 750_000], ["most", 500_000]] as const) {
  Deno.test(`pruning ${share} to a size leaves no byte of it, and all of the rest can be found`, async () => {
    await using fixture = await StoreFixture.make();
    await using store = await fixture.open();
    await store.outbox.enqueue(fixture.outgoing("old, but pending"));
    for (let at = 0; at < 3_000; at += 500) {
      const batch = Array.from({ length: 500 }, (_, add) => {
        const name = at + add < 100 ? "Xylophone" : "Zither";
        return store.inbox.receive(fixture.incoming(`${name}${at + add} and some words`.repeat(5)));
      });
      await Promise.all(batch);
    }
    await store.search(parseSearch("pending"));
    assert.ok(await traces(fixture, "xylophone") > 0);
    const count = await fixture.prune(store, { maxBytes });
    assert.equal(await traces(fixture, "xylophone"), 0);
    const hits = await store.search(parseSearch('"and some words"'), { limit: 200 });
    assert.equal(hits.length, 200);
    assert.equal((await store.search(parseSearch("pending"))).length, 1);
    assert.ok(count > 100 && count < 2_500, `${count} are gone`);
    const [oldest] = store.history({ count: 1_000 }).slice(-1_000);
    const name = /Zither\d+/.exec(oldest.content)![0];
    assert.equal((await store.search(parseSearch(name))).length, 1);
  });
}

Deno.test("clearing a conversation is ended at the next start where a crash ended it", async () => {
  await using fixture = await StoreFixture.make();
  {
    const store = await fixture.open();
    const writes = Array.from({ length: 2_500 }, (_, at) => fixture.incoming(`word ${at}`));
    await Promise.all(writes.map((message) => store.inbox.receive(message)));
    await store.inbox.receive(fixture.incoming("of carol", { contact: carol }));
    await store.search(parseSearch("word"));
    const first = store.clear(bob);
    await fixture.turn(store);
    await store[Symbol.asyncDispose]();
    await assert.rejects(first);
  }
  await using store = await fixture.open();
  for (let tries = 0; store.history({ count: 2 }).length > 1 && tries < 1_000; tries++) {
    await fixture.turn(store);
  }
  assert.deepEqual(contents(store.history({ count: 5 })), ["of carol"]);
  assert.deepEqual(await store.search(parseSearch("word")), []);
});

Deno.test("pruning to a size counts nothing that cannot be deleted", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  for (let at = 0; at < 30_000; at += 1_000) {
    const batch = Array.from({ length: 1_000 }, () => fixture.incoming("x", { contact: carol }));
    await Promise.all(batch.map((message) => store.inbox.receive(message)));
  }
  await store.clear(carol);
  await store.inbox.receive(fixture.incoming("dear memory"));
  assert.ok((await Deno.stat(fixture.path)).size > 500_000);
  assert.equal(await fixture.prune(store, { maxBytes: 200_000 }), 0);
  assert.deepEqual(contents(store.history({ count: 5 })), ["dear memory"]);
});

Deno.test("pruning to a size keeps as much as fits where the index takes more than the texts", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  let state = 1;
  const hex = () => (state = Math.imul(state, 48271) >>> 0).toString(16).padStart(8, "0");
  const text = () => `${hex()} ${Array.from({ length: 260 }, hex).join("")}`;
  // As messages come now and then: the index is written in many small parts.
  for (let count = 0; count < 1200; count += 40) {
    const texts = Array.from({ length: 40 }, text);
    await Promise.all(texts.map((text) => store.inbox.receive(fixture.incoming(text))));
    await store.search(parseSearch("x"));
  }
  const used = (await Deno.stat(fixture.path)).size;
  await fixture.prune(store, { maxBytes: used / 8 });
  const left = store.history({ count: 1000 }).length;
  assert.ok(left >= 60, `${left} messages are left`);
  const { size } = await Deno.stat(fixture.path);
  assert.ok(size <= used / 8 * 1.2, `${size} of ${used} bytes are left`);
});

Deno.test("pruning to a size lets go of plain names of whom nothing is left", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const name = (at: number) => `stranger${at.toString().padStart(20, "0")}`;
  const receive = (nickname: string) => {
    const fields = { contact: { nickname }, encrypted: false, trust: "plain" } as const;
    const { id: _, ...message } = fixture.incoming("x", fields);
    return store.inbox.receive(message);
  };
  await store.outbox.enqueue(fixture.outgoing("waits", { contact: { nickname: name(7) } }));
  await store.inbox.receive(fixture.incoming("x", { contact: carol }));
  for (let at = 0; at < 20_000; at += 2_000) {
    await Promise.all(Array.from({ length: 2_000 }, (_, add) => receive(name(at + add))));
  }
  await fixture.prune(store, { maxBytes: 200_000 });
  const left = [...Array(20_000).keys()].filter((at) => store.contactsNamed(name(at)).length > 0);
  assert.equal(left[0], 7);
  assert.ok(left.length < 1_500, `${left.length} names are left`);
  assert.equal(left.at(-1), 19_999);
  // Who has an id stays, since ids of his messages do.
  assert.equal(store.contactsNamed("carol").length, 1);
  const { size } = await Deno.stat(fixture.path);
  assert.ok(size < 250_000, `${size} bytes`);
  // Who was let go of can come back.
  await receive(name(3));
  const [newest] = store.history({ count: 1 });
  assert.equal(newest.contact.nickname, name(3));
  assert.ok(newest.contact.key > store.contactsNamed(name(19_999))[0].key);
  await store.clear();
  assert.deepEqual(store.contactsNamed(name(19_999)), []);
  assert.equal(store.contactsNamed(name(7)).length, 1);
});

for (const keepHistory of [true, false]) {
  const how = keepHistory ? "with" : "without";
  Deno.test(`pruning leaves alone what was not shown as long as the rest is enough, ${how} a history`, async () => {
    await using fixture = await StoreFixture.make();
    const fill = async (store: Store, count: number) => {
      const texts = Array.from({ length: count }, () => fixture.incoming("x ".repeat(500)));
      await store.inbox.receiveAll(texts);
    };
    {
      await using store = await fixture.open();
      await fill(store, 900);
      fixture.showAll(store);
    }
    await using store = await fixture.open({ keepHistory });
    await fill(store, 900);
    let unseen = 0;
    const onUnseen = (count: number) => void (unseen += count);
    const before = fixture.clock.now() + 1;
    const maxBytes = 1_300_000;
    const count = await store.prune({ maxBytes, onUnseen });
    assert.ok(count > 400 && count <= 900, `${count} are gone`);
    assert.equal(await store.prune({ before, onUnseen }), 900 - count);
    assert.equal(store.inbox.unshown().length, 900);
    assert.equal(unseen, 0);
    const gone = await store.prune({ maxBytes: 700_000, onUnseen });
    assert.ok(gone > 200 && gone < 600, `${gone} are gone`);
    assert.equal(unseen, gone);
    assert.equal(store.inbox.unshown().length, 900 - gone);
  });
}
