import { type Clock, systemClock } from "./base/clock.ts";
import { type Log, silentLog } from "./base/log.ts";
import { type Random, systemRandom } from "./base/random.ts";
import type { Introduction } from "./chat/introductions.ts";
import type { DeliveryState } from "./chat/delivery.ts";
import type { MessageSettings } from "./chat/messages.ts";
import type { PeerTrust, PlaintextPolicy } from "./chat/trust.ts";
import type { BootstrapState } from "./discovery/bootstrap_client.ts";
import type { PresenceEvent } from "./discovery/peer.ts";
import type { Identity } from "./identity/identity.ts";
import type { KnownPeers } from "./identity/known_peers.ts";
import type { ContactName } from "./store/contacts.ts";
import type { Store } from "./store/store.ts";
import type { LanNetwork } from "./transport/datagram.ts";
import type { Transport } from "./transport/stream.ts";
import { tcpTransport } from "./transport/tcp.ts";
import type { DialTextChannel } from "./transport/text_channel.ts";
import { udpNetwork } from "./transport/udp.ts";
import type { SocketAddress } from "./wire/address.ts";
import { DEFAULT_MAX_CONTENT_BYTES, type Message } from "./wire/message.ts";
import type { MessageId } from "./wire/message_id.ts";
import type { PeerId } from "./wire/peer_id.ts";

export type { DownReason, Peer, PeerAddress, Via } from "./discovery/peer.ts";
export type { BootstrapState } from "./discovery/bootstrap_client.ts";
export type { Message } from "./wire/message.ts";
export type { SafetyNumber } from "./chat/contacts.ts";
export type { PeerTrust, PlaintextPolicy } from "./chat/trust.ts";

/** Where a node looks for peers. */
export type Mode = "local" | "internet" | "both";

/** What a node is asked to be. Times are in milliseconds. */
export interface NodeOptions {
  readonly nickname: string;
  readonly mode: Mode;
  /** `ws://` or `wss://`; used unless the mode is `local`. */
  readonly bootstrapServer: string;
  /** Fixed TCP port; 0 lets the system choose. */
  readonly port: number;
  /** Addresses of the interfaces to use for LAN discovery; all when empty. */
  readonly interfaces: readonly string[];
  /** Time from one announce on the LAN to the next. */
  readonly announceIntervalMs: number;
  /** Silence on the LAN after which a peer is dropped. */
  readonly peerTimeoutMs: number;
  /** Time from one heartbeat to the bootstrap server to the next. */
  readonly heartbeatIntervalMs: number;
  /** How long listed peers stay known while the bootstrap server is out of reach. */
  readonly bootstrapPeerTimeoutMs: number;
  /** Content above this many bytes of UTF-8 is neither sent nor accepted. */
  readonly maxContentBytes: number;
  /** Without it the node proves nothing, encrypts nothing, and is to others a version 1 peer. */
  readonly security?: NodeSecurity;
  /** Without it nothing is kept, and nothing waits for who is away. */
  readonly history?: NodeHistory;
}

/** What a node keeps of what was said. */
export interface NodeHistory extends MessageSettings {
  /** Belongs to the caller, who closes it after the node. */
  readonly store: Store;
  /**
   * Whether the store outlives the program, as it does unless this is `false`. Where it does not,
   * what comes in is shown, and not acknowledged: its senders keep it.
   */
  readonly isDurable?: boolean;
  /** Whether what an earlier run has received and not shown is told, as it is unless `false`. */
  readonly showsLeft?: boolean;
  /** Why what earlier runs have kept is not available, where it is not; the user is told. */
  readonly problem?: string;
}

/** Who a node is, whom it has met, and what it does with plain text. */
export interface NodeSecurity {
  readonly identity: Identity;
  /** Belongs to the caller, who disposes of it after the node. */
  readonly knownPeers: KnownPeers;
  readonly plaintext: PlaintextPolicy;
}

/** The defaults of protocol version 1 (section 4), for all but the nickname. */
export const defaultNodeOptions: Omit<NodeOptions, "nickname"> = {
  mode: "local",
  bootstrapServer: "ws://localhost:8080",
  port: 0,
  interfaces: [],
  announceIntervalMs: 5000,
  peerTimeoutMs: 15_000,
  heartbeatIntervalMs: 10_000,
  bootstrapPeerTimeoutMs: 30_000,
  maxContentBytes: DEFAULT_MAX_CONTENT_BYTES,
};

/** The world around a node; tests bring their own. */
export interface NodeEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly transport: Transport;
  readonly lan: LanNetwork;
  readonly dialTextChannel: DialTextChannel;
}

/** This machine, and no log. */
export const systemEnvironment: NodeEnvironment = {
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  transport: tcpTransport,
  lan: udpNetwork,
  // Loaded when a bootstrap server is used.
  dialTextChannel: async (url, signal) => {
    const { dialWebSocket } = await import("./transport/websocket.ts");
    return dialWebSocket(url, signal);
  },
};

/** What happens at a node. */
export type NodeEvent =
  | PresenceEvent
  | {
    readonly type: "message";
    readonly message: Message;
    /** Its sender's id for it; none in plain text. */
    readonly messageId?: MessageId;
    /** Where the sender uses this node's own nickname: what tells it from oneself. */
    readonly label?: string;
    /** The proved id of the sender; none in plain text. */
    readonly id?: PeerId;
    readonly encrypted: boolean;
    readonly trust: PeerTrust;
    /** The remote address of the connection that it came on, if that was in this run. */
    readonly address?: SocketAddress;
    /** Whether it came in an earlier run, which may not have shown it, or just so. */
    readonly isEarlier?: boolean;
  }
  | {
    /** A message that was accepted for sending has come further, or waits again. */
    readonly type: "delivery";
    readonly messageId: MessageId;
    readonly to: ContactName;
    readonly content: string;
    readonly state: DeliveryState;
    /** Why it failed, or waits again. */
    readonly reason?: string;
    /** What was given with the message, if this run has sent it. */
    readonly tag?: unknown;
  }
  | {
    readonly type: "bootstrap";
    readonly state: BootstrapState;
    readonly url: string;
    /** Why the server is out of reach; with `disconnected`. */
    readonly reason?: string;
  }
  | {
    /** Something does not work, and the node goes on without it. */
    readonly type: "problem";
    readonly message: string;
  }
  | Introduction & {
    /** Somebody proved an id for the first time, under a new nickname, or under a taken one. */
    readonly type: "identity";
    /** Where the nickname is this node's own: what tells the peer from oneself. */
    readonly label?: string;
  };

/** What an event counts for beside its text: about what it takes in memory. */
const EVENT_WEIGHT = 1024;

/** What an event takes in memory, about, in UTF-16 units. */
export function eventWeight(event: NodeEvent): number {
  if (event.type === "message") return EVENT_WEIGHT + event.message.content.length;
  return EVENT_WEIGHT + (event.type === "delivery" ? event.content.length : 0);
}
