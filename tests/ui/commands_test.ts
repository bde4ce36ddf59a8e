import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Command,
  COMMAND_NAMES,
  HELP,
  parseCommand,
  quoteTarget,
} from "../../lib/ui/commands.ts";
import { isNickname } from "../../lib/wire/nickname.ts";
import { unicode } from "../wire/arbitraries.ts";

const send = (to: string, content: string): Command => ({ kind: "send", to, content });

const UNDERSTOOD: [line: string, command: Command][] = [
  ["", { kind: "nothing" }],
  [" \t ", { kind: "nothing" }],
  ["/peers", { kind: "peers" }],
  ["  /peers  ", { kind: "peers" }],
  ["/peers now", { kind: "peers" }],
  ["/quit", { kind: "quit" }],
  ["/exit", { kind: "quit" }],
  ["/q", { kind: "quit" }],
  ["/help", { kind: "help" }],
  ["/h", { kind: "help" }],
  ["/send bob hi", send("bob", "hi")],
  ["/send bob hi there, /quit", send("bob", "hi there, /quit")],
  ["/send  bob \t hi  there ", send("bob", "hi  there")],
  ["/send bob~aaaa hi", send("bob~aaaa", "hi")],
  ["/send bob \u001b[2J", send("bob", "\u001b[2J")],
  ['/send "bob smith" hi', send("bob smith", "hi")],
  ['/send "bob" "hi"', send("bob", '"hi"')],
  ['/send "a \\"b\\" \\\\c" hi', send('a "b" \\c', "hi")],
  ['/send a"b hi', send('a"b', "hi")],
  ["/send a\\b hi", send("a\\b", "hi")],
  ["/history", { kind: "history", count: 20 }],
  ["/history 5", { kind: "history", count: 5 }],
  ["/history bob", { kind: "history", peer: "bob", count: 20 }],
  ["/history bob 1000", { kind: "history", peer: "bob", count: 1000 }],
  ['/history "bob smith" 3', { kind: "history", peer: "bob smith", count: 3 }],
  ['/history "7"', { kind: "history", peer: "7", count: 20 }],
  ["/history 7 8", { kind: "history", peer: "7", count: 8 }],
  ['/history "clear"', { kind: "history", peer: "clear", count: 20 }],
  ['/history "clear" 3', { kind: "history", peer: "clear", count: 3 }],
  ["/history clear", { kind: "clear_history", confirmed: false }],
  ["/history clear yes", { kind: "clear_history", confirmed: true }],
  ["/history clear bob", { kind: "clear_history", peer: "bob", confirmed: false }],
  ["/history clear bob yes", { kind: "clear_history", peer: "bob", confirmed: true }],
  ["/history clear clear yes", { kind: "clear_history", peer: "clear", confirmed: true }],
  ['/history clear "clear"', { kind: "clear_history", peer: "clear", confirmed: false }],
  ['/history clear "yes"', { kind: "clear_history", peer: "yes", confirmed: false }],
  ['/history clear "yes" yes', { kind: "clear_history", peer: "yes", confirmed: true }],
  ["/search half past", { kind: "search", query: "half past" }],
  ['/search "at 8" from:bob', { kind: "search", query: '"at 8" from:bob' }],
  ["/outbox", { kind: "outbox" }],
  ["/outbox cancel b418d188", { kind: "cancel", messageId: "b418d188" }],
  ["/whoami", { kind: "whoami" }],
  ["/verify bob", { kind: "verify", peer: "bob", confirmed: false }],
  ["/verify bob ok", { kind: "verify", peer: "bob", confirmed: true }],
  ["/verify bob OK", { kind: "verify", peer: "bob", confirmed: true }],
  ['/verify "bob smith"  ok ', { kind: "verify", peer: "bob smith", confirmed: true }],
  ["/trust bob~ABCD", { kind: "trust", peer: "bob~ABCD" }],
  ['/forget "bob smith"', { kind: "forget", peer: "bob smith" }],
  ["/block bob", { kind: "block", peer: "bob" }],
  ["/unblock  bob ", { kind: "unblock", peer: "bob" }],
  ["/send жора привет", send("жора", "привет")],
  ["/send 😀 😀", send("😀", "😀")],
];

Deno.test("commands are understood as PROTOCOL 4 has them", () => {
  for (const [line, command] of UNDERSTOOD) assert.deepEqual(parseCommand(line), command, line);
});

const MISTAKES: [line: string, message: RegExp][] = [
  ["hello", /^Commands must start with \//],
  ["peers", /^Commands must start with \//],
  ["\\send bob hi", /^Commands must start with \//],
  ["/", /^Unknown command \/; .*\/help/],
  ["/verify", /^Usage: \/verify <nickname> \[ok\]$/],
  ["/verify bob yes", /^Usage: \/verify <nickname> \[ok\]$/],
  ["/verify bob ok now", /^Usage: \/verify <nickname> \[ok\]$/],
  ["/verify bob smith", /^Usage: \/verify <nickname> \[ok\]$/],
  ["/trust", /^Usage: \/trust <nickname>$/],
  ["/trust bob smith", /^Usage: \/trust <nickname>$/],
  ["/forget", /^Usage: \/forget <nickname>$/],
  ["/block", /^Usage: \/block <nickname>$/],
  ["/unblock bob now", /^Usage: \/unblock <nickname>$/],
  ["/history bob 0", /^Usage: \/history \[nickname\] \[count\], with a count of 1 to 1000, or /],
  ["/history 0", /^Usage: \/history/],
  ["/history bob 1001", /^Usage: \/history/],
  ["/history bob smith", /^Usage: \/history/],
  ["/history clear bob smith", /^Usage: \/history clear \[nickname\] \[yes\]/],
  ["/history clear bob yes!", /^Usage: \/history clear/],
  ["/search", /^Usage: \/search <words>/],
  ["/outbox b418d188", /^Usage: \/outbox, or \/outbox cancel <id>$/],
  ["/outbox cancel", /^Usage: \/outbox/],
  ["/outbox cancel a b", /^Usage: \/outbox/],
  ["/vreify bob", /^Unknown command \/vreify; did you mean \/verify\? \/help/],
  ["/frobnicate", /^Unknown command \/frobnicate; \/help lists the commands$/],
  ["/sned bob hi", /^Unknown command \/sned; did you mean \/send\? \/help/],
  ["/PEERS", /^Unknown command \/PEERS; did you mean \/peers\? \/help/],
  ["/toString", /^Unknown command \/toString; \/help/],
  ["/__proto__", /^Unknown command \/__proto__; \/help/],
  [`/${"x".repeat(100)}`, /^Unknown command \/x{39}…; \/help/],
  ["/send", /^Usage: \/send <nickname> <message>$/],
  ["/send bob", /^Usage: \/send <nickname> <message>$/],
  ["/send bob   ", /^Usage: \/send <nickname> <message>$/],
  ['/send "bob"', /^Usage: \/send <nickname> <message>$/],
  ['/send "bob smith"', /^Usage: \/send <nickname> <message>$/],
];

Deno.test("what is no command is answered with what to do", () => {
  for (const [line, message] of MISTAKES) {
    const command = parseCommand(line);
    assert.equal(command.kind, "mistake", line);
    if (command.kind === "mistake") assert.match(command.message, message);
  }
});

Deno.test("the help names every command", () => {
  for (const name of [...COMMAND_NAMES, "/h", "/exit", "/q"]) {
    assert.match(HELP, new RegExp(`(^|\\s)${name}([\\s,]|$)`), name);
  }
});

Deno.test("no line makes the parser throw or take long", () => {
  const parts = fc.constantFrom(
    "/",
    "send",
    '"',
    "\\",
    " ",
    "\n",
    "\t",
    "\u2028",
    "bob",
    "\0",
    "é",
  );
  const lines = fc.oneof(
    unicode(40),
    fc.array(parts, { maxLength: 30 }).map((some) => some.join("")),
    fc.array(parts, { maxLength: 30 }).map((some) => `/send ${some.join("")}`),
    fc.array(parts, { maxLength: 30 }).map((some) => `/history ${some.join("")}`),
    fc.array(parts, { maxLength: 30 }).map((some) => `/outbox ${some.join("")}`),
  );
  fc.assert(
    fc.property(lines, (line) => {
      const command = parseCommand(line);
      if (command.kind === "send") assert.ok(command.to !== "" && command.content !== "");
    }),
    { numRuns: 1000 },
  );
  for (const long of ['"', "\\", '" ', "a ", '\\"', "/"]) {
    const started = performance.now();
    parseCommand(`/send "${long.repeat(500_000 / long.length)}`);
    parseCommand(`/send "x"${long.repeat(500_000 / long.length)}`);
    assert.ok(performance.now() - started < 5000, `half a megabyte of ${long}`);
  }
});

Deno.test("every nickname and label can be typed as it is quoted", () => {
  const nickname = fc.oneof(
    unicode(20),
    fc.array(fc.constantFrom('"', "\\", " ", "a", "~", "\u3000", "\u00a0"), { maxLength: 10 })
      .map((some) => some.join("")),
  ).filter(isNickname);
  const content = unicode(20).map((text) => text.trim()).filter((text) => text !== "");
  fc.assert(
    fc.property(nickname, content, (to, text) => {
      for (const target of [to, `${to}~aaaa`]) {
        assert.deepEqual(parseCommand(`/send ${quoteTarget(target)} ${text}`), send(target, text));
        assert.deepEqual(parseCommand(`/history clear ${quoteTarget(target)} yes`), {
          kind: "clear_history",
          peer: target,
          confirmed: true,
        });
      }
    }),
    { numRuns: 1000 },
  );
});
