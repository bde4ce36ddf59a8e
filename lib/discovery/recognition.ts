import { formatAddress, type SocketAddress } from "../wire/address.ts";
import type { PeerId } from "../wire/peer_id.ts";
import { type Entry, type LanSighting, leadsTo } from "./entry.ts";

/**
 * Which of the known peers a sighting is a sign of.
 *
 * Nothing of a sighting is proved. So an id or an instance counts only together with the nickname:
 * the same one under another nickname is another peer. A peer that has an id keeps it, whoever is
 * seen without one where it is: else a single datagram would have it served in plain text. And a
 * peer without an id gains one only where it is already, else anybody could draw its messages away.
 */
export class Recognition {
  readonly #byId = new Map<PeerId, Map<string, Entry>>();
  /** By instance and nickname, of the peers without an id. */
  readonly #byInstance = new Map<string, Entry>();
  /** By instance and nickname, of the peers with an id, which may differ. */
  readonly #byInstanceWithId = new Map<string, Set<Entry>>();
  readonly #byLanAddress = new Map<string, Entry>();
  /** By listed address and nickname; of several runs there the first one. */
  readonly #byListing = new Map<string, Entry>();

  /** How many addresses on the LAN are known. */
  get lanSize(): number {
    return this.#byLanAddress.size;
  }

  /** The entries that claim an id. */
  withId(id: PeerId): Iterable<Entry> {
    return this.#byId.get(id)?.values() ?? [];
  }

  /** The entry that is known at an address of the LAN, whatever its nickname. */
  holder(address: SocketAddress): Entry | undefined {
    return this.#byLanAddress.get(formatAddress(address));
  }

  /** The entry that a sighting belongs to. */
  match(sighting: LanSighting): Entry | undefined {
    const { id, instance, nickname, address } = sighting;
    if (id !== undefined) {
      return this.#byId.get(id)?.get(nickname) ?? this.#withoutIdAt(sighting);
    }
    const named = this.#at(nickname, address).find((entry) => entry.id !== undefined);
    if (named !== undefined) return named;
    if (instance !== undefined) {
      const run = runKey(instance, nickname);
      const [first] = this.#byInstanceWithId.get(run) ?? [];
      const own = this.#byInstance.get(run) ?? first;
      if (own !== undefined) return own;
    }
    return this.#withoutIdAt(sighting);
  }

  /** Takes the id and the instance of an entry that has been matched, or is new. */
  identify(entry: Entry, { id, instance }: LanSighting): void {
    const newId = entry.id ?? id;
    // Who does not say the id may be anybody at the same address, or a list of an older server.
    const newInstance = newId === id ? instance ?? entry.instance : entry.instance;
    if (newId === entry.id && newInstance === entry.instance) return;
    this.#forgetRun(entry);
    entry.id = newId;
    entry.instance = newInstance;
    this.#learnRun(entry);
    if (entry.id === undefined) return;
    const claimants = this.#byId.get(entry.id) ?? new Map<string, Entry>();
    this.#byId.set(entry.id, claimants.set(entry.nickname, entry));
  }

  /** Takes a new address of an entry. */
  learn(entry: Entry, address: SocketAddress, via: "lan" | "bootstrap"): void {
    if (via === "lan") this.#byLanAddress.set(formatAddress(address), entry);
    else {
      const listed = listingKey(entry.nickname, address);
      if (!this.#byListing.has(listed)) this.#byListing.set(listed, entry);
    }
  }

  /** Forgets an address that has been taken off an entry, unless another list entry names it. */
  unlearn(entry: Entry, address: SocketAddress, via: "lan" | "bootstrap"): void {
    if (via === "lan") {
      this.#byLanAddress.delete(formatAddress(address));
      return;
    }
    if (entry.addresses.some((known) => known.via !== "lan" && leadsTo(known, address))) return;
    const listed = listingKey(entry.nickname, address);
    if (this.#byListing.get(listed) === entry) this.#byListing.delete(listed);
  }

  /** Forgets an entry that has no addresses any more. */
  forget(entry: Entry): void {
    this.#forgetRun(entry);
    if (entry.id === undefined) return;
    const claimants = this.#byId.get(entry.id);
    claimants?.delete(entry.nickname);
    if (claimants?.size === 0) this.#byId.delete(entry.id);
  }

  /** The entries of a nickname that are known at an address. */
  #at(nickname: string, address: SocketAddress): Entry[] {
    return [this.holder(address), this.#byListing.get(listingKey(nickname, address))]
      .filter((entry) => entry?.nickname === nickname) as Entry[];
  }

  /** An entry without an id where the sighting is, unless two instances make them two runs. */
  #withoutIdAt({ nickname, address, instance }: LanSighting): Entry | undefined {
    return this.#at(nickname, address).find((entry) =>
      entry.id === undefined &&
      (instance === undefined || entry.instance === undefined || entry.instance === instance)
    );
  }

  #learnRun(entry: Entry): void {
    if (entry.instance === undefined) return;
    const run = runKey(entry.instance, entry.nickname);
    if (entry.id === undefined) {
      this.#byInstance.set(run, entry);
      return;
    }
    const others = this.#byInstanceWithId.get(run) ?? new Set();
    this.#byInstanceWithId.set(run, others.add(entry));
  }

  #forgetRun(entry: Entry): void {
    if (entry.instance === undefined) return;
    const run = runKey(entry.instance, entry.nickname);
    if (entry.id === undefined) {
      this.#byInstance.delete(run);
      return;
    }
    const others = this.#byInstanceWithId.get(run);
    others?.delete(entry);
    if (others?.size === 0) this.#byInstanceWithId.delete(run);
  }
}

function runKey(instance: string, nickname: string): string {
  return `${instance} ${nickname}`;
}

function listingKey(nickname: string, address: SocketAddress): string {
  return `${formatAddress(address)} ${nickname}`;
}
