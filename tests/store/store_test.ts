import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { silentLog } from "../../lib/base/log.ts";
import { InvalidInputError } from "../../lib/errors.ts";
import { exportHistory } from "../../lib/store/export.ts";
import type { StoredMessage } from "../../lib/store/message.ts";
import { openDatabase } from "../../lib/store/open.ts";
import { APPLICATION_ID } from "../../lib/store/schema.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import { StoreError } from "../../lib/store/store_error.ts";
import { formatPeerId } from "../../lib/wire/peer_id.ts";
import { bob, carol, contents, StoreFixture } from "./fixtures.ts";
import { makeVersion1 } from "./version_1.ts";

Deno.test("store keeps what was written when it is opened again", async () => {
  await using fixture = await StoreFixture.make();
  const received = fixture.incoming("hello");
  const sent = fixture.outgoing("hi\0 there \u{1f600}");
  {
    await using store = await fixture.open();
    assert.equal((await store.inbox.receive(received)).kind, "new");
    await store.outbox.enqueue(sent);
  }
  await using store = await fixture.open();
  const [first, second] = store.history({ count: 10 });
  assert.deepEqual(first, {
    key: 1,
    id: received.id,
    contact: { key: 1, ...bob },
    content: "hello",
    timestamp: received.timestamp,
    storedAt: fixture.clock.now(),
    encrypted: true,
    trust: "known",
  });
  assert.equal(second.content, "hi\0 there \u{1f600}");
  assert.equal(second.state, "pending");
  assert.equal(second.trust, "verified");
});

Deno.test("store files are for the user alone", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  await store.inbox.receive(fixture.incoming("hello"));
  for (const suffix of ["", "-wal", "-shm"]) {
    const { mode } = await Deno.stat(fixture.path + suffix);
    assert.equal(mode! & 0o777, 0o600, suffix);
  }
});

Deno.test("store takes away what others may do with its file", async () => {
  await using fixture = await StoreFixture.make();
  await (await fixture.open())[Symbol.asyncDispose]();
  await Deno.chmod(fixture.path, 0o644);
  await using _store = await fixture.open();
  for (const suffix of ["", "-wal", "-shm"]) {
    assert.equal((await Deno.stat(fixture.path + suffix)).mode! & 0o777, 0o600, suffix);
  }
});

Deno.test("store has SQLite wait for the disk where it moves what was committed, however it was opened", async () => {
  await using fixture = await StoreFixture.make();
  const synchronous = async () => {
    const database = await openDatabase({ path: fixture.path, log: silentLog });
    try {
      return [database.pragma("synchronous"), database.pragma("journal_mode")];
    } finally {
      database.close();
    }
  };
  const normal = 1; // with 0 a checkpoint could lose what had been confirmed
  assert.deepEqual(await synchronous(), [normal, "wal"], "a new file");
  assert.deepEqual(await synchronous(), [normal, "wal"], "one that is there");
  await Deno.remove(fixture.path);
  makeVersion1(fixture.path);
  assert.deepEqual(await synchronous(), [normal, "wal"], "one of an earlier version");
});

Deno.test("store is set up to lose nothing that it confirmed", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    await fixture.turn(store);
  }
  const database = new DatabaseSync(fixture.path);
  const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get()!)[0];
  assert.equal(pragma("journal_mode"), "wal");
  assert.equal(pragma("auto_vacuum"), 2);
  assert.equal(pragma("application_id"), APPLICATION_ID);
  assert.equal(pragma("user_version"), 1);
  database.close();
});

Deno.test("store writes what one turn of the event loop asks for in one transaction", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const order: string[] = [];
  const writes = ["a", "b", "c"].map((text) =>
    store.inbox.receive(fixture.incoming(text)).then(() => order.push(text))
  );
  await Promise.resolve();
  assert.deepEqual(store.history({ count: 10 }), []);
  await Promise.all(writes);
  assert.deepEqual(order, ["a", "b", "c"]);
  assert.deepEqual(contents(store.history({ count: 10 })), ["a", "b", "c"]);
});

Deno.test("store lets a failing write fail alone", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const twice = fixture.outgoing("twice");
  const results = await Promise.allSettled([
    store.outbox.enqueue(fixture.outgoing("before", { contact: carol })),
    store.outbox.enqueue(twice),
    store.outbox.enqueue({ ...twice, content: "again" }),
    store.inbox.receive(fixture.incoming("after", { timestamp: 1.5 })),
    store.inbox.receive(fixture.incoming("last")),
  ]);
  assert.deepEqual(results.map(({ status }) => status), [
    "fulfilled",
    "fulfilled",
    "rejected",
    "rejected",
    "fulfilled",
  ]);
  assert.ok((results[2] as PromiseRejectedResult).reason instanceof InvalidInputError);
  assert.deepEqual(contents(store.history({ count: 10 })), ["before", "twice", "last"]);
  assert.deepEqual(store.state, { kind: "ok" });
  assert.deepEqual(store.contactsNamed("carol"), [{ key: 1, ...carol }]);
});

Deno.test("store writes what is queued when it is closed, and nothing afterwards", async () => {
  await using fixture = await StoreFixture.make();
  const store = await fixture.open();
  const written = store.inbox.receive(fixture.incoming("last words"));
  await store[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  assert.equal((await written).kind, "new");
  await assert.rejects(fixture.turn(store), StoreError);
  await using again = await fixture.open();
  assert.deepEqual(contents(again.history({ count: 1 })), ["last words"]);
});

Deno.test("store works in memory", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open({ path: undefined });
  await store.inbox.receive(fixture.incoming("hello"));
  assert.deepEqual(contents(store.history({ count: 1 })), ["hello"]);
  await store.clear();
  assert.deepEqual(store.history({ count: 1 }), []);
});

Deno.test("store keeps a contact's newest nickname, and apart from others of that name", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  await store.inbox.receive(fixture.incoming("1"));
  await store.inbox.receive(fixture.incoming("2", { contact: { nickname: "bob" }, id: undefined }));
  await store.inbox.receive(fixture.incoming("3", { contact: { ...bob, nickname: "robert" } }));
  assert.deepEqual(store.contacts().map(({ nickname }) => nickname), ["robert", "bob"]);
  assert.deepEqual(store.contactsNamed("bob").map(({ key }) => key), [2]);
  assert.deepEqual(store.contactsNamed(bob.id!.slice(0, 7).toLowerCase()).map((c) => c.key), [1]);
  assert.deepEqual(store.contactsNamed(bob.id!).map((c) => c.key), [1]);
  assert.deepEqual(store.contactsNamed(""), []);
  assert.deepEqual(contents(store.history({ contacts: [1], count: 5 })), ["1", "3"]);
  assert.deepEqual(contents(store.history({ contacts: [2, 1, 1], count: 2 })), ["2", "3"]);
  assert.deepEqual(contents(store.history({ count: 2, before: 3 })), ["1", "2"]);
});

Deno.test("store knows all contacts of one nickname, or says that there are too many", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open({ path: undefined });
  const receive = (text: string, number: number) => {
    const id = formatPeerId(new Uint8Array(32).fill(7).with(0, number >> 8).with(1, number & 0xff));
    return store.inbox.receive(fixture.incoming(text, { contact: { nickname: "bob", id } }));
  };
  await Promise.all(Array.from({ length: 1_000 }, (_, at) => receive(`from ${at}`, at)));
  const contacts = store.contactsNamed("bob").map(({ key }) => key);
  assert.equal(contacts.length, 1_000);
  assert.equal(store.history({ count: 1_000, contacts }).length, 1_000);
  assert.equal((await store.search(parseSearch("from from:bob"), { limit: 200 })).length, 200);
  await receive("one more", 1_000);
  assert.throws(() => store.contactsNamed("bob"), {
    name: "InvalidInputError",
    message:
      'Cannot tell whom "bob" means: the history has more than 1000 contacts of that name; ' +
      "use an id",
  });
});

Deno.test("store without a history keeps ids, and what is to be delivered until it is", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open({ keepHistory: false });
  const message = fixture.incoming("secret");
  assert.equal((await store.inbox.receive(message)).kind, "new");
  assert.equal((await store.inbox.receive(message)).kind, "duplicate");
  const out = [1, 2, 3].map((number) => fixture.outgoing(`out ${number}`));
  for (const each of out) await store.outbox.enqueue(each);
  await store.outbox.enqueue(fixture.outgoing("to version 1", { state: "sent" }));
  assert.deepEqual(store.history({ count: 10 }), []);
  assert.deepEqual(contents(store.outbox.pending(bob)), ["out 1", "out 2", "out 3"]);
  await store.outbox.delivered(bob, [out[0].id]);
  await store.outbox.failed(out[1].id, "refused");
  await store.outbox.cancel(out[2].id);
  for (const { id } of out) assert.equal(store.outbox.find(id), undefined);
});

Deno.test("store gives others their turn between many writes", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  let written = 0;
  const counts: number[] = [];
  const writes = Array.from(
    { length: 5_000 },
    (_, at) => store.inbox.receive(fixture.incoming(`${at}`)).then(() => written++),
  );
  while (written < 5_000) {
    await new Promise((resolve) => setImmediate(resolve));
    if (counts.at(-1) !== written) counts.push(written);
  }
  await Promise.all(writes);
  assert.deepEqual(counts.filter((count) => count > 0), [2_000, 4_000, 5_000]);
  const large = "x".repeat(1_000_000);
  let seen = 0;
  const slow = Array.from(
    { length: 4 },
    () => store.inbox.receive(fixture.incoming(large)).then(() => seen++),
  );
  await slow[0];
  assert.ok(seen < 4, "4 MB went into one transaction with all their possible bytes");
  await Promise.all(slow);
});

Deno.test("store recognises each of many messages that it has had, and keeps the others in order", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const messages = Array.from({ length: 200 }, (_, number) => fixture.incoming(`${number}`));
  const early = [3, 64, 65, 199].map((number) => messages[number]);
  await Promise.all(early.map((message) => store.inbox.receive(message)));
  const again = [...messages, messages[7], messages[199]];
  const kinds = (await Promise.all(again.map((message) => store.inbox.receive(message))))
    .map(({ kind }) => kind);
  const expected = again.map((message, at) => early.includes(message) || at >= 200);
  assert.deepEqual(kinds.map((kind) => kind === "duplicate"), expected);
  const rest = messages.filter((message) => !early.includes(message));
  const kept = store.history({ count: 1000 }).map(({ content }) => content);
  assert.deepEqual(kept, [...early, ...rest].map(({ content }) => content));
});

Deno.test("store refuses one of many messages whose id is taken, and keeps the others", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const messages = Array.from({ length: 100 }, (_, number) => fixture.outgoing(`${number}`));
  await store.outbox.enqueue(messages[50]);
  const results = await Promise.allSettled(
    messages.map((message) => store.outbox.enqueue(message)),
  );
  const refused = results.flatMap(({ status }, at) => status === "rejected" ? [at] : []);
  assert.deepEqual(refused, [50]);
  assert.equal(store.outbox.pendingCount(), 100);
});

Deno.test("store shows each message under the nickname that its contact had then", async () => {
  await using fixture = await StoreFixture.make();
  const names = (messages: readonly StoredMessage[]) =>
    messages.map(({ contact, content }) => `${contact.nickname} (${contact.key}): ${content}`);
  const as = (nickname: string) => ({ contact: { ...bob, nickname } });
  const expected = ["bob (1): 1", "alice (1): 2", "bob (1): 3", "alice (2): 4"];
  {
    await using store = await fixture.open();
    await store.inbox.receive(fixture.incoming("1"));
    await store.inbox.receive(fixture.incoming("2", as("alice")));
    await store.outbox.enqueue(fixture.outgoing("3"));
    const plain = { contact: { nickname: "alice" }, id: undefined };
    await store.inbox.receive(fixture.incoming("4", plain));
    await store.inbox.receive(fixture.incoming("5", as("mallory")));
    assert.deepEqual(names(store.history({ count: 4, before: 5 })), expected);
    assert.deepEqual(names(store.outbox.pending(bob)), ["bob (1): 3"]);
    assert.deepEqual(names(store.outbox.list("pending")), ["bob (1): 3"]);
    assert.deepEqual(store.contactsNamed("mallory").map(({ key }) => key), [1]);
    assert.deepEqual(store.contactsNamed("alice").map(({ key }) => key), [2]);
  }
  await using store = await fixture.open();
  const [hit] = await store.search(parseSearch("2"));
  assert.deepEqual(names([hit.message, hit.before!, hit.after!]), [
    expected[1],
    expected[0],
    expected[2],
  ]);
  const items: StoredMessage[] = [];
  for await (const item of exportHistory(fixture.path)) {
    if (item.kind === "message") items.push(item.message);
  }
  assert.deepEqual(names(items.slice(0, 4)), expected);
  assert.equal(store.contacts()[0].nickname, "mallory");
});

Deno.test("store searches the messages of whom the caller means by a name", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  await store.inbox.receive(fixture.incoming("word 1"));
  const contact = { ...carol, nickname: "bob" };
  await store.inbox.receive(fixture.incoming("word 2", { contact }));
  const find = async (query: string, from?: number[]) =>
    contents((await store.search(parseSearch(query), { from })).map(({ message }) => message));
  assert.deepEqual(await find("word from:bob"), ["word 2", "word 1"]);
  assert.deepEqual(await find("word from:bob", [1]), ["word 1"]);
  assert.deepEqual(await find("word", [2]), ["word 2"]);
  await assert.rejects(find("word from:bob", []), /nobody of that name/);
});

Deno.test("store reads no more than four MiB of text at once", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const text = (at: number) => `${at} word ${"x".repeat(1_000_000)}`;
  for (let at = 0; at < 10; at++) {
    const id = fixture.ids.next();
    await store.outbox.enqueue(
      fixture.outgoing(text(at), at % 2 === 0 ? { id } : { contact: carol }),
    );
  }
  const numbers = (messages: readonly StoredMessage[]) =>
    messages.map(({ content }) => parseInt(content));
  assert.deepEqual(numbers(store.history({ count: 10 })), [6, 7, 8, 9]);
  assert.deepEqual(numbers(store.history({ count: 10, before: 3 })), [0, 1]);
  assert.deepEqual(numbers(store.history({ count: 10, contacts: [1, 2] })), [6, 7, 8, 9]);
  assert.deepEqual(numbers(store.history({ count: 10, contacts: [1] })), [2, 4, 6, 8]);
  assert.deepEqual(numbers(store.outbox.list("pending")), [0, 1, 2, 3]);
  const hits = await store.search(parseSearch("word"));
  assert.deepEqual(numbers(hits.map(({ message }) => message)), [9, 8]);
  const large = "y".repeat(5_000_000);
  await store.inbox.receive(fixture.incoming(large));
  assert.deepEqual(contents(store.history({ count: 10 })), [large]);
});
