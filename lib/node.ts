import { randomHex } from "./base/random.ts";
import { Refusals } from "./base/refusals.ts";
import { joinClaimants } from "./chat/claimants.ts";
import { Contacts } from "./chat/contacts.ts";
import { requireFitting } from "./chat/delivery.ts";
import { Introductions } from "./chat/introductions.ts";
import type { Messages, SentMessage } from "./chat/messages.ts";
import { Presence } from "./chat/presence.ts";
import { findPeer } from "./chat/target.ts";
import { type PeerTrust, TrustPolicy } from "./chat/trust.ts";
import type { Peer, PresenceEvent } from "./discovery/peer.ts";
import { PeerRegistry } from "./discovery/registry.ts";
import { ParlanceError } from "./errors.ts";
import { discoverPeers } from "./node_discovery.ts";
import { NodeEvents } from "./node_events.ts";
import { Incoming } from "./node_incoming.ts";
import {
  type NodeEnvironment,
  type NodeEvent,
  type NodeOptions,
  systemEnvironment,
} from "./node_options.ts";
import { Inbound } from "./peer/inbound.ts";
import { Intake } from "./peer/intake.ts";
import { listenForMessages } from "./peer/listen.ts";
import { Outbound } from "./peer/outbound.ts";
import type { Session } from "./peer/session.ts";
import type { Sessions } from "./peer/sessions.ts";
import type { Listener } from "./transport/stream.ts";
import { MessageIdSource } from "./wire/message_id.ts";
import type { PeerId } from "./wire/peer_id.ts";
import { encodeMessage } from "./wire/message.ts";

export * from "./node_options.ts";

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
  /**
   * What happens, in order; for one consumer, who makes peers wait when it is slow. Who asks for the
   * next event has shown the one before; what was not shown is, in the next run.
   */
  readonly events: AsyncIterableIterator<NodeEvent> & Pick<NodeEvents, "countWritten" | "poll">;
  readonly #events = new NodeEvents((arrival) => this.#messages?.shown(arrival));
  readonly #options: NodeOptions;
  readonly #environment: NodeEnvironment;
  readonly #refusals: Refusals;
  readonly #intake: Intake;
  readonly #registry: PeerRegistry;
  readonly #outbound: Outbound;
  readonly #listener: Listener;
  readonly #parts = new AsyncDisposableStack();
  readonly #instance: string;
  readonly #ids: MessageIdSource;
  readonly #presence: Presence;
  readonly #incoming: Incoming;
  readonly #introductions: Introductions | undefined;
  readonly #trust: TrustPolicy | undefined;
  readonly #contacts: Contacts | undefined;
  #sessions: Sessions | undefined;
  #messages: Messages | undefined;

  private constructor(options: NodeOptions, environment: NodeEnvironment, listener: Listener) {
    const { clock, log, transport } = environment;
    this.nickname = options.nickname;
    this.events = this.#events;
    this.#options = options;
    this.#environment = environment;
    this.#listener = listener;
    this.#ids = new MessageIdSource(clock, environment.random);
    this.#instance = randomHex(environment.random, 8);
    this.#refusals = new Refusals(clock, log);
    this.#intake = new Intake(
      this.#refusals,
      () => this.#events.ready() ?? this.#messages?.ready(),
    );
    this.#registry = new PeerRegistry(
      clock,
      this.#refusals,
      options.nickname,
      (event) => this.#onPresence(event),
    );
    this.#presence = new Presence({
      clock,
      ownNickname: this.nickname,
      announced: this.#registry,
      isConnected: ({ id, nickname }) =>
        id !== undefined && this.#sessions?.with(id)?.peerHello.nickname === nickname,
      emit: (event) => this.#events.push(event),
    });
    const { security } = options;
    if (security !== undefined) {
      const { knownPeers: known, plaintext, identity: { id: ownId } } = security;
      const introductions = new Introductions(known, this.nickname);
      this.#introductions = introductions;
      this.#trust = new TrustPolicy(known, plaintext, (id) => introductions.isNew(id));
      this.#contacts = new Contacts({
        ownId,
        ownNickname: this.nickname,
        known,
        introductions,
        present: this.#presence,
        find: (target) => this.find(target),
        // The other side is not to learn that it is blocked: it is told what it is at every end.
        endSession: (id, reason) => void this.#sessions?.drop(id, reason, "sending has ended"),
        onDecided: () => this.#messages?.wakeAll(),
      });
    }
    this.#incoming = new Incoming({
      events: this.#events,
      refusals: this.#refusals,
      presence: this.#presence,
      trust: this.#trust,
      messages: () => this.#messages,
    });
    const admit = (peer: Peer) => this.#trust?.admit(peer);
    this.#outbound = this.#parts.use(new Outbound({ clock, transport, admit }));
    this.#parts.defer(() => listener.close());
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
    const node = new Node(
      options,
      environment,
      listenForMessages(options.port, environment.transport),
    );
    try {
      await node.#openSessions();
      await node.#openMessages();
      node.#letIn();
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
    return this.#presence.peers();
  }

  /**
   * The one peer that `target` stands for now.
   *
   * @throws {UnknownPeerError} When nobody answers to it.
   * @throws {AmbiguousPeerError} When several peers do, or it is this node's own nickname.
   * @throws {InvalidInputError} When it is a mistyped id, or this node's own.
   */
  find(target: string): Peer {
    return findPeer(this.#presence, this, this.#trust, target);
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

  /** What the user knows and decides about who others are. */
  get contacts(): Contacts {
    if (this.#contacts !== undefined) return this.#contacts;
    throw new ParlanceError("Cannot do that without an identity");
  }

  /** What the user has sent and received, in a node that keeps it. */
  get messages(): Messages {
    if (this.#messages !== undefined) return this.#messages;
    throw new ParlanceError("Cannot do that without a history");
  }

  /** Why what earlier runs have kept is not available, for the user, where it is not. */
  get historyProblem(): string | undefined {
    return this.#options.history?.problem;
  }

  /** Whether messages wait for version 1 peers, too. */
  get queuesPlain(): boolean {
    return this.#options.history?.queuePlain === true;
  }

  /** How often input from outside was refused, by cause. */
  get refusals(): Record<string, number> {
    return this.#refusals.totals();
  }

  /**
   * Sends a message of which nothing is kept, to somebody who is there. A node with a history sends
   * by {@linkcode post}.
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
  send(target: string, content: string): Promise<Peer> {
    // Not an async function, which keeps more in memory: thousands of messages may be on their way.
    try {
      const peer = this.find(target);
      requireFitting(target, content, this.#options.maxContentBytes);
      this.#trust?.admit(peer);
      return this.#deliver(peer, content).then(() => peer);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #deliver(peer: Peer, content: string): Promise<void> {
    if (peer.id !== undefined) this.#introductions?.answer(peer.id);
    const timestamp = Math.floor(this.#environment.clock.now() / 1000);
    if (peer.id !== undefined && this.#sessions !== undefined) {
      return this.#sessions.send(peer, peer.id, { id: this.#ids.next(), content, timestamp });
    }
    return this.#outbound.send(peer, encodeMessage({ from: this.nickname, content, timestamp }));
  }

  /**
   * Accepts a message for sending, now or when its recipient is there; what becomes of it is told
   * by `delivery` events.
   *
   * @param target A nickname, a label `nickname~tag`, or an id.
   * @param content Any text up to the limit; lone surrogates are sent as U+FFFD.
   * @param tag Comes back with the events about this message.
   * @returns Once it is on disk.
   * @throws {UnknownPeerError} When nobody answers to the target, or is known by it.
   * @throws {AmbiguousPeerError} When several peers do.
   * @throws {LimitError} When the content is too long.
   * @throws {StoreError} When it cannot be stored, and nobody is there to be told at once.
   */
  async post(target: string, content: string, tag?: unknown): Promise<SentMessage> {
    requireFitting(target, content, this.#options.maxContentBytes);
    const sent = await this.messages.send(target, content, tag);
    if (sent.to.contact.id !== undefined) this.#introductions?.answer(sent.to.contact.id);
    return sent;
  }

  /**
   * The same events from now on, for one more consumer, who makes nobody wait: one that is too
   * slow gets no more of them.
   *
   * @param onOverrun Called when that happens.
   */
  watch(onOverrun: () => void): AsyncIterableIterator<NodeEvent> {
    return this.#events.watchAll(onOverrun);
  }

  /** Says goodbye, closes everything and ends {@linkcode events}. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is to be acknowledged that nobody would show.
    this.#messages?.endIntake();
    // Whoever waits for room among the events is let go first.
    this.#events.close();
    await this.#parts.disposeAsync();
  }

  async #discover(): Promise<void> {
    this.#parts.use(
      await discoverPeers({
        options: this.#options,
        environment: this.#environment,
        registry: this.#registry,
        refusals: this.#refusals,
        events: this.#events,
        instance: this.#instance,
        id: this.id,
        tcpPort: this.tcpPort,
      }),
    );
  }

  async #openMessages(): Promise<void> {
    const { history, security } = this.#options;
    if (history === undefined) return;
    const { openMessages } = await import("./node_messages.ts");
    this.#messages = this.#parts.use(
      openMessages({
        history,
        environment: this.#environment,
        nickname: this.nickname,
        known: security?.knownPeers,
        trust: this.#trust,
        sessions: this.#sessions,
        outbound: this.#outbound,
        events: this.#events,
        presence: this.#presence,
        find: (target) => this.find(target),
        claimant: (id) => this.#claimant(id),
      }),
    );
    for (const peer of this.peers()) this.#messages.wake(peer);
  }

  async #openSessions(): Promise<void> {
    const { security, maxContentBytes } = this.#options;
    if (security === undefined) return;
    const { openSessions } = await import("./node_sessions.ts");
    const environment = this.#environment;
    this.#sessions = this.#parts.use(
      openSessions({
        environment,
        security,
        nickname: this.nickname,
        instance: this.#instance,
        maxContentBytes,
        refusals: this.#refusals,
        find: (id) => this.#claimant(id),
        objection: (id) => this.#trust?.objection(id),
        admit: (peer) => this.#trust?.admit(peer),
        intake: this.#intake,
        onMessage: (message, session, taken) => this.#incoming.session(message, session, taken),
        onEstablished: (session) => this.#onEstablished(session),
        onEnded: (session, reason) => {
          this.#presence.sessionChanged(session.peerId);
          environment.log.info(
            `Session with ${session.peerHello.nickname} (${session.peerId}) ended: ${reason}`,
          );
        },
        onImpostor: (message) => this.#events.push({ type: "problem", message }),
      }),
    );
  }

  /** Who claims an id, the one known by it first, at the addresses of all who do. */
  #claimant(id: PeerId): Peer | undefined {
    return joinClaimants(this.#registry.withId(id), (peer) => this.#trust?.isHolder(peer) ?? false);
  }

  /** Lets connections in: not before there is somebody who keeps what comes over them. */
  #letIn(): void {
    const sessions = this.#sessions;
    this.#parts.use(
      new Inbound({
        clock: this.#environment.clock,
        refusals: this.#refusals,
        listener: this.#listener,
        maxContentBytes: this.#options.maxContentBytes,
        onMessage: (message, address) => this.#incoming.plain(message, address),
        onHandshake: sessions && ((stream) => void sessions.accept(stream)),
        intake: this.#intake,
      }),
    );
  }

  /** Remembers whom it meets for the first time, and warns of who takes somebody's nickname. */
  #onEstablished({ peerId: id, peerHello: { nickname, instance }, remote }: Session): void {
    this.#registry.proved(id, instance, remote.hostname);
    this.#presence.sessionChanged(id);
    const introduction = this.#introductions?.meet(nickname, id, remote.hostname);
    if (introduction !== undefined) {
      const label = this.#presence.namesakeLabel(nickname, id);
      this.#events.push({ type: "identity", ...introduction, ...label });
    }
    this.#messages?.wake({ id, nickname });
  }

  #onPresence(event: PresenceEvent): void {
    if (event.type === "peer_down") this.#outbound.forget(event.peer.key);
    this.#messages?.wake(event.peer); // also when one of two with one nickname has gone
    this.#presence.discovered(event);
  }
}
