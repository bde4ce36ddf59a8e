import { comparePeerIds, type PeerId, peerIdHash } from "./peer_id.ts";

/** Sets these hashes apart from any other use of the ids; with a version, should they change. */
const LABEL = "parlance safety number 1";
const GROUPS = 12;
const GROUP_BYTES = 5;

/**
 * The safety number of two peers: 60 decimal digits in twelve groups of five, joined by spaces, the
 * same on both screens. Two people who compare it know that nobody stands between them.
 *
 * It is SHA-512 over the ASCII label "parlance safety number 1" and the 32 bytes of both ids, the
 * smaller first. Each group is five successive bytes of the hash, read as a big-endian number,
 * modulo 100,000: 2^40 is so much more that no group is likelier than another by more than one in
 * ten million. 60 digits are 199 bits, so an attacker who makes keys until the number fits has no
 * hope, even where people compare only half of the digits (99 bits).
 */
export async function safetyNumber(a: PeerId, b: PeerId): Promise<string> {
  const [first, second] = comparePeerIds(a, b) < 0 ? [a, b] : [b, a];
  const label = new TextEncoder().encode(LABEL);
  const input = new Uint8Array([...label, ...peerIdHash(first), ...peerIdHash(second)]);
  const hash = new DataView(await crypto.subtle.digest("SHA-512", input));
  const groups: string[] = [];
  for (let at = 0; at < GROUPS * GROUP_BYTES; at += GROUP_BYTES) {
    const value = hash.getUint8(at) * 2 ** 32 + hash.getUint32(at + 1);
    groups.push(String(value % 100_000).padStart(5, "0"));
  }
  return groups.join(" ");
}
