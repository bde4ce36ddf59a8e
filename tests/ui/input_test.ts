import assert from "node:assert/strict";
import fc from "fast-check";
import { type InputLine, inputLines } from "../../lib/ui/input.ts";
import { unicode } from "../wire/arbitraries.ts";

const encoder = new TextEncoder();

/** Reads that bring the given chunks, then the end. */
function reads(chunks: readonly (Uint8Array | string | Error)[]) {
  const left = chunks.map((chunk) => typeof chunk === "string" ? encoder.encode(chunk) : chunk);
  return (buffer: Uint8Array): Promise<number | null> => {
    const chunk = left[0];
    if (chunk === undefined) return Promise.resolve(null);
    if (chunk instanceof Error) return Promise.reject(chunk);
    const count = Math.min(buffer.length, chunk.length);
    buffer.set(chunk.subarray(0, count));
    if (count === chunk.length) left.shift();
    else left[0] = chunk.subarray(count);
    return Promise.resolve(count);
  };
}

async function all(chunks: readonly (Uint8Array | string | Error)[]): Promise<InputLine[][]> {
  const batches: InputLine[][] = [];
  for await (const lines of inputLines(reads(chunks))) batches.push(lines);
  return batches;
}

Deno.test("lines that one read brings come together, the last one also without a newline", async () => {
  assert.deepEqual(await all(["a\nb\nc", "d\n", "\n", "e"]), [
    [{ line: "a" }, { line: "b" }],
    [{ line: "cd" }],
    [{ line: "" }],
    [{ line: "e" }],
  ]);
  assert.deepEqual(await all([]), []);
  assert.deepEqual(await all(["a\n"]), [[{ line: "a" }]]);
});

Deno.test("the lines are the same wherever reads split the input", async () => {
  const text = fc.array(unicode(20).map((part) => part.replaceAll("\n", "")), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.integer({ min: 1, max: 9 })), async (lines, sizes) => {
      const bytes = encoder.encode(lines.map((line) => `${line}\n`).join(""));
      const chunks: Uint8Array[] = [];
      let at = 0;
      for (const size of [...sizes, bytes.length]) {
        if (at < bytes.length) chunks.push(bytes.subarray(at, at + size));
        at += size;
      }
      assert.deepEqual((await all(chunks)).flat(), lines.map((line) => ({ line })));
    }),
    { numRuns: 200 },
  );
});

Deno.test("a line that is too long or not UTF-8 is told, and the next one read", async () => {
  const lines = (await all([
    `${"x".repeat(1024 * 1024 + 1)}\nnext\n`,
    Uint8Array.of(0xff, 0x0a),
    "last\n",
  ])).flat();
  assert.deepEqual(lines, [
    { refused: "line above the limit of 1048576 bytes" },
    { line: "next" },
    { refused: "line is not UTF-8" },
    { line: "last" },
  ]);
});

Deno.test("input that cannot be read is told, and is the end", async () => {
  assert.deepEqual((await all(["a\nb", new Error("Is a directory")])).flat(), [
    { line: "a" },
    { refused: "the input broke: Is a directory" },
  ]);
});
