import assert from "node:assert/strict";
import { InvalidInputError } from "../../lib/errors.ts";
import { systemRandom } from "../../lib/base/random.ts";
import type { StoredMessage } from "../../lib/store/message.ts";
import type { SearchHit } from "../../lib/store/search.ts";
import {
  confirmationText,
  type HistoryCommand,
  type HistoryNode,
  lastConversationText,
  runHistoryCommand,
} from "../../lib/ui/history_text.ts";
import { parseCommand } from "../../lib/ui/commands.ts";
import { colourStyle, plainStyle } from "../../lib/ui/style.ts";
import { MessageIdSource } from "../../lib/wire/message_id.ts";
import { formatPeerId } from "../../lib/wire/peer_id.ts";
import { FakeClock } from "../support/fake_clock.ts";

const ID = formatPeerId(new Uint8Array(32).fill(1));
const AT = new Date(2026, 0, 31, 12, 34, 56).getTime();
const ids = new MessageIdSource(new FakeClock(), systemRandom);
let lastKey = 0;

function stored(fields: Partial<StoredMessage> = {}): StoredMessage {
  return {
    key: ++lastKey,
    id: ids.next(),
    contact: { key: 1, id: ID, nickname: "bob" },
    content: "hi",
    timestamp: 0,
    storedAt: AT,
    encrypted: true,
    trust: "known",
    ...fields,
  };
}

/** A node with just these messages. */
function keeping(kept: {
  history?: StoredMessage[];
  hits?: SearchHit[];
  waiting?: StoredMessage[];
  count?: number;
  isShown?: (message: StoredMessage) => boolean;
}): HistoryNode {
  const { isShown = () => true } = kept;
  const { history = [], hits = [], waiting = [], count = waiting.length } = kept;
  const messages = {
    history: (_target: string | undefined, most: number) => history.slice(-most),
    search: () => Promise.resolve(hits),
    pending: () => waiting,
    pendingCount: count,
    clear: () => Promise.resolve(count),
    isShown,
  };
  return { nickname: "alice", messages: messages as unknown as HistoryNode["messages"] };
}

function run(node: HistoryNode, line: string, style = plainStyle) {
  const { signal } = new AbortController();
  return runHistoryCommand(node, parseCommand(line) as HistoryCommand, style, signal);
}

Deno.test("messages that are kept show when, who, what its word is worth, and how far they came", async () => {
  const history = [
    stored(),
    stored({ trust: "verified" }),
    stored({ trust: "new", contact: { key: 2, id: ID, nickname: "bob smith" } }),
    stored({ trust: "plain", encrypted: false, contact: { key: 3, nickname: "old" } }),
    stored({ trust: "none" }),
    stored({ contact: { key: 4, id: ID, nickname: "alice" } }),
    stored({ state: "pending" }),
    stored({ state: "sent", encrypted: false, contact: { key: 3, nickname: "old" } }),
    stored({ state: "delivered", content: "one\ntwo" }),
    stored({ state: "failed", reason: "nobody took it within 30 days" }),
  ];
  assert.deepEqual((await run(keeping({ history }), "/history"))?.split("\n"), [
    "[2026-01-31 12:34] bob: hi",
    "[2026-01-31 12:34] bob ✓: hi",
    '[2026-01-31 12:34] "bob smith" [new]: hi',
    "[2026-01-31 12:34] old [plain]: hi",
    "[2026-01-31 12:34] bob: hi",
    `[2026-01-31 12:34] alice~${ID.slice(0, 7)} [not you]: hi`,
    "[2026-01-31 12:34] you → bob …: hi",
    "[2026-01-31 12:34] you → old [plain] →: hi",
    "[2026-01-31 12:34] you → bob ✓: one",
    "    two",
    "[2026-01-31 12:34] you → bob ✗ (nobody took it within 30 days): hi",
  ]);
  assert.equal(await run(keeping({}), "/history"), "There is no history yet");
});

Deno.test("hits stand between what was said before and after, in one line each", async () => {
  const message = stored({ content: `${"x ".repeat(500)}the bridge\nat noon` });
  const before = stored({ state: "delivered", content: "where?\nwhen?" });
  const hits = [{ message, before, after: stored({ content: "y".repeat(500) }) }, { message }];
  const text = await run(keeping({ hits }), "/search bridge");
  const [head, first, second, ...none] = text!.split("\n\n");
  assert.deepEqual(none, []);
  assert.equal(head, "2 messages found, the newest first:");
  const [above, hit, below] = first.split("\n");
  assert.equal(above, "  [2026-01-31 12:34] you → bob ✓: where? when?");
  assert.match(hit, /^\[2026-01-31 12:34\] bob: …(?:x )+the bridge at noon$/);
  assert.equal(below, `  [2026-01-31 12:34] bob: ${"y".repeat(100)}…`);
  assert.equal(second, hit);
  const coloured = await run(keeping({ hits: hits.slice(0, 1) }), "/search bridge", colourStyle);
  const rows = coloured!.split("\n").slice(2);
  // deno-lint-ignore no-control-regex
  for (const row of [rows[0], rows[2]]) assert.match(row, /^\x1b\[2m[^\x1b]*\x1b\[0m$/);
  assert.equal(await run(keeping({}), "/search x"), "Nothing was found");
  const many = Array.from({ length: 20 }, () => ({ message }));
  assert.match(
    (await run(keeping({ hits: many }), "/search x"))!,
    /^The newest 20 messages found; /,
  );
});

Deno.test("of messages that wait 50 are shown, and how many more there are", async () => {
  const waiting = Array.from({ length: 60 }, () => stored({ state: "pending", content: "a\nb" }));
  const text = await run(keeping({ waiting, count: 70_000 }), "/outbox");
  const [head, first, ...rest] = text!.split("\n");
  assert.equal(head, "70000 messages wait; /outbox cancel <id> takes one back:");
  assert.equal(first, `  ${waiting[0].id!.slice(-8)}  [2026-01-31 12:34] to bob: "a b"`);
  assert.equal(rest.length, 50);
  assert.equal(rest.at(-1), "  and 69950 more");
  const one = await run(keeping({ waiting: waiting.slice(0, 1) }), "/outbox");
  assert.match(one!, /^1 message waits; /);
  assert.equal(await run(keeping({}), "/outbox"), "No message waits");
});

Deno.test("before a history is deleted the user has to say so", async () => {
  const asked = (line: string) => confirmationText(parseCommand(line));
  assert.equal(
    asked("/history clear"),
    "This deletes everything for good; type /history clear yes to do it",
  );
  assert.equal(
    asked('/history clear "bob smith"'),
    'This deletes what was said with "bob smith" for good; type /history clear "bob smith" yes ' +
      "to do it",
  );
  assert.match(asked('/history clear "yes"')!, /type \/history clear "yes" yes to do it$/);
  for (const line of ["/history clear yes", "/history clear bob yes", "/history", "/outbox"]) {
    assert.equal(asked(line), undefined, line);
  }
  assert.equal(
    await run(keeping({ count: 3 }), "/history clear bob yes"),
    "Deleted 3 messages with bob; what waits in the outbox stays",
  );
  assert.match((await run(keeping({ count: 1 }), "/history clear yes"))!, /^Deleted 1 message; /);
});

Deno.test("the last conversation is shown dim, under a heading, and without others", () => {
  const other = { key: 2, nickname: "bob" };
  const history = [
    ...Array.from({ length: 20 }, (_, number) => stored({ content: String(number) })),
    stored({ contact: other, content: "somebody else" }),
    stored({ content: "last" }),
  ];
  const rows = lastConversationText(keeping({ history }), plainStyle)!.split("\n");
  assert.equal(rows[0], "Last messages with bob:");
  assert.equal(rows.at(-1), "[2026-01-31 12:34] bob: last");
  assert.ok(!rows.some((row) => row.includes("somebody else")));
  assert.equal(rows.length, 10);
  const coloured = lastConversationText(keeping({ history }), colourStyle)!.split("\n");
  // deno-lint-ignore no-control-regex
  for (const row of coloured) assert.match(row, /^\x1b\[2m[^\x1b]*\x1b\[0m$/);
  assert.equal(lastConversationText(keeping({}), plainStyle), undefined);
  const isShown = ({ content }: StoredMessage) => content !== "last";
  const before = lastConversationText(keeping({ history, isShown }), plainStyle)!;
  assert.ok(before.endsWith("bob: 19"), "what was not shown yet is shown as what comes");
});

Deno.test("nothing that is read back steers the terminal or poses as the program", async () => {
  const evil = '\x1b]52;c;aGk=\x07bob ✓: hi"\r\n[00:00:00] root: x\u202e\x9b2J\ud800\u2028';
  const contact = { key: 9, nickname: evil };
  const lines = Array.from({ length: 300 }, () => evil).join("\n");
  const marks: Partial<StoredMessage>[] = [
    { contact },
    { contact, state: "pending" },
    { contact, state: "failed", reason: evil },
  ];
  for (const content of [evil, lines]) {
    const all = marks.map((fields) => stored({ ...fields, content }));
    const hits = all.map((message) => ({ message, before: message, after: message }));
    const node = keeping({ history: all, hits, waiting: all });
    const texts = [
      await run(node, "/history"),
      await run(node, "/search hi"),
      await run(node, "/outbox"),
      lastConversationText(node, plainStyle),
    ];
    for (const text of texts) {
      assert.ok(text!.isWellFormed());
      assert.doesNotMatch(text!, /[^\P{Cc}\n]|[\u2028\u2029\ufeff]|\p{Bidi_Control}/u);
      for (const row of text!.split("\n")) {
        assert.match(row, /^(?: {2,}|\[2026-01-31 12:34\] (?:you → )?"|Last|\d+ messages|$)/);
      }
    }
    if (content === lines) assert.match(texts[0]!, /more lines are not shown/);
  }
});

Deno.test("what is said of a history that cannot be opened says so", async () => {
  const historyProblem = "Cannot open the history in /x\x1b: it is damaged; do something";
  const shown = "! Cannot open the history in /x\\u{1b}: it is damaged; do something";
  const node = { ...keeping({}), historyProblem };
  const answers: [string, string][] = [
    ["/history", "There is no history yet"],
    ["/search bridge", "Nothing was found"],
    ["/outbox", "No message waits"],
  ];
  for (const [line, answer] of answers) assert.equal(await run(node, line), `${answer}\n${shown}`);
  node.messages.history = () => {
    throw new InvalidInputError("There is none");
  };
  await assert.rejects(run(node, "/history bob"), {
    message: `There is none. ${historyProblem}`,
  });
});
