import assert from "node:assert/strict";
import { Screen } from "./screen.ts";

function shown(text: string, columns = 20): string[] {
  const screen = new Screen(columns);
  // One unit at a time: parts may end anywhere.
  for (const character of text) screen.write(character);
  return screen.rows;
}

Deno.test("the screen shows lines, and overwrites what a carriage return goes back to", () => {
  assert.deepEqual(shown("one\r\ntwo\r\n"), ["one", "two"]);
  assert.deepEqual(shown("three\rTH"), ["THree"]);
  assert.deepEqual(shown("abc\bX"), ["abX"]);
});

Deno.test("the screen wraps at its width", () => {
  assert.deepEqual(shown("abcdef", 4), ["abcd", "ef"]);
});

Deno.test("the screen erases and moves as a line editor asks", () => {
  assert.deepEqual(shown("prompt\r\x1b[2Knew"), ["new"]);
  assert.deepEqual(shown("a\r\nb\r\nc\x1b[2A\x1b[0J"), ["a"]);
  assert.deepEqual(shown("abcdef\x1b[3D\x1b[K"), ["abc"]);
  assert.deepEqual(shown("abc\x1b[1GX\x1b[2CY"), ["XbcY"]);
  assert.deepEqual(shown("\x1b[1;31mred\x1b[0m"), ["red"]);
});

Deno.test("the screen refuses what it does not understand", () => {
  assert.throws(() => shown("\x1b]52;c;aGk=\x07"));
  assert.throws(() => shown("\x1b[2J"));
  assert.throws(() => shown("\u009b2J"));
});
