import { accepted, type Decoded, decodeObject, refused } from "./decoded.ts";
import { isNickname } from "./nickname.ts";

/** Longest line that is read, in bytes without its newline. */
export const MAX_LINE_BYTES = 1024 * 1024;

/** Longest content of a message in bytes of UTF-8, unless configured otherwise. */
export const DEFAULT_MAX_CONTENT_BYTES = 64 * 1024;

/** 9999-12-31T23:59:59Z: beyond it a date has no four-digit year, and a peer is not honest. */
const MAX_TIMESTAMP = 253_402_300_799;

/** Whether `value` is a Unix time in whole seconds, from 0 to 253402300799 (the year 9999). */
export function isTimestamp(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TIMESTAMP;
}

/** A chat message of protocol version 1 (section 2). */
export interface Message {
  /** Nickname that the sender gives itself. Nothing proves it. */
  readonly from: string;
  /** Any text, also empty. */
  readonly content: string;
  /** Unix time in whole seconds, by the sender's clock; 0 to 253402300799. */
  readonly timestamp: number;
}

/** Length of `text` in bytes of UTF-8, as it would be written. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) continue;
    // A surrogate pair takes four bytes for two units; a lone one becomes U+FFFD, three bytes.
    if (unit >= 0xd800 && unit <= 0xdbff) {
      const next = text.charCodeAt(at + 1);
      if (next >= 0xdc00 && next <= 0xdfff) {
        bytes += 2;
        at++;
        continue;
      }
    }
    bytes += unit < 0x800 ? 1 : 2;
  }
  return bytes;
}

/**
 * Writes a message as a line, its newline included. Lone surrogates in the content become U+FFFD:
 * the original refuses a line that escapes them. `from` and `timestamp` are the caller's to check.
 */
export function encodeMessage({ from, content, timestamp }: Message): string {
  return `{"from":${JSON.stringify(from)},"content":${
    JSON.stringify(content.toWellFormed())
  },"timestamp":${timestamp}}\n`;
}

/**
 * Reads a line.
 *
 * @param line The line without its newline.
 * @param maxContentBytes Content above this is refused.
 */
export function decodeMessage(
  line: string,
  maxContentBytes: number = DEFAULT_MAX_CONTENT_BYTES,
): Decoded<Message> {
  const object = decodeObject(line);
  if (!object.ok) return object;
  const { from, content, timestamp } = object.value;
  if (!isNickname(from)) return refused('message without a valid nickname in "from"');
  if (typeof content !== "string") return refused('message without text in "content"');
  if (!isTimestamp(timestamp)) return refused('message without a Unix time in "timestamp"');
  // At most three bytes a unit: only what could be too long is measured.
  if (content.length * 3 > maxContentBytes && utf8Length(content) > maxContentBytes) {
    return refused("content above the limit");
  }
  return accepted({ from, content, timestamp });
}
