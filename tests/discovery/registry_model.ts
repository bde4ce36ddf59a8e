import type { BootstrapSighting, LanSighting } from "../../lib/discovery/registry.ts";
import { formatAddress } from "../../lib/wire/address.ts";

interface ModelAddress {
  at: string;
  host: string;
  via: "lan" | "bootstrap";
  peerId?: string;
  seenAt: number;
}

export interface ModelPeer {
  nickname: string;
  version: number;
  instance: string | undefined;
  addresses: ModelAddress[];
}

/**
 * What a registry is to know, the simple way: one list that is searched from end to end. Limits
 * are left out.
 */
export class RegistryModel {
  peers: ModelPeer[] = [];
  /** Listed address and nickname, and the first peer that was there. */
  #listings: { address: string; peer: ModelPeer }[] = [];

  sawOnLan(sighting: LanSighting, now: number): void {
    const { nickname, address: { hostname: host } } = sighting;
    const at = formatAddress(sighting.address);
    let peer = this.#match(sighting);
    const holder = this.#holder(at);
    if (peer !== undefined && peer.nickname !== nickname) {
      if (peer !== holder) return this.sawOnLan({ ...sighting, instance: undefined }, now);
      this.#remove(peer, () => true);
      peer = this.#match(sighting);
    } else if (holder !== undefined && holder !== peer) {
      this.#remove(holder, (known) => known.via === "lan" && known.at === at);
    }
    const known = peer?.addresses.find(({ via, at: other }) => via === "lan" && other === at);
    if (known !== undefined) known.seenAt = now;
    else {
      peer ??= this.#make(nickname);
      const isSame = (known: ModelAddress) => known.via !== "lan" && known.host === host;
      const before = peer.addresses.some(isSame) ? peer.addresses.findIndex(isSame) : Infinity;
      peer.addresses.splice(before, 0, { at, host, via: "lan", seenAt: now });
    }
    peer!.version = Math.max(peer!.version, sighting.version);
    peer!.instance ??= sighting.instance;
  }

  saidGoodbye(nickname: string, instance: string | undefined, host: string): void {
    for (const peer of [...this.peers]) {
      const isHere = (known: ModelAddress) => known.via === "lan" && known.host === host;
      if (peer.nickname !== nickname || !peer.addresses.some(isHere)) continue;
      if (instance !== undefined && peer.instance !== instance) continue;
      const isFirst = instance !== undefined && peer.addresses[0].host === host;
      this.#remove(peer, isFirst ? ({ via }) => via === "lan" : isHere);
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
    const { peerId, nickname, version, address: { hostname: host } } = sighting;
    const at = formatAddress(sighting.address);
    for (const peer of this.peers) {
      const known = peer.addresses.find((other) => other.peerId === peerId);
      if (known !== undefined && known.at === at && peer.nickname === nickname) return;
    }
    this.#removeListed(peerId);
    let { instance } = sighting;
    let peer = this.#match(sighting);
    if (peer !== undefined && peer.nickname !== nickname) {
      instance = undefined;
      peer = this.#match({ ...sighting, instance });
    }
    peer ??= this.#make(nickname);
    peer.addresses.push({ at, host, via: "bootstrap", peerId, seenAt });
    peer.version = Math.max(peer.version, version);
    peer.instance ??= instance;
    const address = `${at} ${nickname}`;
    if (!this.#listings.some((entry) => entry.address === address)) {
      this.#listings.push({ address, peer });
    }
  }

  #match({ instance, nickname, address }: LanSighting): ModelPeer | undefined {
    const own = this.peers.find((peer) => instance !== undefined && peer.instance === instance);
    if (own !== undefined) return own;
    const at = formatAddress(address);
    const listed = this.#listings.find((entry) => entry.address === `${at} ${nickname}`)?.peer;
    return [this.#holder(at), listed].find((peer) =>
      peer?.nickname === nickname && (instance === undefined || peer.instance === undefined)
    );
  }

  #holder(at: string): ModelPeer | undefined {
    return this.peers.find(({ addresses }) =>
      addresses.some(({ via, at: other }) => via === "lan" && other === at)
    );
  }

  #make(nickname: string): ModelPeer {
    const peer: ModelPeer = { nickname, version: 1, instance: undefined, addresses: [] };
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
