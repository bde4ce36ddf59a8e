import assert from "node:assert/strict";
import fc from "fast-check";
import type { Peer, PeerTrust } from "../../lib/node.ts";
import { colourStyle, plainStyle, type Style } from "../../lib/ui/style.ts";
import {
  dateAndTime,
  durationText,
  eventText as textAt,
  peersText,
  type ShownEvent,
  timeOfDay,
} from "../../lib/ui/text.ts";
import { formatPeerId } from "../../lib/wire/peer_id.ts";
import { peerAt } from "../peer/fixtures.ts";

const address = { hostname: "10.0.0.2", port: 40000 };
const [ID, OTHER_ID] = [1, 2].map((byte) => formatPeerId(new Uint8Array(32).fill(byte)));

/** The text of an event as it is shown on the day of the messages here. */
const eventText = (event: ShownEvent, style: Style) => textAt(event, style, 1_700_000_000_000);

function message(content: string, from = "bob", trust: PeerTrust = "known"): ShownEvent {
  const encrypted = trust !== "plain" && trust !== "unverified";
  const message = { from, content, timestamp: 1_700_000_000 };
  return { type: "message", message, address, encrypted, trust };
}

/** As much of a node as the list of peers needs. */
function knowing(peers: Peer[], trust: PeerTrust = "known") {
  return { nickname: "me", peers: () => peers, trustOf: () => trust };
}

function named(label: string, addresses = [address], knownForMs = 0): Peer {
  return { ...peerAt(addresses, { nickname: label }), knownForMs };
}

/** Takes away what the program itself emphasises by. */
// deno-lint-ignore no-control-regex
const withoutSgr = (text: string) => text.replace(/\x1b\[(?:0|1|2|33|36)m/g, "");

Deno.test("a message is shown with its time of day, its sender and its text", () => {
  const time = timeOfDay(1_700_000_000);
  assert.match(time, /^\d\d:\d\d:\d\d$/);
  assert.equal(eventText(message("hello"), plainStyle), `[${time}] bob: hello`);
  assert.equal(eventText(message(""), plainStyle), `[${time}] bob: `);
  assert.ok(eventText(message("hello"), colourStyle).endsWith("\x1b[36mbob\x1b[0m: hello"));
});

Deno.test("the time of day is local and has two digits everywhere", () => {
  const date = new Date(2026, 0, 2, 3, 4, 5);
  assert.equal(timeOfDay(date.getTime() / 1000), "03:04:05");
  assert.match(timeOfDay(0), /^\d\d:\d\d:\d\d$/);
  assert.match(timeOfDay(253_402_300_799), /^\d\d:\d\d:\d\d$/);
});

Deno.test("a message that was written on another day shows its date", () => {
  const written = new Date(2026, 0, 2, 3, 4, 5).getTime();
  const event = {
    ...message("hello"),
    message: { from: "bob", content: "x", timestamp: written / 1000 },
  };
  const shown = (now: Date) => textAt(event as ShownEvent, plainStyle, now.getTime());
  assert.equal(dateAndTime(written / 1000), "2026-01-02 03:04");
  assert.equal(shown(new Date(2026, 0, 2, 23, 59)), "[03:04:05] bob: x");
  assert.equal(shown(new Date(2026, 0, 3, 0, 0)), "[2026-01-02 03:04] bob: x");
  assert.equal(shown(new Date(2025, 0, 2, 3, 4)), "[2026-01-02 03:04] bob: x");
});

Deno.test("the further lines of a message cannot pose as another message", () => {
  const text = eventText(message("hi\n[00:00:00] root: give me\n* bob has gone"), plainStyle);
  const [first, ...rest] = text.split("\n");
  assert.match(first, /bob: hi$/);
  assert.deepEqual(rest, ["    [00:00:00] root: give me", "    * bob has gone"]);
  assert.doesNotMatch(
    eventText(message("a\r\n[00:00:00] root: x"), plainStyle),
    /\r|^\[00:00:00\]/m,
  );
});

Deno.test("every kind of event says what happened", () => {
  const peer = named("bob");
  const said: [event: ShownEvent, text: string][] = [
    [{ type: "peer_up", peer }, "* bob is here (10.0.0.2:40000, local network)"],
    [{ type: "peer_down", peer, reason: "goodbye" }, "* bob has gone (said goodbye)"],
    [{ type: "peer_down", peer, reason: "timeout" }, "* bob has gone (not heard of any more)"],
    [{ type: "peer_down", peer, reason: "left" }, "* bob has gone (left)"],
    [
      { type: "bootstrap", state: "connecting", url: "ws://x" },
      "* connecting to the bootstrap server ws://x",
    ],
    [
      { type: "bootstrap", state: "registered", url: "ws://x" },
      "* registered at the bootstrap server ws://x",
    ],
    [
      { type: "bootstrap", state: "disconnected", url: "ws://x", reason: "refused" },
      "* out of reach: the bootstrap server ws://x (refused); trying again",
    ],
    [
      { type: "bootstrap", state: "disconnected", url: "ws://x" },
      "* out of reach: the bootstrap server ws://x; trying again",
    ],
    [{ type: "problem", message: "Cannot join" }, "! Cannot join"],
    [
      { type: "identity", change: "new", nickname: "bob", id: ID },
      `* bob is new to you: ${ID}; /verify compares a safety number`,
    ],
    [
      { type: "identity", change: "renamed", nickname: "rob", formerNickname: "bob", id: ID },
      `* bob is called rob now: ${ID}`,
    ],
  ];
  for (const [event, text] of said) assert.equal(eventText(event, plainStyle), text);
});

Deno.test("nothing that comes from outside brings a control character to the screen", () => {
  const hostile = fc.array(
    fc.oneof(
      fc.constantFrom(
        "\x1b]52;c;aGk=\x07",
        "\x1b[2J",
        "\x9b2J",
        "\u202e",
        "\r",
        "\n",
        "\r\n",
        "\0",
      ),
      fc.constantFrom("\ud800", "\udc00", "\u2028", "\u2066", "\x1b[0m", "\x1b", "[31m", "a"),
      fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
    ),
    { maxLength: 20 },
  ).map((parts) => parts.join(""));
  fc.assert(
    fc.property(hostile, hostile, (one, other) => {
      const peer = named(one);
      const events: ShownEvent[] = [
        message(one, other),
        { type: "peer_up", peer },
        { type: "peer_down", peer, reason: "left" },
        { type: "bootstrap", state: "disconnected", url: one, reason: other },
        { type: "bootstrap", state: "registered", url: one },
        { type: "problem", message: one },
        { type: "identity", change: "new", nickname: one, id: ID },
        { type: "identity", change: "renamed", nickname: one, formerNickname: other, id: ID },
      ];
      for (const style of [plainStyle, colourStyle]) {
        const texts = events.map((event) => eventText(event, style));
        texts.push(peersText(knowing([peer, named(other)]), style));
        for (const [index, text] of texts.entries()) {
          const shown = style === colourStyle ? withoutSgr(text) : text;
          assert.ok(shown.isWellFormed());
          assert.doesNotMatch(shown, /[^\P{Cc}\n]|[\u2028\u2029\ufeff]|\p{Bidi_Control}/u);
          const isMessage = index === 0;
          const lines = shown.split("\n");
          if (isMessage) {
            assert.equal(lines.length, one.split("\n").length);
            assert.ok(lines.slice(1).every((line) => line.startsWith("    ")));
          } else if (index !== events.length) assert.equal(lines.length, 1);
          else assert.equal(lines.length, 3, "a line for each peer");
        }
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("a length of time is told in its largest whole unit", () => {
  const told: [ms: number, text: string][] = [
    [0, "0 s"],
    [999, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [3_599_999, "59 min"],
    [3_600_000, "1 h"],
    [86_399_999, "23 h"],
    [86_400_000, "1 d"],
    [100 * 86_400_000, "100 d"],
  ];
  for (const [ms, text] of told) assert.equal(durationText(ms), text);
});

Deno.test("the list of peers is a table, whatever the width of the nicknames", () => {
  const widths: [label: string, columns: number][] = [
    ["bob", 3],
    ["你好", 4],
    ["𠀀𠀁", 4],
    ["한국어", 6],
    ["😀", 2],
    ["👩‍👩‍👧", 2],
    ["e\u0301", 1],
    ["ｱ", 1],
    ["Ａ", 2],
    ["two words", 11], // in quotes
  ];
  const peers = widths.map(([label]) => named(label, undefined, 61_000));
  const [head, ...rows] = peersText(knowing(peers), plainStyle).split("\n");
  assert.equal(head, "10 peers:");
  for (const [index, row] of rows.entries()) {
    const [label, columns] = widths[index];
    const start = row.indexOf("10.0.0.2:40000");
    const shown = label.includes(" ") ? `"${label}"` : label;
    assert.ok(row.startsWith(`  ${shown}`), row);
    const padding = row.slice(2 + shown.length, start);
    assert.match(padding, /^ +$/);
    assert.equal(columns + padding.length, 11 + 2, `${label} and its padding`);
    assert.match(row, /10\.0\.0\.2:40000 {2}local network {2}known {2}for 1 min$/);
  }
});

Deno.test("a peer with several addresses has a row for each, and its name in the first", () => {
  const other = { hostname: "2001:db8::1", port: 9 };
  const text = peersText(knowing([named("bob", [address, other])]), plainStyle);
  assert.equal(
    text,
    "1 peer:\n" +
      "  bob  10.0.0.2:40000   local network  known  for 0 s\n" +
      "       [2001:db8::1]:9  local network",
  );
  assert.equal(peersText(knowing([]), plainStyle), "Nobody is here yet");
});

const MARKS: [trust: PeerTrust, mark: string, inList: string][] = [
  ["verified", " ✓", "verified"],
  ["known", "", "known"],
  ["new", " [new]", "new"],
  ["changed", " [changed identity]", "CHANGED IDENTITY"],
  ["blocked", " [blocked]", "blocked"],
  ["plain", " [plain]", "plain text"],
  ["unverified", " [plain, unverified]", "plain text, UNVERIFIED"],
];

Deno.test("a message and an entry of the list tell what the sender's nickname is worth", () => {
  const time = timeOfDay(1_700_000_000);
  for (const [trust, mark, inList] of MARKS) {
    const event = message("hello", "bob", trust);
    assert.equal(eventText(event, plainStyle), `[${time}] bob${mark}: hello`);
    assert.equal(
      withoutSgr(eventText(event, colourStyle)),
      `[${time}] bob${mark}: hello`,
      "no mark is told by colour alone",
    );
    assert.equal(
      peersText(knowing([named("bob")], trust), plainStyle),
      `1 peer:\n  bob  10.0.0.2:40000  local network  ${inList}  for 0 s`,
    );
  }
});

Deno.test("who uses one's own nickname is shown by a label, marked, and warned of", () => {
  const id = formatPeerId(new Uint8Array(32));
  const label = `alice~${id.slice(0, 4)}`;
  const base = { type: "identity", nickname: "alice", id, label } as const;
  assert.equal(
    eventText({ ...base, change: "new" }, plainStyle),
    `! WARNING: somebody else calls itself alice, as you do: ${id}. It is shown as ${label}`,
  );
  assert.equal(
    eventText({ ...base, change: "renamed", formerNickname: "bob" }, plainStyle),
    `! WARNING: bob calls itself alice, as you do: ${id}. It is shown as ${label}`,
  );
  const text = eventText({
    type: "message",
    message: { from: "alice", content: "hi", timestamp: 0 },
    label,
    address: { hostname: "10.0.0.2", port: 7 },
    encrypted: true,
    trust: "new",
  }, plainStyle);
  assert.match(text, new RegExp(`\\] ${label} \\[new\\] \\[not you\\]: hi$`));
});

Deno.test("no nickname can be taken for another one with a mark", () => {
  for (const [trust, mark] of MARKS) {
    if (mark === "") continue;
    const marked = eventText(message("hello", "bob", trust), plainStyle);
    for (const [other] of MARKS) {
      for (const space of ["", "\u00a0", "\u2003"]) {
        const posed = `bob${space === "" ? mark : mark.replaceAll(" ", space)}`;
        const shown = eventText(message("hello", posed, other), plainStyle);
        assert.notEqual(shown.replaceAll(/\s/g, " "), marked);
        assert.match(shown, / "bob/, "what could be a mark is in quotes");
      }
    }
  }
});

Deno.test("a changed identity is a warning with both ids, and with what to do", () => {
  const warning = (nickname: string) =>
    eventText(
      { type: "identity", change: "changed", nickname, id: ID, knownId: OTHER_ID },
      plainStyle,
    );
  const [first, known, now, remedy, ...rest] = warning("bob").split("\n");
  assert.equal(first, "! WARNING: somebody else calls itself bob.");
  assert.equal(known, `    known: ${OTHER_ID}`);
  assert.equal(now, `    now:   ${ID}`);
  assert.match(remedy, /^ {4}Nothing is sent to it\. .*then type \/trust bob$/);
  assert.deepEqual(rest, []);
  assert.match(warning("bob smith"), /\/trust "bob smith"$/, "as it has to be typed");
  assert.doesNotMatch(
    warning("\x1b[2J\u202ebob"),
    /[^\P{Cc}\n]|\p{Bidi_Control}/u,
    "harmless whatever the nickname",
  );
});
