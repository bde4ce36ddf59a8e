import { messageOf } from "../errors.ts";
import { LineDecoder } from "../wire/lines.ts";

/** Longest line of input in bytes: the longest content and room for its escapes. */
const MAX_INPUT_LINE = 1024 * 1024;
/** What one read may bring; large enough for bulk, small enough to react between two. */
const BUFFER = 64 * 1024;

/** Reads bytes into a buffer; `null` at the end. Like `Deno.stdin.read`. */
export type Read = (buffer: Uint8Array) => Promise<number | null>;

/** What came with one read: complete lines, or why one was dropped. */
export type InputLine = { readonly line: string } | { readonly refused: string };

/**
 * Reads lines from a stream, all that one read brings at once. A read of standard input cannot be
 * given up: whoever wants to end earlier leaves the iteration behind.
 *
 * @param maxLine The longest line in bytes; a longer one is dropped.
 */
export async function* inputLines(
  read: Read,
  maxLine = MAX_INPUT_LINE,
): AsyncGenerator<InputLine[]> {
  const decoder = new LineDecoder(maxLine);
  const buffer = new Uint8Array(BUFFER);
  let lines: InputLine[] = [];
  const sink = {
    line: (line: string) => void lines.push({ line }),
    refused: (refused: string) => void lines.push({ refused }),
  };
  while (true) {
    let count: number | null;
    try {
      count = await read(buffer);
    } catch (error) {
      // A directory or a dead terminal: half a command is none.
      yield [{ refused: `the input broke: ${messageOf(error)}` }];
      return;
    }
    if (count === null) decoder.end(sink);
    else decoder.push(buffer.subarray(0, count), sink);
    if (lines.length > 0) yield lines;
    if (count === null) return;
    lines = [];
  }
}
