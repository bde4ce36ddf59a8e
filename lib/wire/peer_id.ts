import { accepted, type Decoded, refused } from "./decoded.ts";

/**
 * The id of a peer: the SHA-256 of its certificate, written as Syncthing writes device ids. The 32
 * bytes in base32 (RFC 4648, section 6, without padding) are 52 characters; a check character
 * (Luhn mod 32) follows every 13 of them, and the 56 stand in eight groups of seven, joined by "-".
 *
 * A value of this type is always that one canonical form, so ids are compared with `===`.
 */
export type PeerId = string & { readonly [brand]: true };
declare const brand: unique symbol;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HASH_BYTES = 32;
/** Data characters before each check character. */
const CHECKED = 13;
const GROUP = 7;
const CHARACTERS = 56;
/** What is longer is no id, whatever spaces and hyphens it has. */
const MAX_TYPED = 128;

/**
 * Writes the SHA-256 of a certificate as a peer id.
 *
 * @param hash 32 bytes.
 * @throws {RangeError} `hash` has another length.
 */
export function formatPeerId(hash: Uint8Array): PeerId {
  if (hash.length !== HASH_BYTES) {
    throw new RangeError(`Cannot make a peer id from ${hash.length} bytes: it takes ${HASH_BYTES}`);
  }
  const data = base32(hash);
  let text = "";
  for (let at = 0; at < data.length; at += CHECKED) {
    const part = data.slice(at, at + CHECKED);
    text += part + checkCharacter(part);
  }
  return grouped(text);
}

/**
 * Reads an id as people type it: in upper or lower case, grouped by hyphens or spaces in any way or
 * not at all, with 0, 1 and 8 for the letters that look like them. A refusal names the groups that
 * are wrong; the check characters stand for two groups each, so a mistyped letter is known to be in
 * one of two.
 */
export function parsePeerId(text: string): Decoded<PeerId> {
  if (text.length > MAX_TYPED) return refused("it is too long");
  const typed = text.replace(/[a-z]/g, (letter) => letter.toUpperCase())
    .replace(/[018]/g, (digit) => LOOKALIKES[digit]);
  const groups = typed.split(/[\s-]+/u).filter((group) => group !== "");
  const bare = groups.join("");
  if (bare.length !== CHARACTERS) {
    const wrong = groups.findIndex((group) => group.length !== GROUP);
    if (groups.length === 8 && wrong >= 0) {
      return refused(`group ${wrong + 1} has not 7 characters`);
    }
    return refused(`it has not 8 groups of ${GROUP} letters and digits`);
  }
  const foreign = bare.search(/[^A-Z2-7]/);
  if (foreign >= 0) {
    return refused(`group ${Math.floor(foreign / GROUP) + 1} has a character that ids never have`);
  }
  const id = grouped(bare);
  const wrong = wrongPair(id);
  if (wrong !== undefined) return refused(`group ${2 * wrong + 1} or ${2 * wrong + 2} is mistyped`);
  if (!/[AQ].$/.test(id)) return refused("group 8 is mistyped"); // the last 4 bits carry nothing
  return accepted(id);
}

const LOOKALIKES: Readonly<Record<string, string>> = { "0": "O", "1": "I", "8": "B" };

/** Whether `value` is an id in its canonical form, the only one that the wire knows. */
export function isPeerId(value: unknown): value is PeerId {
  return typeof value === "string" && value.length === 63 &&
    /^(?:[A-Z2-7]{7}-){7}[A-Z2-7]{5}[AQ][A-Z2-7]$/.test(value) && wrongPair(value) === undefined;
}

/** The first group, for where an id is shown but not relied upon: it has 35 bits. */
export function shortId(id: PeerId): string {
  return id.slice(0, GROUP);
}

/** The 32 bytes that an id stands for. */
export function peerIdHash(id: PeerId): Uint8Array<ArrayBuffer> {
  const hash = new Uint8Array(HASH_BYTES);
  let bits = 0;
  let value = 0;
  let at = 0;
  for (const [index, character] of [...id.replaceAll("-", "")].entries()) {
    if (index % (CHECKED + 1) === CHECKED) continue;
    value = (value << 5 | ALPHABET.indexOf(character)) & 0xfff;
    bits += 5;
    if (bits < 8 || at === HASH_BYTES) continue;
    bits -= 8;
    hash[at++] = value >> bits;
  }
  return hash;
}

/**
 * Orders ids as their 32 bytes: negative where `a` is the smaller, 0 where they are the same.
 *
 * Comparing the texts would not do, since ASCII has digits before letters and base32 the other way
 * round. But the first character that differs always belongs to the data (a check character only
 * depends on what stands before it), and its place in the alphabet decides.
 */
export function comparePeerIds(a: PeerId, b: PeerId): number {
  for (let at = 0; at < a.length; at++) {
    if (a[at] !== b[at]) return ALPHABET.indexOf(a[at]) - ALPHABET.indexOf(b[at]);
  }
  return 0;
}

function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8 | byte) & 0xfff;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += ALPHABET[(value >> (bits - 5)) & 31];
  }
  return bits > 0 ? text + ALPHABET[(value << (5 - bits)) & 31] : text;
}

/**
 * Luhn mod 32 as Syncthing computes it: the factors 1, 2, 1, … run from the left, which is not how
 * Luhn's own algorithm has it.
 */
function checkCharacter(text: string): string {
  let sum = 0;
  for (let at = 0; at < text.length; at++) {
    const product = ALPHABET.indexOf(text[at]) * (at % 2 + 1);
    sum += (product >> 5) + (product & 31);
  }
  return ALPHABET[(32 - sum % 32) % 32];
}

/** The first pair of groups (0 to 3) whose check character is wrong, or `undefined`. */
function wrongPair(id: string): number | undefined {
  const pairs = id.replaceAll("-", "").match(/.{14}/g)!;
  const wrong = pairs.findIndex((pair) => checkCharacter(pair.slice(0, CHECKED)) !== pair[CHECKED]);
  return wrong < 0 ? undefined : wrong;
}

function grouped(text: string): PeerId {
  return text.match(/.{7}/g)!.join("-") as PeerId;
}
