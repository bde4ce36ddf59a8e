/**
 * Reading JSON as strictly as the original does: the types of known fields are checked, unknown
 * fields are ignored, whole numbers must be written as such, and escapes of lone surrogates are
 * no text.
 *
 * @module
 */

/** Reads one object. Throws an error that says what is wrong. */
export function readObject(text: string): Record<string, unknown> {
  const value = JSON.parse(text, wholeNumbersOnly);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError("expected an object");
  }
  return value;
}

/** A field that must be text. */
export function textField(object: Record<string, unknown>, name: string): string {
  const value = object[name];
  if (typeof value !== "string") throw new TypeError(`expected a string in ${name}`);
  if (!value.isWellFormed()) throw new TypeError(`lone surrogate in ${name}`);
  return value;
}

/** A field that must be a whole number from 0 to `most`. */
export function numberField(object: Record<string, unknown>, name: string, most: number): number {
  const value = object[name];
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > most) {
    throw new TypeError(`expected a number from 0 to ${most} in ${name}`);
  }
  return value as number;
}

/** `1.0` and `1e3` are no integers to the original: they become NaN, which no field accepts. */
function wholeNumbersOnly(this: unknown, _key: string, value: unknown, context?: unknown): unknown {
  if (typeof value !== "number") return value;
  const source = (context as { source?: string } | undefined)?.source ?? "";
  return /^-?\d+$/.test(source) ? value : NaN;
}

/** Reads the lines of a connection until it ends; an unfinished last line counts. */
export async function* readLines(readable: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array(0);
  for await (const chunk of readable) {
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      yield bytes.subarray(start, end);
      start = end + 1;
    }
    rest = bytes.slice(start);
  }
  if (rest.length > 0) yield rest;
}

/** Text that is UTF-8, or an error. */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}
