import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { accepted, type Decoded, refused } from "./decoded.ts";

/**
 * The id of a message: a UUID of version 7 (RFC 9562, section 5.7), given by its sender. Ids of one
 * source sort in the order in which they were made, as text and as bytes. They are only unique for
 * one sender; whoever keeps them keeps them together with whom they are from.
 *
 * A value of this type is always the canonical text: lower case, 36 characters.
 */
export type MessageId = string & { readonly [brand]: true };
declare const brand: unique symbol;

/** Length of an id in bytes. */
export const MESSAGE_ID_BYTES = 16;

const CANONICAL = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The last moment that 48 bits of milliseconds can name, in the year 10889. */
const MAX_TIME = 2 ** 48 - 1;
/** Bits of the counter: the 12 of `rand_a`, then the first 14 of `rand_b`. */
const COUNTER_BITS = 26;
/** A new millisecond starts in the lower half, so that at least 2^25 ids follow (section 6.2). */
const START_MASK = 2 ** (COUNTER_BITS - 1) - 1;

/** Whether `value` is an id in its canonical form, the only one that the wire knows. */
export function isMessageId(value: unknown): value is MessageId {
  return typeof value === "string" && value.length === 36 && CANONICAL.test(value);
}

/** Reads an id as people paste it: upper case is accepted. */
export function parseMessageId(text: string): Decoded<MessageId> {
  const id = text.length === 36 ? text.toLowerCase() : text;
  return isMessageId(id) ? accepted(id) : refused("it is no UUID of version 7");
}

/**
 * The 16 bytes of an id.
 *
 * @param id In canonical form.
 */
export function messageIdBytes(id: MessageId): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(
    id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24),
  );
}

/** Reads the 16 bytes of an id; anything but a UUID of version 7 is refused. */
export function messageIdFromBytes(bytes: Uint8Array): Decoded<MessageId> {
  if (bytes.length !== MESSAGE_ID_BYTES) return refused("it has not 16 bytes");
  const id = hyphenated(bytes.toHex());
  return isMessageId(id) ? accepted(id) : refused("it is no UUID of version 7");
}

/** Random bytes that are drawn at once: each draw costs as much as several ids. */
const POOL_BYTES = 600;

/**
 * Makes ids that sort in the order in which they were made, also within a millisecond and when the
 * clock jumps back: the time then stands still in the ids, and the counter goes on. 48 random bits
 * in each id keep two sources with the same clock apart, and the ends of ids different.
 */
export class MessageIdSource {
  #time = -1;
  #counter = 0;
  /** What all ids of this millisecond begin with. */
  #start = "";
  /** Random, in hexadecimal. */
  #pool = "";
  #taken = 0;

  constructor(private readonly clock: Pick<Clock, "now">, private readonly random: Random) {}

  /** A new id. */
  next(): MessageId {
    const now = Math.min(Math.max(0, Math.floor(this.clock.now()) || 0), MAX_TIME);
    if (now > this.#time) this.#begin(now);
    else if (++this.#counter >= 2 ** COUNTER_BITS) this.#begin(this.#time + 1);
    const high = (0x7000 | this.#counter >>> 14).toString(16);
    const low = (0x8000 | this.#counter & 0x3fff).toString(16);
    return `${this.#start}-${high}-${low}-${this.#draw(12)}` as MessageId;
  }

  #begin(time: number): void {
    this.#time = time;
    this.#counter = Number.parseInt(this.#draw(8), 16) & START_MASK;
    const text = time.toString(16).padStart(12, "0");
    this.#start = `${text.slice(0, 8)}-${text.slice(8)}`;
  }

  /** So many random hexadecimal digits. */
  #draw(digits: number): string {
    if (this.#taken + digits > this.#pool.length) {
      this.#pool = this.random.bytes(POOL_BYTES).toHex();
      this.#taken = 0;
    }
    this.#taken += digits;
    return this.#pool.slice(this.#taken - digits, this.#taken);
  }
}

function hyphenated(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
    .join("-");
}
