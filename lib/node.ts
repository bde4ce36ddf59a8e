import { AsyncQueue } from "./base/async_queue.ts";
import { type Clock, systemClock } from "./base/clock.ts";
import { type Log, silentLog } from "./base/log.ts";
import { type Random, randomHex, systemRandom } from "./base/random.ts";
import { Refusals } from "./base/refusals.ts";
import { resolveTarget } from "./chat/target.ts";
import { type PeerTrust, type PlaintextPolicy, TrustPolicy } from "./chat/trust.ts";
import type { BootstrapState } from "./discovery/bootstrap_client.ts";
import { LanDiscovery } from "./discovery/lan.ts";
import type { Peer, PresenceEvent } from "./discovery/peer.ts";
import { PeerRegistry } from "./discovery/registry.ts";
import { InvalidInputError, LimitError, messageOf, ParlanceError } from "./errors.ts";
import type { Identity } from "./identity/identity.ts";
import type { KnownPeers } from "./identity/known_peers.ts";
import { Inbound } from "./peer/inbound.ts";
import { Outbound } from "./peer/outbound.ts";
import type { Session } from "./peer/session.ts";
import type { Sessions } from "./peer/sessions.ts";
import type { LanNetwork } from "./transport/datagram.ts";
import type { Listener, Stream, Transport } from "./transport/stream.ts";
import { tcpTransport } from "./transport/tcp.ts";
import type { DialTextChannel } from "./transport/text_channel.ts";
import { udpNetwork } from "./transport/udp.ts";
import { formatAddress, type SocketAddress } from "./wire/address.ts";
import { identifyCertificate } from "./wire/certificate.ts";
import { parsePeerId, type PeerId } from "./wire/peer_id.ts";
import type { SessionMessage } from "./wire/session.ts";
import {
  DEFAULT_MAX_CONTENT_BYTES,
  encodeMessage,
  type Message,
  utf8Length,
} from "./wire/message.ts";

export type { DownReason, Peer, PeerAddress, Via } from "./discovery/peer.ts";
export type { BootstrapState } from "./discovery/bootstrap_client.ts";
export type { Message } from "./wire/message.ts";
export type { PeerTrust, PlaintextPolicy } from "./chat/trust.ts";

/** What may wait for the user interface before peers are made to wait, in UTF-16 units. */
const EVENTS_HIGH_WATER = 8 * 1024 * 1024;
/** What an event counts for beside its text: about what it takes in memory. */
const EVENT_WEIGHT = 1024;

/** Warnings of changed identities in one run: a hostile peer can make any number of them. */
const MAX_WARNINGS = 100;

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
    /** The proved id of the sender; none in plain text. */
    readonly id?: PeerId;
    readonly encrypted: boolean;
    readonly trust: PeerTrust;
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
  }
  | {
    /** Somebody proved an id for the first time, under a new nickname, or under a taken one. */
    readonly type: "identity";
    readonly change: "new" | "renamed" | "changed";
    readonly nickname: string;
    readonly id: PeerId;
    /** With `renamed`: what it was called. */
    readonly formerNickname?: string;
    /** With `changed`: the id that the nickname is known with. */
    readonly knownId?: PeerId;
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
  readonly #instance: string;
  readonly #trust: TrustPolicy | undefined;
  #sessions: Sessions | undefined;
  /** Identities that were warned of in this run. */
  readonly #warned = new Set<string>();
  /** Known peers that discovery has lost while there was a session with them. */
  readonly #gone = new Map<PeerId, Peer>();

  private constructor(options: NodeOptions, environment: NodeEnvironment, listener: Listener) {
    const { clock, log, transport } = environment;
    this.nickname = options.nickname;
    this.events = this.#events;
    this.#options = options;
    this.#environment = environment;
    this.#listener = listener;
    this.#instance = randomHex(environment.random, 8);
    const { security } = options;
    this.#trust = security && new TrustPolicy(security.knownPeers, security.plaintext);
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
        onMessage: (message, address) => this.#onPlainMessage(message, address),
        onHandshake: security && ((stream) => this.#onHandshake(stream)),
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
      await node.#openSessions();
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
    if (this.#trust !== undefined && !target.includes("~")) {
      // Somebody else who takes the nickname, too, does not make it ambiguous.
      const [known] = this.#registry.named(target).filter((peer) => this.#trust!.isKnown(peer));
      if (known !== undefined) return known;
      // Anybody can say goodbye in another's name, but not end a session.
      const gone = this.#gone.get(this.#known.byNickname(target)?.id ?? "" as PeerId);
      if (gone?.nickname === target && this.isConnected(gone)) return gone;
    }
    return resolveTarget(this.#registry, target);
  }

  /** What is known of who a peer is. */
  trustOf(peer: Peer): PeerTrust {
    return this.#trust?.ofPeer(peer) ?? "plain";
  }

  /** Whether there is a session with the peer now. */
  isConnected({ id }: Peer): boolean {
    return id !== undefined && this.#sessions?.with(id) !== undefined;
  }

  /** This node's own id. */
  get id(): PeerId | undefined {
    return this.#options.security?.identity.id;
  }

  /**
   * Gives a nickname to an id that took it from another one: the user's answer to a changed
   * identity.
   *
   * @returns The id.
   * @throws {ParlanceError} When it is unknown or unclear which id is meant, or it has none.
   */
  trust(target: string): PeerId {
    const { nickname, id } = this.#withId(resolveTarget(this.#strangers(), target));
    this.#known.accept(nickname, id);
    return id;
  }

  /**
   * The safety number of this node and another peer: the same on both sides.
   *
   * @returns 60 decimal digits in groups of five, and whether the user has compared it before.
   */
  async safetyNumber(target: string): Promise<{ number: string; id: PeerId; verified: boolean }> {
    const { safetyNumber } = await import("./wire/safety_number.ts");
    const id = this.#idOf(target);
    const verified = this.#known.byId(id)?.verified ?? false;
    return { number: await safetyNumber(this.id!, id), id, verified };
  }

  /** Records that the user has compared the safety number. */
  verify(target: string): PeerId {
    const id = this.#idOf(target);
    if (!this.#known.verify(id)) {
      throw new ParlanceError(
        `Cannot verify ${JSON.stringify(target)}: there was no session with it yet; send it a ` +
          "message first",
      );
    }
    return id;
  }

  /** Ends the session with a peer and refuses all others with its id. */
  block(target: string): PeerId {
    const id = this.#idOf(target);
    this.#known.block(id);
    void this.#sessions?.drop(id, "blocked");
    return id;
  }

  /** Takes a block back. */
  unblock(target: string): PeerId {
    const id = this.#idOf(target);
    if (!this.#known.unblock(id)) {
      throw new ParlanceError(`Cannot unblock ${JSON.stringify(target)}: it is not blocked`);
    }
    return id;
  }

  /** Forgets who a nickname, or an id, stands for. */
  forget(target: string): PeerId {
    const isKnown = this.#known.byNickname(target) !== undefined;
    const forgotten = this.#known.forget(isKnown ? target : this.#idOf(target));
    if (forgotten === undefined) {
      throw new ParlanceError(
        `Cannot forget ${JSON.stringify(target)}: nobody is known by this nickname or id`,
      );
    }
    return forgotten.id;
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
   * @returns The peer, once it has acknowledged the message; a version 1 peer, which does not do
   *   that, once the network has taken it.
   * @throws {UnknownPeerError} When nobody answers to the target.
   * @throws {AmbiguousPeerError} When several peers do.
   * @throws {ConnectError} When the peer cannot be reached.
   * @throws {LimitError} When the content is too long, or too much is waiting already.
   */
  async send(target: string, content: string): Promise<Peer> {
    const { maxContentBytes } = this.#options;
    const peer = this.find(target);
    if (content.length * 3 > maxContentBytes && utf8Length(content) > maxContentBytes) {
      throw new LimitError(
        `Cannot send ${utf8Length(content)} bytes to ${JSON.stringify(target)}: ` +
          `a message has at most ${maxContentBytes}; send it in parts`,
      );
    }
    this.#trust?.admit(peer);
    const timestamp = Math.floor(this.#environment.clock.now() / 1000);
    if (peer.id !== undefined && this.#sessions !== undefined) {
      await this.#sessions.send(peer, peer.id, content, timestamp);
    } else {
      await this.#outbound.send(peer, encodeMessage({ from: this.nickname, content, timestamp }));
    }
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
    if (mode !== "internet") await this.#discoverOnLan();
    if (mode !== "local") await this.#followBootstrapServer();
  }

  async #discoverOnLan(): Promise<void> {
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
        instance: this.#instance,
        id: this.id,
        tcpPort: this.tcpPort,
        announceIntervalMs,
        timeoutMs: peerTimeoutMs,
        interfaces,
        ready: () => this.#events.ready(),
        onProblem: (message) => this.#events.push({ type: "problem", message }),
      }),
    );
  }

  async #followBootstrapServer(): Promise<void> {
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
        instance: this.#instance,
        id: this.id,
        tcpPort: this.tcpPort,
        heartbeatIntervalMs,
        peerTimeoutMs: bootstrapPeerTimeoutMs,
        ready: () => this.#events.ready(),
        onState: (state, reason) => this.#events.push({ type: "bootstrap", state, url, reason }),
        onProblem: (message) => this.#events.push({ type: "problem", message }),
      }),
    );
  }

  async #openSessions(): Promise<void> {
    const { security, maxContentBytes } = this.#options;
    if (security === undefined) return;
    const { Sessions } = await import("./peer/sessions.ts");
    const { clock, random, transport } = this.#environment;
    this.#sessions = this.#parts.use(
      new Sessions({
        clock,
        random,
        transport,
        refusals: this.#refusals,
        // Loaded with the first session: TLS would be the largest part of a start.
        async upgrade(stream, role, judge, signal) {
          const { secure } = await import("./transport/tls.ts");
          return secure(stream, { clock, credentials: security.identity, role, judge, signal });
        },
        identify: identifyCertificate,
        ownId: security.identity.id,
        nickname: this.nickname,
        instance: this.#instance,
        maxContentBytes,
        find: (id) => this.#registry.withId(id)[0],
        objection: (id) => this.#trust?.objection(id),
        ready: () => this.#events.ready(),
        onMessage: (message, session) => this.#onSessionMessage(message, session),
        onEstablished: (session) => this.#onEstablished(session),
        onEnded: (session, reason) => {
          this.#gone.delete(session.peerId);
          this.#environment.log.info(
            `Session with ${session.peerHello.nickname} (${session.peerId}) ended: ${reason}`,
          );
        },
        onImpostor: (message) => this.#events.push({ type: "problem", message }),
      }),
    );
  }

  #onHandshake(stream: Stream): void {
    if (this.#sessions === undefined) stream.close(); // not started yet
    else void this.#sessions.accept(stream);
  }

  #onPlainMessage(message: Message, address: SocketAddress): void {
    if (this.#trust?.takesPlaintext === false) {
      return this.#refusals.add("message in plain text", () => formatAddress(address));
    }
    const trust = this.#trust?.ofNickname(message.from) ?? "plain";
    this.#events.push({ type: "message", message, address, encrypted: false, trust });
  }

  #onSessionMessage({ content, timestamp }: SessionMessage, session: Session): void {
    const { peerId: id, remote: address, peerHello: { nickname: from } } = session;
    const trust = this.#known.assess(from, id);
    const message = { from, content, timestamp };
    this.#events.push({ type: "message", message, address, id, encrypted: true, trust });
  }

  /** Remembers whom it meets for the first time, and warns of who takes somebody's nickname. */
  #onEstablished({ peerId: id, peerHello: { nickname } }: Session): void {
    const { trust, formerNickname } = this.#known.remember(nickname, id);
    if (formerNickname !== undefined) {
      this.#events.push({ type: "identity", change: "renamed", nickname, id, formerNickname });
    } else if (trust === "new") {
      this.#events.push({ type: "identity", change: "new", nickname, id });
    } else if (trust === "changed") {
      const warning = `${id} ${nickname}`;
      if (this.#warned.has(warning) || this.#warned.size >= MAX_WARNINGS) return;
      this.#warned.add(warning);
      const knownId = this.#known.byNickname(nickname)?.id;
      this.#events.push({ type: "identity", change: "changed", nickname, id, knownId });
    }
  }

  get #known(): KnownPeers {
    const { security } = this.#options;
    if (security === undefined) throw new ParlanceError("Cannot do that without an identity");
    return security.knownPeers;
  }

  #knownId(target: string): PeerId | undefined {
    const parsed = parsePeerId(target);
    return parsed.ok ? parsed.value : undefined;
  }

  /** The id that a user means: one that is written out, a known nickname's, or a peer's. */
  #idOf(target: string): PeerId {
    const id = this.#knownId(target) ?? this.#known.byNickname(target)?.id;
    return id ?? this.#withId(this.find(target)).id;
  }

  #withId(peer: Peer): Peer & { id: PeerId } {
    const { id } = peer;
    if (id !== undefined) return { ...peer, id };
    throw new InvalidInputError(
      `${JSON.stringify(peer.label)} has no id: it speaks version 1, which proves nothing`,
    );
  }

  /** Who uses a nickname without being who is known by it: whom `/trust` can mean. */
  #strangers(): { named(nickname: string): Peer[]; peers(): Peer[] } {
    const isStranger = (peer: Peer) => this.#trust?.ofPeer(peer) === "changed";
    return {
      named: (nickname) => this.#registry.named(nickname).filter(isStranger),
      peers: () => this.#registry.peers().filter(isStranger),
    };
  }

  #onPresence(event: PresenceEvent): void {
    if (event.type === "peer_down") {
      const { peer } = event;
      this.#outbound.forget(peer.key);
      if (peer.id !== undefined && this.#trust?.isKnown(peer) && this.isConnected(peer)) {
        this.#gone.set(peer.id, peer);
      }
    }
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
