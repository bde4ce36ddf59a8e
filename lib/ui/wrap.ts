import { mostColumns } from "./columns.ts";

/** Where the terminal does not tell its width, or says 0. */
export const DEFAULT_COLUMNS = 80;
/** What the rows of a line begin with after its first, so that none of them can pose as a line. */
const INDENT = "    ";
/** On a narrower terminal rows are as long as on this one, and the terminal breaks them. */
const MIN_WIDTH = 20;

/**
 * Breaks lines at the terminal's width, between words where it can, and moves what follows to the
 * right: without this, padding alone would let a message put text of its choice at the beginning
 * of a row, where the program's own lines begin.
 *
 * @param text Printable text with colours; of escape sequences it holds those of colours only.
 * @param width Columns of the terminal. Characters that may take two of them are counted as two.
 */
export function wrap(text: string, width: number): string {
  return text.split("\n").map((line) => wrapLine(line, Math.max(width, MIN_WIDTH))).join("\n");
}

function wrapLine(line: string, width: number): string {
  let wrapped = "";
  let column = 0;
  const breakRow = () => {
    wrapped += `\n${INDENT}`;
    column = INDENT.length;
  };
  // deno-lint-ignore no-control-regex -- the colours are the program's own
  for (const [token] of line.matchAll(/\x1b\[\d+m|\s+|[^\s\x1b]+/g)) {
    if (token.startsWith("\x1b")) {
      wrapped += token;
      continue;
    }
    const size = mostColumns(token);
    if (column + size <= width) {
      wrapped += token;
      column += size;
    } else if (/^\s/.test(token)) {
      breakRow();
    } else {
      const fitsRow = INDENT.length + size <= width;
      if (fitsRow) breakRow();
      for (const character of token) {
        if (column + mostColumns(character) > width) breakRow();
        wrapped += character;
        column += mostColumns(character);
      }
    }
  }
  return wrapped;
}
