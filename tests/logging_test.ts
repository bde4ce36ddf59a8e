import assert from "node:assert/strict";
import type { Log } from "../lib/base/log.ts";
import { lazyLog, LOG_LEVELS, type LogLevel, openLog } from "../lib/logging.ts";
import { settle } from "./support/fake_clock.ts";

const METHODS = { error: "error", warning: "warn", info: "info", debug: "debug" } as const;

function writeAll(log: Log): void {
  for (const level of LOG_LEVELS) log[METHODS[level]](`an entry of ${level}`);
}

/** The levels that were written. */
const levelsOf = (lines: readonly string[]) => lines.map((line) => line.split(" ")[1]);

Deno.test("each level shows itself and what is graver", async () => {
  const shown: Record<LogLevel, LogLevel[]> = {
    debug: ["debug", "info", "warning", "error"],
    info: ["info", "warning", "error"],
    warning: ["warning", "error"],
    error: ["error"],
  };
  for (const level of LOG_LEVELS) {
    for (const open of [openLog, lazyLog]) {
      const lines: string[] = [];
      writeAll(await open({ level, write: (line) => lines.push(line) }));
      await settleUntil(() => lines.length >= shown[level].length);
      assert.deepEqual(levelsOf(lines), shown[level], `${open.name} at ${level}`);
    }
  }
});

Deno.test("an entry is one line with time and level, whatever is in it", async () => {
  const lines: string[] = [];
  const log = await openLog({ level: "debug", write: (line) => lines.push(line) });
  const texts: [text: string, shown: string][] = [
    ["plain", "plain"],
    ["a\nb\r\nc", "a\\u{a}b\\u{d}\\u{a}c"],
    ["\x1b]52;c;aGk=\x07\x1b[2J", "\\u{1b}]52;c;aGk=\\u{7}\\u{1b}[2J"],
    ["\u202e\x9b\u2028", "\\u{202e}\\u{9b}\\u{2028}"],
    ["{text} {0} {{}} {", "{text} {0} {{}} {"],
    ["\ud800", "\\u{d800}"],
    ["", ""],
  ];
  for (const [text] of texts) log.warn(text);
  for (const [index, [text, shown]] of texts.entries()) {
    assert.match(lines[index], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning /, text);
    assert.equal(lines[index].replace(/^\S+ warning /, ""), `${shown}\n`);
  }
  assert.equal(lines.length, texts.length);
});

Deno.test("entries from before the log is open come first and in order", async () => {
  const lines: string[] = [];
  const log = lazyLog({ level: "info", write: (line) => lines.push(line) });
  for (let at = 0; at < 50; at++) log[at % 2 === 0 ? "info" : "error"](`entry ${at}`);
  assert.equal(lines.length, 0);
  await settleUntil(() => lines.length >= 50);
  log.warn("entry 50");
  await settleUntil(() => lines.length >= 51);
  assert.deepEqual(
    lines.map((line) => line.trimEnd().replace(/^\S+ \S+ /, "")),
    Array.from({ length: 51 }, (_, at) => `entry ${at}`),
  );
});

Deno.test("the last log that was opened is the one that is written", async () => {
  const first: string[] = [];
  const second: string[] = [];
  await openLog({ level: "info", write: (line) => first.push(line) });
  const log = await openLog({ level: "info", write: (line) => second.push(line) });
  log.info("hello");
  assert.deepEqual([first.length, second.length], [0, 1]);
});

/** Waits until the library is loaded and what was kept until then is written. */
async function settleUntil(condition: () => boolean): Promise<void> {
  await import("@logtape/logtape");
  for (let turn = 0; turn < 5000 && !condition(); turn++) await settle(1);
  await settle();
}
