import type { BootstrapSighting, LanSighting } from "../../lib/discovery/registry.ts";
import { formatAddress } from "../../lib/wire/address.ts";
import type { Goodbye } from "../../lib/wire/announce.ts";

interface ModelAddress {
  at: string;
  host: string;
  via: "lan" | "bootstrap";
  peerId?: string;
  seenAt: number;
  run?: string;
}

export interface ModelPeer {
  nickname: string;
  version: number;
  instance: string | undefined;
  id: string | undefined;
  /** When it took its id or instance, in steps. */
  namedAt: number;
  addresses: ModelAddress[];
}

/**
 * What a registry is to know, the simple way: one list that is searched from end to end. Limits
 * are left out.
 */
export class RegistryModel {
  peers: ModelPeer[] = [];
  #steps = 0;
  #proofs = new Map<string, { instance: string; host: string }>();
  /** Listed address and nickname, and the first peer that was there. */
  #listings: { address: string; peer: ModelPeer }[] = [];

  sawOnLan(sighting: LanSighting, now: number): void {
    const { nickname, address: { hostname: host } } = sighting;
    const at = formatAddress(sighting.address);
    let peer = this.#match(sighting);
    const holder = this.#holder(at);
    if (holder !== undefined && holder !== peer) {
      this.#remove(holder, (known) => known.via === "lan" && known.at === at);
    }
    peer ??= this.#make(nickname);
    let known = peer.addresses.find(({ via, at: other }) => via === "lan" && other === at);
    if (known === undefined) peer.addresses.push(known = { at, host, via: "lan", seenAt: now });
    known.seenAt = now;
    this.#renew(peer, known, sighting);
    const { id, instance } = sighting;
    if (id === undefined || instance === undefined) return;
    this.#remove(
      peer,
      (other) =>
        other.via === "lan" && other.host === host && ![undefined, instance].includes(other.run),
    );
  }

  proved(id: string, instance: string, host: string): void {
    this.#proofs.set(id, { instance, host });
    for (const peer of this.peers) if (peer.id === id) this.#order(peer);
  }

  saidGoodbye({ nickname, instance, id }: Omit<Goodbye, "type">, host: string): void {
    for (const peer of [...this.peers]) {
      const isHere = (known: ModelAddress) => known.via === "lan" && known.host === host;
      if (peer.nickname !== nickname || !peer.addresses.some(isHere)) continue;
      if (id !== undefined && peer.id !== undefined) {
        if (peer.id !== id) continue;
      } else if (instance !== undefined) {
        if (peer.instance !== instance) continue;
      } else if (id !== undefined) continue;
      const isFirst = (id !== undefined || instance !== undefined) &&
        peer.addresses[0].host === host;
      this.#remove(peer, (known) =>
        (isFirst ? known.via === "lan" : isHere(known)) &&
        (!instance || !known.run || known.run === instance));
    }
  }

  listed(sightings: BootstrapSighting[], now: number): void {
    const before = this.peers.flatMap(({ addresses }) =>
      addresses.flatMap(({ peerId }) => peerId ?? [])
    );
    for (const sighting of sightings) this.#sawInList(sighting, now);
    for (const id of before) {
      if (!sightings.some(({ peerId }) => peerId === id)) this.#removeListed(id);
    }
  }

  forgetListed(): void {
    for (const peer of [...this.peers]) this.#remove(peer, ({ via }) => via !== "lan");
  }

  expire(limit: number): void {
    for (const peer of [...this.peers]) {
      this.#remove(peer, ({ via, seenAt }) => via === "lan" && seenAt < limit);
    }
  }

  #sawInList(sighting: BootstrapSighting, seenAt: number): void {
    const { peerId, nickname, address: { hostname: host } } = sighting;
    const at = formatAddress(sighting.address);
    for (const peer of this.peers) {
      const known = peer.addresses.find((other) => other.peerId === peerId);
      if (known === undefined || known.at !== at || peer.nickname !== nickname) continue;
      if (sighting.id === undefined) return;
      if (this.#match(sighting) === peer) return this.#renew(peer, known, sighting);
    }
    this.#removeListed(peerId);
    const peer = this.#match(sighting) ?? this.#make(nickname);
    const known: ModelAddress = { at, host, via: "bootstrap", peerId, seenAt };
    peer.addresses.push(known);
    this.#renew(peer, known, sighting);
    const address = `${at} ${nickname}`;
    if (!this.#listings.some((entry) => entry.address === address)) {
      this.#listings.push({ address, peer });
    }
  }

  #renew(peer: ModelPeer, known: ModelAddress, { id, instance, version }: LanSighting): void {
    const before = `${peer.id} ${peer.instance}`;
    peer.version = Math.max(peer.version, version);
    peer.id ??= id;
    if (peer.id === id) peer.instance = instance ?? peer.instance;
    if (before !== `${peer.id} ${peer.instance}`) peer.namedAt = this.#steps++;
    if (peer.id === id || peer.instance === instance) known.run = instance ?? known.run;
    this.#order(peer);
  }

  #order(peer: ModelPeer): void {
    const proof = this.#proofs.get(peer.id ?? "");
    const isProved = ({ run, host }: ModelAddress) =>
      run === proof?.instance && host === proof?.host;
    const isOlder = ({ run }: ModelAddress) => run !== undefined && run !== peer.instance;
    const groups = [
      peer.addresses.filter((one) => isProved(one)),
      peer.addresses.filter((one) => !isProved(one) && !isOlder(one)),
      peer.addresses.filter((one) => !isProved(one) && isOlder(one)),
    ];
    peer.addresses = groups.flatMap((some) =>
      peer.id === undefined ? some : [
        ...some.filter(({ via }) => via === "lan"),
        ...some.filter(({ via }) => via !== "lan"),
      ]
    );
  }

  #match({ id, instance, nickname, address }: LanSighting): ModelPeer | undefined {
    const at = formatAddress(address);
    const listed = this.#listings.find((entry) => entry.address === `${at} ${nickname}`)?.peer;
    const here = [this.#holder(at), listed].filter((peer) => peer?.nickname === nickname);
    const withoutId = here.find((peer) => {
      const differ = instance && peer!.instance && instance !== peer!.instance;
      return peer!.id === undefined && !differ;
    });
    const own = this.peers.filter((peer) => peer.nickname === nickname);
    if (id !== undefined) return own.find((peer) => peer.id === id) ?? withoutId;
    const run = own.filter((peer) => instance !== undefined && peer.instance === instance)
      .sort((a, b) =>
        Number(a.id !== undefined) - Number(b.id !== undefined) || a.namedAt - b.namedAt
      );
    return here.find((peer) => peer!.id !== undefined) ?? run[0] ?? withoutId;
  }

  #holder(at: string): ModelPeer | undefined {
    return this.peers.find(({ addresses }) =>
      addresses.some(({ via, at: other }) => via === "lan" && other === at)
    );
  }

  #make(nickname: string): ModelPeer {
    const peer: ModelPeer = {
      nickname,
      version: 1,
      instance: undefined,
      id: undefined,
      namedAt: -1,
      addresses: [],
    };
    this.peers.push(peer);
    return peer;
  }

  #removeListed(id: string): void {
    for (const peer of [...this.peers]) this.#remove(peer, ({ peerId }) => peerId === id);
  }

  #remove(peer: ModelPeer, gone: (known: ModelAddress) => boolean): void {
    peer.addresses = peer.addresses.filter((known) => !gone(known));
    this.#listings = this.#listings.filter((entry) =>
      entry.peer !== peer ||
      peer.addresses.some(({ via, at }) =>
        via !== "lan" && `${at} ${peer.nickname}` === entry.address
      )
    );
    if (peer.addresses.length === 0) this.peers = this.peers.filter((other) => other !== peer);
  }
}
