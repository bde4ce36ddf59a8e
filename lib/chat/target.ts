import { nearest } from "../base/nearest.ts";
import type { Peer } from "../discovery/peer.ts";
import { AmbiguousPeerError, UnknownPeerError } from "../errors.ts";
import { formatAddress } from "../wire/address.ts";

/** What {@linkcode resolveTarget} asks of the registry. */
export interface KnownPeers {
  /** The peers that answer to exactly this nickname. */
  named(nickname: string): readonly Peer[];
  peers(): Peer[];
}

/** Characters of an id or an instance that are enough to name it, as in a label. */
const MIN_TAG_LENGTH = 4;

/**
 * Finds the one peer that a user means.
 *
 * @param target A nickname, or a label `nickname~tag` whose tag is the start of the peer's id in
 *   upper or lower case, of its instance where it has no id, or one of its addresses. A nickname that looks like another peer's label stands for
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
  // Two registrations of one place, as a version 1 peer that came back leaves them, are one here;
  // but two ids are two peers, whatever their addresses.
  const places = new Map([...candidates.values()].map((peer) => [placeOf(peer), peer]));
  const [first, second] = places.values();
  if (first === undefined) {
    throw new UnknownPeerError(target, nearest(target, known.peers().map(({ label }) => label)));
  }
  if (second === undefined) return first;
  // Addresses tell peers apart whose labels are chosen to look like one another.
  const labels = [...places.values()].map(({ label }) => label);
  const choices = [...places.values()].map(({ label, nickname, id, addresses }) => {
    const isPlain = label !== target && labels.indexOf(label) === labels.lastIndexOf(label);
    return isPlain ? label : `${nickname}~${id ?? formatAddress(addresses[0].address)}`;
  });
  throw new AmbiguousPeerError(target, choices);
}

function hasTag({ id, instance, addresses: [first] }: Peer, tag: string): boolean {
  const isStart = id === undefined ? instance?.startsWith(tag) : id.startsWith(tag.toUpperCase());
  if (isStart && tag.length >= MIN_TAG_LENGTH) return true;
  return formatAddress(first.address) === tag;
}

/** Where sending to a peer ends at first, under which name, and with which id. */
function placeOf({ nickname, id, addresses: [first] }: Peer): string {
  return JSON.stringify([nickname, id, formatAddress(first.address)]);
}
