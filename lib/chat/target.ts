import { nearest } from "../base/nearest.ts";
import type { Peer } from "../discovery/peer.ts";
import { AmbiguousPeerError, InvalidInputError, UnknownPeerError } from "../errors.ts";
import { formatAddress } from "../wire/address.ts";
import { MAX_NICKNAME_BYTES } from "../wire/nickname.ts";
import { parsePeerId, type PeerId } from "../wire/peer_id.ts";

/** What {@linkcode resolveTarget} asks of the registry. */
export interface PresentPeers {
  /** The peers that answer to exactly this nickname. */
  named(nickname: string): readonly Peer[];
  /** The peers that claim this id. */
  withId(id: PeerId): Peer[];
  peers(): Peer[];
}

/** Characters of a target that an error repeats: an id and some. */
const MAX_SHOWN = 80;

/** Characters of an id or an instance that are enough to name it, as in a label. */
const MIN_TAG_LENGTH = 4;

/**
 * The id that a target is written out as, in any form that {@linkcode parsePeerId} takes.
 *
 * @returns `undefined` where it may be a nickname or a label.
 * @throws {InvalidInputError} When it can only be an id, and is mistyped: with the group.
 */
export function typedId(target: string): PeerId | undefined {
  // Each character takes a byte at least, so this is where nicknames and ids part.
  if (target.length <= MAX_NICKNAME_BYTES || target.includes("~")) return undefined;
  const parsed = parsePeerId(target);
  if (parsed.ok) return parsed.value;
  throw mistyped(target, parsed.cause);
}

/**
 * Finds the one peer that a user means.
 *
 * @param target An id, a nickname, or a label `nickname~tag` whose tag is the start of the peer's
 *   id in upper or lower case, of its instance where it has no id, or one of its addresses. A
 *   nickname that looks like another peer's label stands for both, so nobody can take a label over.
 * @throws {InvalidInputError} When the target is a mistyped id.
 * @throws {UnknownPeerError} With the nearest labels.
 * @throws {AmbiguousPeerError} With the labels to choose from.
 */
export function resolveTarget(known: PresentPeers, target: string): Peer {
  const named = known.named(target);
  // What nearly every message takes: one peer of this name, and nothing that could be a label.
  if (named.length === 1 && !target.includes("~")) return named[0];
  const id = typedId(target);
  const meant = id === undefined ? named : known.withId(id);
  const candidates = new Map(meant.map((peer) => [peer.key, peer]));
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
    checkTag(target);
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

/** The user himself: what stands for nobody else. */
export interface Self {
  readonly nickname: string;
  readonly id: PeerId | undefined;
}

/** Whom the user has turned to. */
export interface Acquaintances {
  /** Whether a peer is who its nickname stands for; not asked of labels. */
  isKnown(peer: Peer): boolean;
  /** Other ids that a label with this tag may mean, though they are away. */
  alike(peer: Peer, tag: string): PeerId[];
}

/**
 * Finds the one peer that a user means, as {@linkcode resolveTarget}, where some are known:
 * namesakes of those make nothing ambiguous, and namesakes of oneself always are. A label must not
 * go over to somebody else while the one that the user knows by it is away: who wants a label can
 * make keys until one has an id that begins so.
 */
export function findPeer(
  present: PresentPeers,
  self: Self,
  acquaintances: Acquaintances | undefined,
  target: string,
): Peer {
  if (target.includes("~") && target !== self.nickname) {
    const peer = resolveTarget(present, target);
    const tag = target.slice(target.lastIndexOf("~") + 1);
    const others = peer.id?.startsWith(tag.toUpperCase()) ? acquaintances?.alike(peer, tag) : [];
    if (others === undefined || others.length === 0) return peer;
    throw new AmbiguousPeerError(target, [...others, peer.id!]);
  }
  const id = typedId(target);
  if (id !== undefined && id === self.id) {
    throw new InvalidInputError(`Cannot reach ${JSON.stringify(target)}: that is your own id`);
  }
  const meant = id === undefined ? present.named(target) : present.withId(id);
  if (target === self.nickname && meant.length > 0) {
    throw new AmbiguousPeerError(target, meant.map(({ label }) => label));
  }
  return meant.find((peer) => acquaintances?.isKnown(peer)) ?? resolveTarget(present, target);
}

/** An id behind a nickname may be mistyped, too. */
function checkTag(target: string): void {
  const tag = target.slice(target.lastIndexOf("~") + 1);
  if (tag === target || tag.length <= MAX_NICKNAME_BYTES || /[.:]/.test(tag)) return;
  const parsed = parsePeerId(tag);
  if (!parsed.ok) throw mistyped(target, parsed.cause);
}

function mistyped(target: string, cause: string): InvalidInputError {
  const shown = target.length > MAX_SHOWN ? `${target.slice(0, MAX_SHOWN)}…` : target;
  return new InvalidInputError(
    `Cannot tell who ${JSON.stringify(shown)} is: it is too long for a nickname, and as an id it ` +
      `is wrong: ${cause}; compare it with the one that its owner's /whoami shows`,
  );
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
