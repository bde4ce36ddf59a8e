import { formatAddress, type SocketAddress } from "../wire/address.ts";
import type { PeerId } from "../wire/peer_id.ts";
import type { PeerAddress } from "./peer.ts";

/** A sign of life on a LAN. */
export interface LanSighting {
  readonly nickname: string;
  readonly address: SocketAddress;
  readonly version: number;
  readonly instance?: string;
  /** Who the peer claims to be. */
  readonly id?: PeerId;
}

/** A peer in a bootstrap server's list. */
export interface BootstrapSighting extends LanSighting {
  /** The server's name for the registration. */
  readonly peerId: string;
}

/** An address as the registry keeps it. */
export interface KnownAddress extends PeerAddress {
  lastSeen: number;
  /** The clock's monotonic time of the last sign of life. */
  seenAt: number;
  readonly peerId?: string;
  /** The instance that announced it, where that is known. */
  run: string | undefined;
}

/** A peer as the registry keeps it. */
export interface Entry {
  readonly key: number;
  readonly nickname: string;
  version: number;
  /** Of the newest run. */
  instance: string | undefined;
  id: PeerId | undefined;
  /** What tells it from its namesakes: the start of id or instance, or its first address. */
  tag: string;
  addresses: KnownAddress[];
  /** The clock's monotonic time of the first sign of life. */
  readonly knownSince: number;
}

/** Whether `known` is an address of the LAN. */
export function isLan({ via }: PeerAddress): boolean {
  return via === "lan";
}

/** Whether `known` is a way to `address`. */
export function leadsTo(known: PeerAddress, address: SocketAddress): boolean {
  return formatAddress(known.address) === formatAddress(address);
}

/**
 * Puts the addresses of an entry into the order in which to try them: where its id was proved, then
 * those of the newest run, then those of older runs, and else as they are, the longest known first.
 * Of a peer that has an id the LAN comes before lists, since it is nearer; without one, somebody
 * else who adds himself by the instance, which is public, must not come before the peer.
 */
export function orderAddresses(
  { addresses, instance, id }: Entry,
  isProved: (known: KnownAddress) => boolean,
): void {
  const rank = (known: KnownAddress) => {
    const { run, via } = known;
    const isOlder = run !== undefined && run !== instance;
    const ofRun = isProved(known) ? 0 : isOlder ? 4 : 2;
    return ofRun + (via === "lan" || id === undefined ? 0 : 1);
  };
  addresses.sort((a, b) => rank(a) - rank(b));
}
