import assert from "node:assert/strict";
import { type Log, silentLog } from "../../lib/base/log.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import { FakeClock } from "../support/fake_clock.ts";

function setUp() {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log: Log = { ...silentLog, warn: (line) => void lines.push(line) };
  return { clock, lines, refusals: new Refusals(clock, log) };
}

Deno.test("a refusal is logged at most once per second and cause, and always counted", async () => {
  const { clock, lines, refusals } = setUp();
  for (let at = 0; at < 10_000; at++) refusals.add("line is not UTF-8", () => `peer ${at}`);
  assert.deepEqual(lines, ["Refused: line is not UTF-8: peer 0"]);
  await clock.advance(999);
  refusals.add("line is not UTF-8");
  assert.equal(lines.length, 1);
  await clock.advance(1);
  refusals.add("line is not UTF-8", () => "the last peer");
  assert.deepEqual(lines.slice(1), ["Refused: line is not UTF-8 (10001 times): the last peer"]);
  assert.equal(refusals.count("line is not UTF-8"), 10_002);
});

Deno.test("a flood of ten seconds makes ten lines, whatever the wall clock does", async () => {
  const { clock, lines, refusals } = setUp();
  for (let ms = 0; ms < 10_000; ms += 50) {
    refusals.add("flood");
    clock.jump(5000);
    await clock.advance(50);
  }
  assert.equal(lines.length, 10);
  assert.equal(lines[9], "Refused: flood (20 times)");
});

Deno.test("one cause does not keep another from the log", () => {
  const { lines, refusals } = setUp();
  for (const cause of ["a", "b", "a", "b", "c"]) refusals.add(cause);
  assert.deepEqual(lines, ["Refused: a", "Refused: b", "Refused: c"]);
  assert.deepEqual(refusals.totals(), { a: 2, b: 2, c: 1 });
});

Deno.test("details are made only for lines that are logged", () => {
  const { refusals } = setUp();
  let made = 0;
  for (let at = 0; at < 100; at++) refusals.add("cause", () => String(made++));
  assert.equal(made, 1);
});

Deno.test("causes without number are counted together and take no memory without number", () => {
  const { lines, refusals } = setUp();
  for (let at = 0; at < 10_000; at++) refusals.add(`cause ${at}`);
  const totals = refusals.totals();
  assert.equal(Object.keys(totals).length, 257);
  assert.equal(totals["other causes"], 10_000 - 256);
  assert.equal(Object.values(totals).reduce((sum, count) => sum + count), 10_000);
  assert.equal(lines.length, 257);
  refusals.add("cause 7");
  assert.equal(refusals.count("cause 7"), 2, "a known cause is still counted apart");
  assert.equal(refusals.count("cause 9999"), 0);
});

Deno.test("what is refused silently is counted, and no line is owed for it", () => {
  const { lines, refusals } = setUp();
  for (let at = 0; at < 3; at++) refusals.addSilently("blocked");
  assert.deepEqual(lines, []);
  assert.equal(refusals.count("blocked"), 3);
  refusals.add("blocked");
  assert.deepEqual(lines, ["Refused: blocked"]);
});
