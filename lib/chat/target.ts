import { nearest } from "../base/nearest.ts";
import type { Peer } from "../discovery/peer.ts";
import { AmbiguousPeerError, UnknownPeerError } from "../errors.ts";
import { formatAddress } from "../wire/address.ts";

/** What {@linkcode resolveTarget} asks of the registry. */
export interface KnownPeers {
  /** The peers that answer to exactly this nickname. */
  named(nickname: string): Peer[];
  peers(): Peer[];
}

/** Digits of an instance that are enough to name it, as in a label. */
const MIN_TAG_DIGITS = 4;

/**
 * Finds the one peer that a user means.
 *
 * @param target A nickname, or a label `nickname~tag` whose tag is the start of the peer's
 *   instance or one of its addresses. A nickname that looks like another peer's label stands for
 *   both, so nobody can take a label over.
 * @throws {UnknownPeerError} With the nearest labels.
 * @throws {AmbiguousPeerError} With the labels to choose from.
 */
export function resolveTarget(known: KnownPeers, target: string): Peer {
  const named = known.named(target);
  // What nearly every message takes: one peer of this name, and nothing that could be a label.
  if (named.length === 1 && !target.includes("~")) return named[0];
  const candidates = new Map(named.map((peer) => [peer.key, peer]));
  const others: Peer[] = [];
  for (let at = target.indexOf("~"); at >= 0; at = target.indexOf("~", at + 1)) {
    const tag = target.slice(at + 1);
    for (const peer of known.named(target.slice(0, at))) {
      if (hasTag(peer, tag)) candidates.set(peer.key, peer);
      else if (peer.addresses.some(({ address }) => formatAddress(address) === tag)) {
        others.push(peer);
      }
    }
  }
  // An address belongs first to whom it is tried first for.
  if (candidates.size === 0) { for (const peer of others) candidates.set(peer.key, peer); }
  // Two registrations of one place, as a version 1 peer that came back leaves them, are one here.
  const places = new Map([...candidates.values()].map((peer) => [placeOf(peer), peer]));
  const [first, second] = places.values();
  if (first === undefined) {
    throw new UnknownPeerError(target, nearest(target, known.peers().map(({ label }) => label)));
  }
  if (second === undefined) return first;
  // Addresses tell peers apart whose labels are chosen to look like one another.
  const labels = [...places.values()].map(({ label }) => label);
  const choices = [...places.values()].map(({ label, nickname, addresses }) => {
    const isPlain = label !== target && labels.indexOf(label) === labels.lastIndexOf(label);
    return isPlain ? label : `${nickname}~${formatAddress(addresses[0].address)}`;
  });
  throw new AmbiguousPeerError(target, choices);
}

function hasTag({ instance, addresses: [first] }: Peer, tag: string): boolean {
  if (instance !== undefined && tag.length >= MIN_TAG_DIGITS && instance.startsWith(tag)) {
    return true;
  }
  return formatAddress(first.address) === tag;
}

/** Where sending to a peer ends at first, and under which name. */
function placeOf({ nickname, addresses: [first] }: Peer): string {
  return JSON.stringify([nickname, formatAddress(first.address)]);
}
