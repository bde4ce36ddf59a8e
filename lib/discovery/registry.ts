import type { Clock } from "../base/clock.ts";
import type { Refusals } from "../base/refusals.ts";
import { formatAddress } from "../wire/address.ts";
import type { Goodbye } from "../wire/announce.ts";
import type { PeerId } from "../wire/peer_id.ts";
import {
  type BootstrapSighting,
  type Entry,
  isLan,
  type KnownAddress,
  type LanSighting,
  leadsTo,
  orderAddresses,
} from "./entry.ts";
import { Labels } from "./labels.ts";
import type { DownReason, Peer, PresenceEvent, Via } from "./peer.ts";
import { Proofs } from "./proofs.ts";
import { Recognition } from "./recognition.ts";

export type { BootstrapSighting, LanSighting } from "./entry.ts";

/** Peers that one host may announce on a LAN: many more than people share a machine. */
const MAX_LAN_PEERS_PER_HOST = 256;
/** Peers that are known by LAN discovery at the same time. */
const MAX_LAN_PEERS = 4096;
/** Peers that are taken from a bootstrap server. */
export const MAX_BOOTSTRAP_PEERS = 10_000;
/** Addresses of one peer; a machine with more interfaces is reached by the first ones. */
const MAX_ADDRESSES = 16;

/**
 * Who is where. Sightings go in, presence events come out. The same peer found on several
 * interfaces or in several ways is one peer with several addresses: by its nickname and its id, by
 * its nickname and its instance where it has no id, by its address where it has neither.
 */
export class PeerRegistry {
  readonly #entries = new Map<number, Entry>();
  readonly #recognition = new Recognition();
  readonly #proofs = new Proofs();
  readonly #labels: Labels;
  readonly #byPeerId = new Map<string, Entry>();
  readonly #lanPeersOfHost = new Map<string, number>();
  /** What {@linkcode named} answered since the last change: every message that is sent asks. */
  readonly #answered = new Map<string, readonly Peer[]>();
  #nextKey = 1;

  /**
   * @param ownNickname Another peer of this name gets a tag in its label, too.
   * @param emit Takes each change, at once.
   */
  constructor(
    private readonly clock: Clock,
    private readonly refusals: Refusals,
    ownNickname: string,
    private readonly emit: (event: PresenceEvent) => void,
  ) {
    this.#labels = new Labels(ownNickname);
  }

  /** How many peers are known. */
  get size(): number {
    return this.#entries.size;
  }

  /** All known peers, the longest known first. */
  peers(): Peer[] {
    return [...this.#entries.values()].map((entry) => this.#snapshot(entry));
  }

  /** The peers that answer to `nickname`; since when they are known is told as of the last change. */
  named(nickname: string): readonly Peer[] {
    const answered = this.#answered.get(nickname);
    if (answered !== undefined) return answered;
    const peers = Array.from(this.#labels.named(nickname), (entry) => this.#snapshot(entry));
    if (peers.length > 0) this.#answered.set(nickname, peers);
    return peers;
  }

  /** The peers that claim `id`, at most one of each nickname; which of them is it is not known. */
  withId(id: PeerId): Peer[] {
    return Array.from(this.#recognition.withId(id), (entry) => this.#snapshot(entry));
  }

  /**
   * Takes an announce from a LAN. A profile is used by one program at a time, so a run of an id
   * takes the place of its older runs on the same host: one that was killed said no goodbye.
   */
  sawOnLan(sighting: LanSighting): void {
    const { address } = sighting;
    const holder = this.#recognition.holder(address);
    const entry = this.#recognition.match(sighting);
    if (holder !== undefined && holder !== entry) {
      // Another run, or another name, behind an address that can belong to one peer only.
      this.#removeAddress(holder, (known) => isLan(known) && leadsTo(known, address), "left");
    }
    const known = entry?.addresses.find((known) => isLan(known) && leadsTo(known, address));
    if (entry !== undefined && known !== undefined) {
      this.#renew(entry, known, sighting);
      return this.#replaceRuns(entry, sighting);
    }
    const ofHost = this.#lanPeersOfHost.get(address.hostname) ?? 0;
    if (ofHost >= MAX_LAN_PEERS_PER_HOST) {
      return this.refusals.add(
        `announce above the limit of ${MAX_LAN_PEERS_PER_HOST} peers of one host`,
        () => address.hostname,
      );
    }
    if (this.#recognition.lanSize >= MAX_LAN_PEERS) {
      return this.refusals.add(
        `announce above the limit of ${MAX_LAN_PEERS} peers`,
        () => formatAddress(address),
      );
    }
    this.#replaceRuns(this.#add(entry, sighting, "lan"), sighting);
  }

  /**
   * Takes the proof that a run of `id` is at `hostname`: its addresses there are tried before those
   * that somebody only claims.
   */
  proved(id: PeerId, instance: string, hostname: string): void {
    this.#proofs.add(id, instance, hostname);
    for (const entry of this.#recognition.withId(id)) this.#order(entry);
  }

  /**
   * Takes a goodbye: of the peer with its id, or of the run with its instance, or of whoever has
   * its nickname. It counts only for peers that are known at the host that it comes from.
   *
   * @param hostname Where the datagram came from.
   */
  saidGoodbye(
    { nickname, instance, id }: Pick<Goodbye, "nickname" | "instance" | "id">,
    hostname: string,
  ): void {
    for (const entry of [...this.#labels.named(nickname)]) {
      const isIt = id !== undefined && entry.id !== undefined
        ? entry.id === id
        : instance === undefined
        ? id === undefined
        : entry.instance === instance;
      const isHere = (known: KnownAddress) => isLan(known) && known.address.hostname === hostname;
      if (!isIt || !entry.addresses.some(isHere)) continue;
      // A run that says goodbye leaves from all its interfaces, and from those of no other run. So it
      // is where it was seen first; a host that joined later may be somebody else who uses its
      // instance, and speaks for itself alone.
      const leaves = (known: KnownAddress) =>
        instance === undefined || known.run === undefined || known.run === instance;
      const isFirst = (id !== undefined || instance !== undefined) &&
        entry.addresses[0].address.hostname === hostname;
      this.#removeAddress(
        entry,
        (known) => (isFirst ? isLan(known) : isHere(known)) && leaves(known),
        "goodbye",
      );
    }
  }

  /** Takes a bootstrap server's whole list: peers that are not in it have left. */
  listed(sightings: readonly BootstrapSighting[]): void {
    const taken = sightings.slice(0, MAX_BOOTSTRAP_PEERS);
    const before = [...this.#byPeerId.keys()];
    // First who is there: a peer that registered anew must not leave in between.
    for (const sighting of taken) this.#sawInList(sighting);
    const listed = new Set(taken.map(({ peerId }) => peerId));
    for (const peerId of before) if (!listed.has(peerId)) this.#removeListed(peerId, "left");
  }

  /** Forgets what the bootstrap server told, because it has been silent for too long. */
  forgetListed(): void {
    for (const peerId of [...this.#byPeerId.keys()]) this.#removeListed(peerId, "timeout");
  }

  /** Drops LAN addresses that have been silent for more than `timeoutMs` milliseconds. */
  expire(timeoutMs: number): void {
    const limit = this.clock.monotonic() - timeoutMs;
    for (const entry of [...this.#entries.values()]) {
      this.#removeAddress(
        entry,
        (known) => isLan(known) && known.seenAt < limit,
        "timeout",
      );
    }
  }

  #sawInList(sighting: BootstrapSighting): void {
    const { peerId, address, nickname, id } = sighting;
    const listed = this.#byPeerId.get(peerId);
    if (listed !== undefined) {
      const known = listed.addresses.find((other) => other.peerId === peerId)!;
      if (listed.nickname === nickname && leadsTo(known, address)) {
        if (id === undefined) return this.#touch(known);
        if (this.#recognition.match(sighting) === listed) {
          return this.#renew(listed, known, sighting);
        }
      }
      this.#removeListed(peerId, "left");
    }
    this.#add(this.#recognition.match(sighting), sighting, "bootstrap", peerId);
  }

  /** Returns the entry that has the address now, if there was room for it. */
  #add(
    found: Entry | undefined,
    sighting: LanSighting,
    via: Via,
    peerId?: string,
  ): Entry | undefined {
    const { address } = sighting;
    if (found !== undefined && !this.#makeRoom(found)) {
      this.refusals.add(
        `address above the limit of ${MAX_ADDRESSES} of one peer`,
        () => formatAddress(address),
      );
      return undefined;
    }
    const entry = found ?? this.#make(sighting);
    const known = { address, via, peerId, run: undefined, ...this.#time() };
    entry.addresses.push(known);
    this.#renew(entry, known, sighting);
    this.#recognition.learn(entry, address, via);
    if (peerId !== undefined) this.#byPeerId.set(peerId, entry);
    else {
      const { hostname } = address;
      this.#lanPeersOfHost.set(hostname, (this.#lanPeersOfHost.get(hostname) ?? 0) + 1);
    }
    if (found === undefined) this.emit({ type: "peer_up", peer: this.#snapshot(entry) });
    return entry;
  }

  /** Takes the addresses of older runs at the host of a sighting off an entry. */
  #replaceRuns(entry: Entry | undefined, { id, instance, address: { hostname } }: LanSighting) {
    if (entry === undefined || id === undefined || instance === undefined) return;
    this.#removeAddress(
      entry,
      (known) =>
        isLan(known) && known.address.hostname === hostname && known.run !== undefined &&
        known.run !== instance,
      "left",
    );
  }

  #make({ nickname, version, address }: LanSighting): Entry {
    const entry: Entry = {
      key: this.#nextKey++,
      nickname,
      version,
      instance: undefined,
      id: undefined,
      tag: formatAddress(address),
      addresses: [],
      knownSince: this.clock.monotonic(),
    };
    this.#entries.set(entry.key, entry);
    this.#labels.add(entry);
    return entry;
  }

  /** Takes a sign of life of an entry at an address that it has. */
  #renew(entry: Entry, known: KnownAddress, sighting: LanSighting): void {
    this.#touch(known);
    entry.version = Math.max(entry.version, sighting.version);
    const { id, instance, addresses } = entry;
    this.#recognition.identify(entry, sighting);
    this.#labels.retag(entry);
    const before = known.run;
    const isOwn = sighting.id === entry.id || sighting.instance === entry.instance;
    if (isOwn) known.run = sighting.instance ?? known.run;
    const isNew = known === addresses.at(-1);
    const isOther = id !== entry.id || instance !== entry.instance;
    if (isNew || isOther || before !== known.run) this.#order(entry);
  }

  #order(entry: Entry): void {
    orderAddresses(entry, (known) => this.#proofs.cover(entry, known));
  }

  /**
   * Whether an entry can take one more address. Where it is full, of the hosts with several of them
   * one makes room: whoever claims a foreign id from many ports must not crowd its owner out.
   */
  #makeRoom(entry: Entry): boolean {
    if (entry.addresses.length < MAX_ADDRESSES) return true;
    const hosts = entry.addresses.map(({ address }) => address.hostname);
    const last = entry.addresses.findLast(({ address: { hostname } }) =>
      hosts.indexOf(hostname) !== hosts.lastIndexOf(hostname)
    );
    if (last === undefined) return false;
    this.#removeAddress(entry, (known) => known === last, "left");
    return true;
  }

  #removeListed(peerId: string, reason: DownReason): void {
    const entry = this.#byPeerId.get(peerId);
    if (entry) this.#removeAddress(entry, (known) => known.peerId === peerId, reason);
  }

  #removeAddress(entry: Entry, gone: (known: KnownAddress) => boolean, reason: DownReason): void {
    const removed = entry.addresses.filter(gone);
    if (removed.length === 0) return;
    this.#answered.clear();
    const last = this.#snapshot(entry);
    entry.addresses = entry.addresses.filter((known) => !removed.includes(known));
    for (const { via, address, peerId } of removed) {
      this.#recognition.unlearn(entry, address, via);
      if (peerId !== undefined) this.#byPeerId.delete(peerId);
      if (via !== "lan") continue;
      const left = (this.#lanPeersOfHost.get(address.hostname) ?? 1) - 1;
      if (left > 0) this.#lanPeersOfHost.set(address.hostname, left);
      else this.#lanPeersOfHost.delete(address.hostname);
    }
    if (entry.addresses.length > 0) return;
    this.#entries.delete(entry.key);
    this.#labels.remove(entry);
    this.#recognition.forget(entry);
    this.emit({ type: "peer_down", peer: last, reason });
  }

  #touch(known: KnownAddress): void {
    this.#answered.clear();
    Object.assign(known, this.#time());
  }

  #time(): { lastSeen: number; seenAt: number } {
    return { lastSeen: this.clock.now(), seenAt: this.clock.monotonic() };
  }

  #snapshot(entry: Entry): Peer {
    const { key, nickname, version, instance, id } = entry;
    const addresses = entry.addresses.map(({ address, via, lastSeen }) => ({
      address,
      via,
      lastSeen,
    }));
    return {
      key,
      nickname,
      label: this.#labels.of(entry),
      version,
      instance,
      id,
      addresses,
      knownForMs: this.clock.monotonic() - entry.knownSince,
    };
  }
}
