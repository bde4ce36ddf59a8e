/** Longest nickname, in bytes of UTF-8 (protocol version 1, section 4). */
export const MAX_NICKNAME_BYTES = 32;

const encoder = new TextEncoder();

/**
 * Says why `value` is not a nickname, or `undefined` when it is one: 1 to 32 bytes of UTF-8,
 * no white space at either end, no control characters (protocol version 1, section 4).
 */
export function nicknameProblem(value: string): string | undefined {
  if (value === "") return "it is empty";
  if (!value.isWellFormed()) return "it is not valid Unicode";
  if (/^\p{White_Space}*$/u.test(value)) return "it is only white space";
  if (value.includes("\n")) return "it contains a newline";
  if (/\p{Cc}/u.test(value)) return "it contains a control character";
  if (/^\p{White_Space}|\p{White_Space}$/u.test(value)) return "it starts or ends with white space";
  // A UTF-16 unit takes at least one byte, so a long text need not be encoded to know.
  const bytes = value.length > MAX_NICKNAME_BYTES ? value.length : encoder.encode(value).length;
  if (bytes > MAX_NICKNAME_BYTES) return `it has more than ${MAX_NICKNAME_BYTES} bytes of UTF-8`;
  return undefined;
}

/** The quick form of {@linkcode nicknameProblem} for what arrives in numbers. */
export function isNickname(value: unknown): value is string {
  if (typeof value !== "string" || value.length > MAX_NICKNAME_BYTES) return false;
  return /^[!-~]+$/.test(value) || nicknameProblem(value) === undefined;
}
