import { encodeMessage } from "../../lib/wire/message.ts";

/** Bytes of content in every message that is measured. */
export const CONTENT_BYTES = 100;

/** Content that says which message it is: 100 bytes of ASCII. */
export function numberedContent(number: number): string {
  return `${number} `.padEnd(CONTENT_BYTES, "parlance ");
}

/** Messages as lines of the wire, newline included, numbered from `first` on. */
export function* numberedLines(from: string, first: number, count: number): Generator<string> {
  const timestamp = Math.floor(Date.now() / 1000);
  for (let number = first; number < first + count; number++) {
    yield encodeMessage({ from, content: numberedContent(number), timestamp });
  }
}

/** Text in blocks of at most `size` lines, encoded before the clock runs. */
export function inBlocks(lines: Iterable<string>, size: number): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  let block: string[] = [];
  const finish = () => {
    if (block.length > 0) blocks.push(new TextEncoder().encode(block.join("")));
    block = [];
  };
  for (const line of lines) {
    block.push(line);
    if (block.length === size) finish();
  }
  finish();
  return blocks;
}
