import { AsyncQueue } from "./base/async_queue.ts";
import { type Clock, systemClock } from "./base/clock.ts";
import { type Log, silentLog } from "./base/log.ts";
import { type Random, randomHex, systemRandom } from "./base/random.ts";
import { Refusals } from "./base/refusals.ts";
import { resolveTarget } from "./chat/target.ts";
import type { BootstrapState } from "./discovery/bootstrap_client.ts";
import { LanDiscovery } from "./discovery/lan.ts";
import type { Peer, PresenceEvent } from "./discovery/peer.ts";
import { PeerRegistry } from "./discovery/registry.ts";
import { LimitError, messageOf, ParlanceError } from "./errors.ts";
import { Inbound } from "./peer/inbound.ts";
import { Outbound } from "./peer/outbound.ts";
import type { LanNetwork } from "./transport/datagram.ts";
import type { Listener, Transport } from "./transport/stream.ts";
import { tcpTransport } from "./transport/tcp.ts";
import type { DialTextChannel } from "./transport/text_channel.ts";
import { udpNetwork } from "./transport/udp.ts";
import { formatAddress, type SocketAddress } from "./wire/address.ts";
import {
  DEFAULT_MAX_CONTENT_BYTES,
  encodeMessage,
  type Message,
  utf8Length,
} from "./wire/message.ts";

export type { DownReason, Peer, PeerAddress, Via } from "./discovery/peer.ts";
export type { BootstrapState } from "./discovery/bootstrap_client.ts";
export type { Message } from "./wire/message.ts";

/** What may wait for the user interface before peers are made to wait, in UTF-16 units. */
const EVENTS_HIGH_WATER = 8 * 1024 * 1024;
/** What an event counts for beside its text: about what it takes in memory. */
const EVENT_WEIGHT = 1024;

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
    /** The remote address of the connection that it came on. */
    readonly address: SocketAddress;
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
  };

/**
 * One peer of the network: finds others, sends to them and receives from them. Made by
 * {@linkcode Node.start}, ended by `await using` or its `Symbol.asyncDispose`.
 *
 * @example
 * ```ts
 * await using node = await Node.start({ ...defaultNodeOptions, nickname: "alice" });
 * for await (const event of node.events) {
 *   if (event.type === "peer_up") await node.send(event.peer.label, "hello");
 * }
 * ```
 */
export class Node implements AsyncDisposable {
  readonly nickname: string;
  /** What happens, in order; for one consumer, who makes peers wait when it is slow. */
  readonly events: AsyncIterableIterator<NodeEvent>;
  readonly #events = new AsyncQueue<NodeEvent>(
    EVENTS_HIGH_WATER,
    (event) => EVENT_WEIGHT + (event.type === "message" ? event.message.content.length : 0),
  );
  readonly #options: NodeOptions;
  readonly #environment: NodeEnvironment;
  readonly #refusals: Refusals;
  readonly #registry: PeerRegistry;
  readonly #outbound: Outbound;
  readonly #listener: Listener;
  readonly #parts = new AsyncDisposableStack();

  private constructor(options: NodeOptions, environment: NodeEnvironment, listener: Listener) {
    const { clock, log, transport } = environment;
    this.nickname = options.nickname;
    this.events = this.#events;
    this.#options = options;
    this.#environment = environment;
    this.#listener = listener;
    this.#refusals = new Refusals(clock, log);
    this.#registry = new PeerRegistry(
      clock,
      this.#refusals,
      options.nickname,
      (event) => this.#onPresence(event),
    );
    this.#outbound = this.#parts.use(new Outbound({ clock, transport }));
    this.#parts.use(
      new Inbound({
        clock,
        refusals: this.#refusals,
        listener,
        maxContentBytes: options.maxContentBytes,
        onMessage: (message, address) => this.#events.push({ type: "message", message, address }),
        ready: () => this.#events.ready(),
      }),
    );
  }

  /**
   * Starts a node: listens for messages, then looks for peers. Discovery that does not work is
   * told by a `problem` event and tried again.
   *
   * @throws {ParlanceError} When it cannot listen on the given port.
   */
  static async start(
    options: NodeOptions,
    environment: NodeEnvironment = systemEnvironment,
  ): Promise<Node> {
    const node = new Node(options, environment, listen(options.port, environment.transport));
    try {
      await node.#discover();
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
    return node;
  }

  /** The TCP port on which messages arrive. */
  get tcpPort(): number {
    return this.#listener.address.port;
  }

  /** Everybody who is known now, the longest known first. */
  peers(): Peer[] {
    return this.#registry.peers();
  }

  /**
   * The one peer that `target` stands for now.
   *
   * @throws {UnknownPeerError} When nobody answers to it.
   * @throws {AmbiguousPeerError} When several peers do.
   */
  find(target: string): Peer {
    return resolveTarget(this.#registry, target);
  }

  /** How often input from outside was refused, by cause. */
  get refusals(): Record<string, number> {
    return this.#refusals.totals();
  }

  /**
   * Sends a message.
   *
   * @param target A nickname, or a label `nickname~tag`.
   * @param content Any text up to the limit; lone surrogates are sent as U+FFFD.
   * @returns The peer, once the network has taken the message.
   * @throws {UnknownPeerError} When nobody answers to the target.
   * @throws {AmbiguousPeerError} When several peers do.
   * @throws {ConnectError} When the peer cannot be reached.
   * @throws {LimitError} When the content is too long, or too much is waiting already.
   */
  async send(target: string, content: string): Promise<Peer> {
    const { maxContentBytes } = this.#options;
    const peer = resolveTarget(this.#registry, target);
    if (content.length * 3 > maxContentBytes && utf8Length(content) > maxContentBytes) {
      throw new LimitError(
        `Cannot send ${utf8Length(content)} bytes to ${JSON.stringify(target)}: ` +
          `a message has at most ${maxContentBytes}; send it in parts`,
      );
    }
    const timestamp = Math.floor(this.#environment.clock.now() / 1000);
    await this.#outbound.send(peer, encodeMessage({ from: this.nickname, content, timestamp }));
    return peer;
  }

  /** Says goodbye, closes everything and ends {@linkcode events}. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Whoever waits for room among the events is let go first.
    this.#events.close();
    await this.#parts.disposeAsync();
  }

  async #discover(): Promise<void> {
    const { mode } = this.#options;
    const instance = randomHex(this.#environment.random, 8);
    if (mode !== "internet") await this.#discoverOnLan(instance);
    if (mode !== "local") await this.#followBootstrapServer(instance);
  }

  async #discoverOnLan(instance: string): Promise<void> {
    const { clock, random, log, lan } = this.#environment;
    const { nickname, interfaces, announceIntervalMs, peerTimeoutMs } = this.#options;
    this.#parts.use(
      await LanDiscovery.start({
        clock,
        random,
        log,
        refusals: this.#refusals,
        network: lan,
        registry: this.#registry,
        nickname,
        instance,
        tcpPort: this.tcpPort,
        announceIntervalMs,
        timeoutMs: peerTimeoutMs,
        interfaces,
        ready: () => this.#events.ready(),
        onProblem: (message) => this.#events.push({ type: "problem", message }),
      }),
    );
  }

  async #followBootstrapServer(instance: string): Promise<void> {
    const { BootstrapClient } = await import("./discovery/bootstrap_client.ts");
    const { clock, random, log, dialTextChannel } = this.#environment;
    const { nickname, bootstrapServer: url, heartbeatIntervalMs, bootstrapPeerTimeoutMs } =
      this.#options;
    this.#parts.use(
      new BootstrapClient({
        clock,
        random,
        log,
        refusals: this.#refusals,
        dial: dialTextChannel,
        registry: this.#registry,
        url,
        nickname,
        instance,
        tcpPort: this.tcpPort,
        heartbeatIntervalMs,
        peerTimeoutMs: bootstrapPeerTimeoutMs,
        ready: () => this.#events.ready(),
        onState: (state, reason) => this.#events.push({ type: "bootstrap", state, url, reason }),
        onProblem: (message) => this.#events.push({ type: "problem", message }),
      }),
    );
  }

  #onPresence(event: PresenceEvent): void {
    if (event.type === "peer_down") this.#outbound.forget(event.peer.key);
    this.#events.push(event);
  }
}

function listen(port: number, transport: Transport): Listener {
  const address = { hostname: "0.0.0.0", port };
  try {
    return transport.listen(address);
  } catch (cause) {
    const remedy = port === 0
      ? "does a policy of this system forbid it?"
      : "choose another port with --port, or 0 for any";
    throw new ParlanceError(
      `Cannot listen for messages on TCP ${formatAddress(address)}: ${messageOf(cause)}; ${remedy}`,
      { cause },
    );
  }
}
