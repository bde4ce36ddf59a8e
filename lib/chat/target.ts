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
  const candidates = new Map(known.named(target).map((peer) => [peer.key, peer]));
  for (let at = target.indexOf("~"); at >= 0; at = target.indexOf("~", at + 1)) {
    const tag = target.slice(at + 1);
    for (const peer of known.named(target.slice(0, at))) {
      if (hasTag(peer, tag)) candidates.set(peer.key, peer);
    }
  }
  const [first, second] = candidates.values();
  if (first === undefined) {
    throw new UnknownPeerError(target, nearest(target, known.peers().map(({ label }) => label)));
  }
  if (second === undefined) return first;
  // Addresses last: they tell peers apart whose labels are chosen to look like one another.
  const labels = [...candidates.values()].map(({ label, addresses }) =>
    label === target ? `${label}~${formatAddress(addresses[0].address)}` : label
  );
  throw new AmbiguousPeerError(target, labels);
}

function hasTag({ instance, addresses }: Peer, tag: string): boolean {
  if (instance !== undefined && tag.length >= MIN_TAG_DIGITS && instance.startsWith(tag)) {
    return true;
  }
  return addresses.some(({ address }) => formatAddress(address) === tag);
}
