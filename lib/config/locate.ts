/**
 * Finds where the keys and values of a TOML document stand, for error messages. The parser that
 * reads configuration files keeps no positions; this looks again, once there is an error to
 * place. The document has been accepted by the parser before, so nothing is checked here.
 *
 * @module
 */

/** Offsets into the text, in UTF-16 units. */
export interface Place {
  /** Where the path's last key segment begins; elements of arrays have none. */
  readonly key?: number;
  /** Where the value begins and ends; tables that a header or a dotted key makes have none. */
  readonly value?: readonly [start: number, end: number];
}

/** Keys from the root on; numbers are indices of arrays. */
export type Path = readonly (string | number)[];

/** No path of the schema is longer; deeper ones are not kept. */
const MAX_DEPTH = 3;

/** The places of all keys and values of a valid document. */
export class Places {
  readonly #places = new Map<string, Place>();

  /** @param text A document that a TOML parser has accepted, with bounded nesting. */
  constructor(text: string) {
    new Scanner(text, (path, place) => {
      if (path.length > MAX_DEPTH) return;
      const id = JSON.stringify(path);
      this.#places.set(id, { ...place, ...this.#places.get(id) });
    }).document();
  }

  /** The first mention of `path`, or nothing where it is not in the document. */
  get(path: Path): Place | undefined {
    return this.#places.get(JSON.stringify(path));
  }
}

/** Line and column of an offset, both from 1; columns count characters, not UTF-16 units. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) {
    line++;
    start = at + 1;
  }
  return { line, column: [...text.slice(start, offset)].length + 1 };
}

const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  t: "\t",
  n: "\n",
  f: "\f",
  r: "\r",
  e: "\x1b",
};

class Scanner {
  #at = 0;

  constructor(
    private readonly text: string,
    private readonly found: (path: Path, place: Place) => void,
  ) {}

  document(): void {
    let table: Path = [];
    for (this.#skip(); this.#at < this.text.length; this.#skip()) {
      if (this.text[this.#at] !== "[") {
        this.#pair(table);
        continue;
      }
      const brackets = this.text[this.#at + 1] === "[" ? 2 : 1;
      this.#at += brackets;
      table = this.#key([]);
      this.#at += brackets;
    }
  }

  /** Passes white space, newlines and comments. */
  #skip(): void {
    this.#pass(/(?:[ \t\r\n]+|#[^\n]*)*/y);
  }

  #pass(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const passed = pattern.exec(this.text)?.[0] ?? "";
    this.#at += passed.length;
    return passed;
  }

  #pair(table: Path): void {
    const path = this.#key(table);
    this.#at++; // the equals sign
    this.#skip();
    this.#value(path);
  }

  /** Reads a key, dotted or not, up to the character that ends it. */
  #key(table: Path): Path {
    const path = [...table];
    do {
      this.#skip();
      const start = this.#at;
      const quoted = this.text[start] === '"' || this.text[start] === "'";
      path.push(quoted ? this.#quotedKey() : this.#pass(/[^\s.=\]]+/y));
      this.found(path, { key: start });
      this.#skip();
    } while (this.text[this.#at] === "." && this.#at++ < this.text.length);
    return path;
  }

  #quotedKey(): string {
    const written = this.#string();
    const inner = written.slice(1, -1);
    if (written[0] === "'") return inner;
    return inner.replace(
      /\\(?:x(.{2})|u(.{4})|U(.{8})|(.))/gs,
      (_, x, u, U, other) =>
        other === undefined
          ? String.fromCodePoint(parseInt(x ?? u ?? U, 16))
          : ESCAPES[other] ?? other,
    );
  }

  #string(): string {
    const quote = this.text[this.#at];
    const start = this.#at;
    const delimiter = this.text.startsWith(quote.repeat(3), start) ? quote.repeat(3) : quote;
    let at = start + delimiter.length;
    while (at < this.text.length && !this.text.startsWith(delimiter, at)) {
      at += quote === '"' && this.text[at] === "\\" ? 2 : 1;
    }
    at += delimiter.length;
    // Up to two quotes more belong to the content of a multi-line string.
    if (delimiter.length === 3) { while (this.text[at] === quote) at++; }
    this.#at = at;
    return this.text.slice(start, at);
  }

  #value(path: Path): void {
    const start = this.#at;
    switch (this.text[start]) {
      case '"':
      case "'":
        this.#string();
        break;
      case "[":
        this.#list("]", (index) => this.#value([...path, index]));
        break;
      case "{":
        this.#list("}", () => this.#pair(path));
        break;
      default: // numbers, truth values, dates; a date may contain a space
        this.#at = start + this.#pass(/[^,\]}#\r\n]+/y).trimEnd().length;
    }
    this.found(path, { value: [start, this.#at] });
  }

  #list(end: string, element: (index: number) => void): void {
    this.#at++;
    this.#skip();
    for (let index = 0; this.#at < this.text.length && this.text[this.#at] !== end; index++) {
      const before = this.#at;
      element(index);
      this.#skip();
      // Never stand still, should the parser ever accept what this does not understand.
      if (this.text[this.#at] === "," || this.#at === before) this.#at++;
      this.#skip();
    }
    this.#at++;
  }
}
