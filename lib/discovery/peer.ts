import type { SocketAddress } from "../wire/address.ts";
import type { PeerId } from "../wire/peer_id.ts";

/** How an address was found. */
export type Via = "lan" | "bootstrap";

/** One way to reach a peer. */
export interface PeerAddress {
  readonly address: SocketAddress;
  readonly via: Via;
  /** Wall-clock time of the last sign of life, in milliseconds since the Unix epoch. */
  readonly lastSeen: number;
}

/** A peer as it is known now. */
export interface Peer {
  /** Names this peer for as long as it is known; means nothing outside this process. */
  readonly key: number;
  readonly nickname: string;
  /**
   * The nickname where it is the only one, else `nickname~tag`; the tag is the start of the
   * id, of the instance where there is no id, or the address of a peer that has neither.
   */
  readonly label: string;
  /** Protocol version that it announced. */
  readonly version: number;
  /** 64 random bits of its run, in hexadecimal; unknown of version 1 peers. */
  readonly instance: string | undefined;
  /**
   * Who it claims to be, which anybody can do: only a session proves it. Once claimed, it stays
   * for as long as the peer is known.
   */
  readonly id: PeerId | undefined;
  /** In the order in which to try them; at least one. */
  readonly addresses: readonly PeerAddress[];
  /** How long it has been known, in milliseconds. */
  readonly knownForMs: number;
}

/** Why a peer is gone. */
export type DownReason = "goodbye" | "timeout" | "left";

/** What changed in the registry. */
export type PresenceEvent =
  | { readonly type: "peer_up"; readonly peer: Peer }
  | { readonly type: "peer_down"; readonly peer: Peer; readonly reason: DownReason };
