/**
 * What a decoder returns: the value, or why there is none. Decoders never throw on input from
 * outside; whoever called one counts the refusal.
 */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly cause: string };

/** An accepted value. */
export function accepted<T>(value: T): Decoded<T> {
  return { ok: true, value };
}

/** A refusal. `cause` is a fixed text without anything from outside. */
export function refused(cause: string): Decoded<never> {
  return { ok: false, cause };
}

/** Parses `text` as one JSON object: neither an array nor a bare value. */
export function decodeObject(text: string): Decoded<Record<string, unknown>> {
  // An exception of JSON.parse costs 4 µs, twenty times a good line: an empty line of one byte,
  // or a megabyte of brackets, must not cause one.
  const trimmed = text.trim();
  if (!trimmed.startsWith("{") || !trimmed.endsWith("}")) return refused("not a JSON object");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused("not JSON");
  }
  return accepted(value as Record<string, unknown>);
}
