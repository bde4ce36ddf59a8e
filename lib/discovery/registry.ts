import type { Clock } from "../base/clock.ts";
import type { Refusals } from "../base/refusals.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import { type DownReason, type Peer, type PeerAddress, type PresenceEvent } from "./peer.ts";

/** Peers that one host may announce on a LAN: many more than people share a machine. */
const MAX_LAN_PEERS_PER_HOST = 256;
/** Peers that are known by LAN discovery at the same time. */
const MAX_LAN_PEERS = 4096;
/** Peers that are taken from a bootstrap server. */
export const MAX_BOOTSTRAP_PEERS = 10_000;
/** Addresses of one peer; a machine with more interfaces is reached by the first ones. */
const MAX_ADDRESSES = 16;

/** A sign of life on a LAN. */
export interface LanSighting {
  readonly nickname: string;
  readonly address: SocketAddress;
  readonly version: number;
  readonly instance?: string;
}

/** A peer in a bootstrap server's list. */
export interface BootstrapSighting extends LanSighting {
  /** The server's name for the registration. */
  readonly peerId: string;
}

/** An address as the registry keeps it. */
interface KnownAddress extends PeerAddress {
  lastSeen: number;
  /** The clock's monotonic time of the last sign of life. */
  seenAt: number;
  readonly peerId?: string;
}

interface Entry {
  readonly key: number;
  nickname: string;
  version: number;
  instance: string | undefined;
  /** What tells it from its namesakes: the start of the instance, or its first address. */
  tag: string;
  addresses: KnownAddress[];
  /** The clock's monotonic time of the first sign of life. */
  readonly knownSince: number;
}

/** Digits of the instance in a tag, as long as no namesake begins with the same ones. */
const TAG_DIGITS = 4;

/**
 * Who is where. Sightings go in, presence events come out. The same peer found on several
 * interfaces or in several ways is one peer with several addresses: by its instance where it has
 * one, by its address where it has none.
 */
export class PeerRegistry {
  readonly #entries = new Map<number, Entry>();
  readonly #byInstance = new Map<string, Entry>();
  readonly #byLanAddress = new Map<string, Entry>();
  readonly #byPeerId = new Map<string, Entry>();
  /** By listed address and nickname; of several runs there the first one. */
  readonly #byListing = new Map<string, Entry>();
  readonly #lanPeersOfHost = new Map<string, number>();
  readonly #byNickname = new Map<string, Set<Entry>>();
  /** How many peers would have the label `nickname~tag`. */
  readonly #tagged = new Map<string, number>();
  #nextKey = 1;

  /**
   * @param ownNickname Another peer of this name gets a tag in its label, too.
   * @param emit Takes each change, at once.
   */
  constructor(
    private readonly clock: Clock,
    private readonly refusals: Refusals,
    private readonly ownNickname: string,
    private readonly emit: (event: PresenceEvent) => void,
  ) {}

  /** How many peers are known. */
  get size(): number {
    return this.#entries.size;
  }

  /** All known peers, the longest known first. */
  peers(): Peer[] {
    return [...this.#entries.values()].map((entry) => this.#snapshot(entry));
  }

  /** The peers that answer to `nickname`. */
  named(nickname: string): Peer[] {
    return [...this.#byNickname.get(nickname) ?? []].map((entry) => this.#snapshot(entry));
  }

  /** The peer with this key, if it is still known. */
  get(key: number): Peer | undefined {
    const entry = this.#entries.get(key);
    return entry && this.#snapshot(entry);
  }

  /** Takes an announce from a LAN. */
  sawOnLan(sighting: LanSighting): void {
    const { address, nickname } = sighting;
    const at = formatAddress(address);
    const holder = this.#byLanAddress.get(at);
    let entry = this.#match(sighting);
    if (entry !== undefined && entry.nickname !== nickname) {
      // Only from where it is already known: else anybody could rename anybody by its instance.
      if (holder !== entry) {
        this.refusals.add("instance that belongs to another nickname", () => at);
        // Still somebody: whoever came first with a foreign instance must not hide its owner.
        return this.sawOnLan({ ...sighting, instance: undefined });
      }
      this.#drop(entry, "left");
      entry = this.#match(sighting);
    } else if (holder !== undefined && holder !== entry) {
      // Another run, or another name, behind an address that can belong to one peer only.
      this.#removeAddress(holder, (known) => known.via === "lan" && sameAs(known, address), "left");
    }
    const known = entry?.addresses.find(({ via, address: other }) =>
      via === "lan" && formatAddress(other) === at
    );
    if (entry !== undefined && known !== undefined) {
      this.#touch(known);
      this.#identify(entry, sighting);
      return;
    }
    const ofHost = this.#lanPeersOfHost.get(address.hostname) ?? 0;
    if (ofHost >= MAX_LAN_PEERS_PER_HOST) {
      return this.refusals.add(
        `announce above the limit of ${MAX_LAN_PEERS_PER_HOST} peers of one host`,
        () => address.hostname,
      );
    }
    if (this.#byLanAddress.size >= MAX_LAN_PEERS) {
      return this.refusals.add(`announce above the limit of ${MAX_LAN_PEERS} peers`, () => at);
    }
    if (entry !== undefined && entry.addresses.length >= MAX_ADDRESSES) {
      return this.refusals.add(`address above the limit of ${MAX_ADDRESSES} of one peer`, () => at);
    }
    this.#lanPeersOfHost.set(address.hostname, ofHost + 1);
    this.#add(entry, sighting, { address, via: "lan", ...this.#time() });
  }

  /**
   * Takes a goodbye. It counts only for peers that are known at the host that it comes from.
   *
   * @param hostname Where the datagram came from.
   */
  saidGoodbye(nickname: string, instance: string | undefined, hostname: string): void {
    for (const entry of [...this.#byNickname.get(nickname) ?? []]) {
      if (instance !== undefined && entry.instance !== instance) continue;
      const isHere = (known: KnownAddress) =>
        known.via === "lan" && known.address.hostname === hostname;
      if (!entry.addresses.some(isHere)) continue;
      // Where it was seen first, it speaks for all its interfaces; a host that joined later may be
      // somebody else who uses its instance, and speaks for itself alone.
      const isFirst = instance !== undefined && entry.addresses[0].address.hostname === hostname;
      const leaves = isFirst ? (known: KnownAddress) => known.via === "lan" : isHere;
      this.#removeAddress(entry, leaves, "goodbye");
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
        (known) => known.via === "lan" && known.seenAt < limit,
        "timeout",
      );
    }
  }

  #sawInList(sighting: BootstrapSighting): void {
    const { peerId, address, nickname } = sighting;
    const listed = this.#byPeerId.get(peerId);
    if (listed !== undefined) {
      const known = listed.addresses.find((other) => other.peerId === peerId)!;
      if (listed.nickname === nickname && sameAs(known, address)) return this.#touch(known);
      this.#removeListed(peerId, "left");
    }
    let own: LanSighting = sighting;
    let entry = this.#match(own);
    if (entry !== undefined && entry.nickname !== nickname) {
      // Anybody may register with anybody's instance: under another name it proves nothing.
      own = { ...sighting, instance: undefined };
      entry = this.#match(own);
    }
    if (entry !== undefined && entry.addresses.length >= MAX_ADDRESSES) {
      return this.refusals.add(
        `address above the limit of ${MAX_ADDRESSES} of one peer`,
        () => formatAddress(address),
      );
    }
    this.#add(entry, own, { address, via: "bootstrap", peerId, ...this.#time() });
  }

  /**
   * The entry that a sighting belongs to: by its instance, even under another nickname; else by
   * address and nickname, where one of the two has no instance (two are two runs).
   */
  #match({ instance, nickname, address }: LanSighting): Entry | undefined {
    const own = instance === undefined ? undefined : this.#byInstance.get(instance);
    if (own !== undefined) return own;
    const candidates = [
      this.#byLanAddress.get(formatAddress(address)),
      this.#byListing.get(listing(nickname, address)),
    ];
    return candidates.find((entry) =>
      entry?.nickname === nickname && (instance === undefined || entry.instance === undefined)
    );
  }

  #add(entry: Entry | undefined, sighting: LanSighting, address: KnownAddress): void {
    const isNew = entry === undefined;
    if (entry === undefined) {
      entry = {
        key: this.#nextKey++,
        nickname: sighting.nickname,
        version: sighting.version,
        instance: undefined,
        tag: formatAddress(address.address),
        addresses: [],
        knownSince: this.clock.monotonic(),
      };
      this.#entries.set(entry.key, entry);
      const named = this.#byNickname.get(entry.nickname) ?? new Set();
      this.#byNickname.set(entry.nickname, named.add(entry));
      this.#countTag(entry, 1);
    }
    this.#identify(entry, sighting);
    // The order of trying: the longest known first, and of one host the LAN, which is nearer. Somebody
    // else can add himself to a peer by its instance, which is public, and must not come before it.
    const lan = address.via === "lan";
    const { hostname } = address.address;
    const index = lan
      ? entry.addresses.findIndex((known) =>
        known.via !== "lan" && known.address.hostname === hostname
      )
      : -1;
    entry.addresses.splice(index < 0 ? entry.addresses.length : index, 0, address);
    if (lan) this.#byLanAddress.set(formatAddress(address.address), entry);
    if (address.peerId !== undefined) {
      this.#byPeerId.set(address.peerId, entry);
      const listed = listing(entry.nickname, address.address);
      if (!this.#byListing.has(listed)) this.#byListing.set(listed, entry);
    }
    if (isNew) this.emit({ type: "peer_up", peer: this.#snapshot(entry) });
  }

  #identify(entry: Entry, { instance, version }: LanSighting): void {
    entry.version = Math.max(entry.version, version);
    if (instance === undefined || entry.instance !== undefined) return;
    this.#countTag(entry, -1);
    entry.instance = instance;
    entry.tag = instance.slice(0, TAG_DIGITS);
    this.#countTag(entry, 1);
    this.#byInstance.set(instance, entry);
  }

  #removeListed(peerId: string, reason: DownReason): void {
    const entry = this.#byPeerId.get(peerId);
    if (entry) this.#removeAddress(entry, (known) => known.peerId === peerId, reason);
  }

  #drop(entry: Entry, reason: DownReason): void {
    this.#removeAddress(entry, () => true, reason);
  }

  #removeAddress(entry: Entry, gone: (known: KnownAddress) => boolean, reason: DownReason): void {
    const removed = entry.addresses.filter(gone);
    if (removed.length === 0) return;
    const last = this.#snapshot(entry);
    entry.addresses = entry.addresses.filter((known) => !removed.includes(known));
    for (const { via, address, peerId } of removed) {
      if (peerId !== undefined) {
        this.#byPeerId.delete(peerId);
        this.#unlist(entry, address);
      }
      if (via !== "lan") continue;
      this.#byLanAddress.delete(formatAddress(address));
      const left = (this.#lanPeersOfHost.get(address.hostname) ?? 1) - 1;
      if (left > 0) this.#lanPeersOfHost.set(address.hostname, left);
      else this.#lanPeersOfHost.delete(address.hostname);
    }
    if (entry.addresses.length > 0) return;
    this.#entries.delete(entry.key);
    this.#countTag(entry, -1);
    if (entry.instance !== undefined) this.#byInstance.delete(entry.instance);
    const named = this.#byNickname.get(entry.nickname)!;
    named.delete(entry);
    if (named.size === 0) this.#byNickname.delete(entry.nickname);
    this.emit({ type: "peer_down", peer: last, reason });
  }

  /** Forgets that a list named `address` for `entry`, unless another registration still does. */
  #unlist(entry: Entry, address: SocketAddress): void {
    if (entry.addresses.some((known) => known.via !== "lan" && sameAs(known, address))) return;
    const listed = listing(entry.nickname, address);
    if (this.#byListing.get(listed) === entry) this.#byListing.delete(listed);
  }

  #touch(known: KnownAddress): void {
    Object.assign(known, this.#time());
  }

  #time(): { lastSeen: number; seenAt: number } {
    return { lastSeen: this.clock.now(), seenAt: this.clock.monotonic() };
  }

  #snapshot(entry: Entry): Peer {
    const { key, nickname, version, instance } = entry;
    const addresses = entry.addresses.map(({ address, via, lastSeen }) => ({
      address,
      via,
      lastSeen,
    }));
    return {
      key,
      nickname,
      label: this.#label(entry),
      version,
      instance,
      addresses,
      knownForMs: this.clock.monotonic() - entry.knownSince,
    };
  }

  #label(entry: Entry): string {
    const namesakes = this.#byNickname.get(entry.nickname)!;
    if (namesakes.size === 1 && entry.nickname !== this.ownNickname) return entry.nickname;
    const short = `${entry.nickname}~${entry.tag}`;
    // A peer chooses its instance, so the short form may be taken on purpose: then all digits.
    return this.#tagged.get(short) === 1 || entry.instance === undefined
      ? short
      : `${entry.nickname}~${entry.instance}`;
  }

  #countTag({ nickname, tag }: Entry, by: 1 | -1): void {
    const label = `${nickname}~${tag}`;
    const count = (this.#tagged.get(label) ?? 0) + by;
    if (count > 0) this.#tagged.set(label, count);
    else this.#tagged.delete(label);
  }
}

function sameAs(known: PeerAddress, address: SocketAddress): boolean {
  return formatAddress(known.address) === formatAddress(address);
}

function listing(nickname: string, address: SocketAddress): string {
  return `${formatAddress(address)} ${nickname}`;
}
