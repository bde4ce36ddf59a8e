import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { InvalidInputError } from "../../lib/errors.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import type { Store } from "../../lib/store/store.ts";
import { bob, carol, contents, StoreFixture } from "./fixtures.ts";

const DAY = 86_400_000;
const utcMidnight = (year: number, month: number, day: number) => Date.UTC(year, month - 1, day);

async function find(store: Store, query: string): Promise<string[]> {
  const hits = await store.search(parseSearch(query, utcMidnight));
  return contents(hits.map(({ message }) => message));
}

Deno.test("search queries are words, phrases, beginnings, senders and dates", () => {
  const parse = (text: string) => parseSearch(text, utcMidnight);
  assert.deepEqual(parse('bridge FROM:bob "at 8" wat* before:2026-01-31'), {
    terms: [
      { text: "bridge", prefix: false },
      { text: "at 8", prefix: false },
      { text: "wat", prefix: true },
    ],
    from: "bob",
    before: Date.UTC(2026, 0, 31),
  });
  assert.deepEqual(parse('from:"bob the builder"'), { terms: [], from: "bob the builder" });
  assert.deepEqual(parse('say "open'), {
    terms: [{ text: "say", prefix: false }, { text: "open", prefix: false }],
  });
  assert.deepEqual(parse('"two wor"* xfrom:y ...'), {
    terms: [{ text: "two wor", prefix: true }, { text: "xfrom:y", prefix: false }],
  });
});

Deno.test("search queries that cannot be answered say why", () => {
  const bad: [string, RegExp][] = [
    ["", /it has no word; give one, or from:NICKNAME/],
    ['... "!!" *', /it has no word/],
    ["before:2026-01-31", /it has no word/],
    ["x before:2026-02-30", /"before:2026-02-30": that is no date; write it like/],
    ["x before:0050-01-01", /that is no date/],
    ["x before:", /nothing stands after before:/],
    ["x from: y", /nothing stands after from:/],
    ["from:a from:b", /it has from: twice/],
    ["x before:2026-01-01 before:2026-01-02", /it has before: twice/],
    ["a*", /at least 2 letters must stand before a star/],
    ["x".repeat(1_001), /longer than 1000 characters/],
    ["x ".repeat(33), /more than 32 words/],
  ];
  for (const [query, message] of bad) {
    assert.throws(() => parseSearch(query), (error) => {
      assert.ok(error instanceof InvalidInputError, `${query}: ${error}`);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("search never fails for how a query is written", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  await store.inbox.receive(fixture.incoming("some content AND more NEAR bob"));
  const piece = fc.oneof(
    fc.constantFrom(
      ...[
        '"',
        "*",
        "(",
        ")",
        ":",
        "^",
        "-",
        "+",
        "{",
        "}",
        "'",
        "\\",
        "\0",
        " ",
        "AND",
        "OR",
        "NOT",
      ],
      ...[
        "NEAR(a b, 2)",
        "author:",
        "content :",
        "from:bob",
        "from:",
        "before:",
        "before:2026-01-01",
      ],
      ...["\u{1f600}", "\ud800", "é", "漢字", "\u0301", "\u2028", "word", "f1", "me"],
    ),
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.string({ unit: "grapheme", maxLength: 8 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      try {
        await store.search(parseSearch(pieces.join("")));
      } catch (error) {
        assert.ok(error instanceof InvalidInputError, `${error}`);
      }
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("search finds words in any case, phrases and beginnings, the newest first", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const texts = [
    "The old bridge",
    "a bridge too far",
    "Café Brücke",
    "bridges of bob's",
    "NUL \0bridge",
  ];
  for (const text of texts) await store.inbox.receive(fixture.incoming(text));
  assert.deepEqual(await find(store, "BRIDGE"), [
    "NUL \0bridge",
    "a bridge too far",
    "The old bridge",
  ]);
  assert.deepEqual(
    await find(store, "bridg*"),
    texts.toReversed().filter((t) => t !== "Café Brücke"),
  );
  assert.deepEqual(await find(store, '"old bridge"'), ["The old bridge"]);
  assert.deepEqual(await find(store, '"bridge old"'), []);
  assert.deepEqual(await find(store, "far bridge"), ["a bridge too far"]);
  assert.deepEqual(await find(store, "cafe brucke"), ["Café Brücke"]);
  assert.deepEqual(await find(store, "bob's"), ["bridges of bob's"]);
  assert.deepEqual(await find(store, "f1"), []);
});

Deno.test("search has beginnings of two letters in its index, and joins none of many words", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    await store.inbox.receive(fixture.incoming("xylophone"));
    assert.deepEqual(await find(store, "xy*"), ["xylophone"]);
    assert.deepEqual(await find(store, '"xylop"*'), ["xylophone"]);
  }
  const content = new TextDecoder("latin1").decode(await Deno.readFile(fixture.path));
  // In a page of FTS5 a term is how much it shares with the one before it, the length of the rest,
  // and the rest; whatever stands for beginnings starts with "1".
  assert.ok(content.includes("\x01\x09xylophone"));
  assert.ok(content.includes("\x01\x02xy"));
});

Deno.test("search finds what somebody wrote, and what one wrote oneself", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  await store.inbox.receive(fixture.incoming("word from bob"));
  await store.inbox.receive(fixture.incoming("word from carol", { contact: carol }));
  await store.outbox.enqueue(fixture.outgoing("word to bob"));
  const plain = { contact: { nickname: "bob" }, id: undefined };
  await store.inbox.receive(fixture.incoming("word from another bob", plain));
  assert.deepEqual(await find(store, "word from:bob"), ["word from another bob", "word from bob"]);
  assert.deepEqual(await find(store, `from:${bob.id}`), ["word from bob"]);
  assert.deepEqual(await find(store, `from:${carol.id!.slice(0, 7)} word`), ["word from carol"]);
  assert.deepEqual(await find(store, "from:me"), ["word to bob"]);
  await assert.rejects(find(store, "from:dave"), /the history has nobody of that name/);
});

Deno.test("search finds what was stored before a day, although the clock has jumped", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const noon = Date.UTC(2026, 0, 10, 12);
  fixture.clock.jump(noon - fixture.clock.now());
  for (
    const [text, jump] of [["10th", DAY], ["11th", DAY], ["12th", -2 * DAY], ["10th again", 0]]
  ) {
    await store.inbox.receive(fixture.incoming(`word ${text}`));
    fixture.clock.jump(jump as number);
  }
  assert.deepEqual(await find(store, "word before:2026-01-11"), ["word 10th again", "word 10th"]);
  assert.deepEqual(await find(store, "word before:2026-01-12"), [
    "word 10th again",
    "word 11th",
    "word 10th",
  ]);
  assert.deepEqual(await find(store, "word before:2026-01-10"), []);
});

Deno.test("search shows what was said before and after in the same conversation", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  await store.inbox.receive(fixture.incoming("shall we?"));
  await store.inbox.receive(fixture.incoming("needle for carol", { contact: carol }));
  await store.outbox.enqueue(fixture.outgoing("a needle"));
  await store.inbox.receive(fixture.incoming("thanks"));
  const [hit, other] = await store.search(parseSearch("needle"));
  assert.deepEqual(
    [hit.before?.content, hit.message.content, hit.after?.content],
    ["shall we?", "a needle", "thanks"],
  );
  assert.deepEqual(Object.keys(other), ["message"]);
  assert.equal(other.message.content, "needle for carol");
});

Deno.test("search index catches up when nothing was written for a while", async () => {
  await using fixture = await StoreFixture.make();
  {
    await using store = await fixture.open();
    await store.inbox.receive(fixture.incoming("needle"));
    assert.equal(fixture.clock.waiting, 1);
    await fixture.clock.advance(1_000);
    assert.equal(fixture.clock.waiting, 0);
    await store.inbox.receive(fixture.incoming("another needle"));
  }
  // The second one was not taken in before the end.
  await using store = await fixture.open();
  assert.equal(fixture.clock.waiting, 1);
  assert.deepEqual(await find(store, "needle"), ["another needle", "needle"]);
});

Deno.test("search finds everything once while messages come faster than they are taken in", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  for (let at = 0; at < 26_000; at += 2_000) {
    const batch = Array.from({ length: 2_000 }, (_, add) => fixture.incoming(`n${at + add}`));
    await Promise.all(batch.map((message) => store.inbox.receive(message)));
  }
  for (const at of [0, 1_999, 2_000, 19_999, 20_000, 25_999]) {
    assert.deepEqual(await find(store, `n${at}`), [`n${at}`]);
  }
});

Deno.test("search finds words that touch a picture or sign of any age", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const texts = ["nice🙂", "🤗thanks", "smile🫩face", "good👍", "next🇫🇮day", "ok☺︎", "Gr🙂ße→Öl"];
  for (const text of texts) await store.inbox.receive(fixture.incoming(text));
  for (const word of ["nice", "thanks", "smile", "face", "good", "next", "day", "ok", "oel*"]) {
    assert.equal((await find(store, word)).length, word === "oel*" ? 0 : 1, word);
  }
  assert.deepEqual(await find(store, "öl"), ["Gr🙂ße→Öl"]);
  assert.deepEqual(await find(store, "smile🤗face"), ["smile🫩face"]);
});

Deno.test("search finds parts of texts without spaces between words", async () => {
  await using fixture = await StoreFixture.make();
  await using store = await fixture.open();
  const texts = [
    "日本語のテキスト",
    "今天天气很好",
    "ข้อความภาษาไทย",
    "학교에서 만나요",
    "本日は2026年です",
    "𠮷野家",
  ];
  for (const text of texts) await store.inbox.receive(fixture.incoming(text));
  const expected: [string, number[]][] = [
    ["日本", [0]],
    ["日本*", [0]],
    ["テキスト", [0]],
    ["語のテ", [0]],
    ["本日", [4]],
    ["天气", [1]],
    ["天天*", [1]],
    ["日", [4, 0]],
    ["日*", [4, 0]],
    ["気", []],
    ["ภาษา", [2]],
    ["학교에서", [3]],
    ["학교*", [3]],
    ["2026", [4]],
    ["は2026年", [4]],
    ["野", [5]],
    ["𠮷", [5]],
    ['"语 日"', []],
    ["日本 テキスト", [0]],
  ];
  for (const [query, found] of expected) {
    assert.deepEqual(await find(store, query), found.map((at) => texts[at]), query);
  }
});

Deno.test("search forgets such texts as they were put into the index, also with a NUL in them", async () => {
  for (const count of [1, 300]) {
    await using fixture = await StoreFixture.make();
    await using store = await fixture.open();
    const texts = Array.from({ length: count }, (_, at) => `nice🙂 日本語 ${at}\0ไทย→ende${at}`);
    await Promise.all(texts.map((text) => store.inbox.receive(fixture.incoming(text))));
    await store.inbox.receive(fixture.incoming("日本", { contact: carol }));
    assert.equal(
      (await store.search(parseSearch("ไทย"), { limit: 200 })).length,
      Math.min(count, 200),
    );
    await store.clear(bob);
    assert.deepEqual(await find(store, "日本"), ["日本"]);
    await store[Symbol.asyncDispose]();
    const database = new DatabaseSync(fixture.path);
    database.exec("CREATE VIRTUAL TABLE temp.words USING fts5vocab('main', 'search', 'row')");
    const terms = database.prepare("SELECT term FROM words").all().map(({ term }) => term);
    database.close();
    assert.deepEqual(terms.filter((term) => !/^(f\d+|日|本)$/.test(term as string)), []);
  }
});
