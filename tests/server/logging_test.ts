import assert from "node:assert/strict";
import { openLog } from "../../lib/logging.ts";

Deno.test("log writes one line per entry, from its level up, and escapes what came from outside", async () => {
  const lines: string[] = [];
  const log = await openLog({ level: "warning", write: (line) => void lines.push(line) });
  log.debug("too little");
  log.info("too little");
  log.warn("peer {braces} \x1b[2J\r\nsecond\u202e\x9b \ud800 {text}");
  log.error("grave");
  assert.equal(lines.length, 2);
  assert.match(lines[0], /^\d{4}-\d\d-\d\dT[\d:.]+Z warning peer \{braces\} /);
  assert.ok(
    lines[0].endsWith("\\u{1b}[2J\\u{d}\\u{a}second\\u{202e}\\u{9b} \\u{d800} {text}\n"),
    lines[0],
  );
  assert.match(lines[1], /Z error grave\n$/);
});

Deno.test("later log takes the place of the earlier one", async () => {
  const first: string[] = [];
  const second: string[] = [];
  await openLog({ level: "debug", write: (line) => void first.push(line) });
  const log = await openLog({ level: "debug", write: (line) => void second.push(line) });
  log.debug("here");
  assert.equal(first.length, 0);
  assert.match(second.join(""), /^\S+ debug here\n$/);
});
