import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Refusals } from "../base/refusals.ts";
import type { Peer } from "../discovery/peer.ts";
import { ConnectError, messageOf } from "../errors.ts";
import type { Stream, Transport } from "../transport/stream.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import { PROTOCOL_VERSION } from "../wire/announce.ts";
import { type Decoded, refused } from "../wire/decoded.ts";
import type { PeerId } from "../wire/peer_id.ts";
import type { ChatMessage, SessionMessage } from "../wire/session.ts";
import { dialPeer } from "./dial.ts";
import { HalfOpen } from "./half_open.ts";
import { Session, type SessionListener } from "./session.ts";
import { type Addressee, sendingHasEnded, SessionLink } from "./session_link.ts";
import { SessionPlaces } from "./session_places.ts";

/** Peers whose numbers are remembered. */
const MAX_REMEMBERED = 10_000;
/** Runs of one peer whose numbers are remembered: those that may still send again, and some. */
const MAX_RUNS = 4;
/** Connecting and the handshake of one address, in milliseconds. */
const DIAL_MS = 8000;
/** All addresses of a peer together, in milliseconds: with the hello, what messages wait for. */
const DIAL_TOTAL_MS = 10_000;

/** Why a session ends whose messages nobody can take. */
const NOT_TAKEN = "messages cannot be taken now";

/** Judges a certificate; see {@linkcode Upgrade}. */
export type Judge = (certificate: Uint8Array) => Promise<string | undefined>;

/**
 * Makes an encrypted stream of a plain one, and has the other side's certificate (DER) judged
 * before anything else.
 */
export type Upgrade = (
  stream: Stream,
  role: "client" | "server",
  judge: Judge,
  signal?: AbortSignal,
) => Promise<Stream>;

/** What {@linkcode Sessions} works with, and whom it tells. */
export interface SessionsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly refusals: Refusals;
  readonly transport: Transport;
  readonly upgrade: Upgrade;
  /** The id of a certificate, or why it can have none. */
  readonly identify: (certificate: Uint8Array) => Promise<Decoded<PeerId>>;
  readonly ownId: PeerId;
  readonly nickname: string;
  /** 64 random bits of this run, in hexadecimal. */
  readonly instance: string;
  readonly maxContentBytes: number;
  /** What is known of an announced peer. */
  readonly find: (id: PeerId) => Peer | undefined;
  /** Why there is to be no session with this peer, or `undefined`. */
  readonly objection: (id: PeerId) => string | undefined;
  /** Whether the user trusts this peer more than any stranger. */
  readonly isTrusted?: (id: PeerId) => boolean;
  readonly ready: () => Promise<void> | undefined;
  /**
   * A message has come; `taken` is to be called when it may be acknowledged, in the order in which
   * messages come. Returns whether that will happen at all; if not, the session ends.
   */
  readonly onMessage: (message: SessionMessage, session: Session, taken: () => void) => boolean;
  /** A peer has proved its id and said its nickname; before any message of it. */
  readonly onEstablished: (session: Session) => void;
  /** The session with a peer has ended, for a reason to tell the user. */
  readonly onEnded: (session: Session, reason: string) => void;
  /** Somebody else answered at a peer's address, or proved another id. */
  readonly onImpostor: (message: string) => void;
}

/** The numbers of a peer that have to outlast its link. */
interface Counters {
  /** Messages of this run to the peer. */
  seq: number;
  /** Sessions of this run with the peer. */
  ordinal: number;
  /** The last message taken from each of its runs, the newest run last. */
  readonly taken: Map<string, number>;
  /** Whether this run has sent it anything. */
  isSentTo?: boolean;
  /** The address of the last session that was dialled with success, as `ip:port`. */
  worked?: string;
}

/** All authenticated sessions: one for each peer, dialled when there is something to send. */
export class Sessions implements AsyncDisposable {
  readonly #options: SessionsOptions;
  readonly #links = new Map<PeerId, SessionLink>();
  readonly #counters = new Map<PeerId, Counters>();
  /** Where the numbers of a peer begin: those that were forgotten must not be used again. */
  readonly #first = { seq: 0, ordinal: 0 };
  readonly #live: SessionPlaces;
  readonly #waiting = new Map<Session, PromiseWithResolvers<void>>();
  readonly #halfOpen: HalfOpen;
  /** Set while more is not welcome. */
  #full: Promise<void> | undefined;
  readonly #stop = new AbortController();

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#halfOpen = new HalfOpen(options.refusals);
    this.#live = new SessionPlaces((id) =>
      this.#counters.get(id)?.isSentTo === true || options.isTrusted?.(id) === true
    );
  }

  /** How many sessions are open. */
  get count(): number {
    return this.#live.size;
  }

  /** The session in use with a peer. */
  with(id: PeerId): Session | undefined {
    return this.#links.get(id)?.session;
  }

  /**
   * Sends a message; dials the peer where there is no session.
   *
   * @param peer Announced with the id `id`.
   * @returns Resolves when the peer has acknowledged it.
   */
  send(peer: Peer, id: PeerId, message: ChatMessage): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(sendingHasEnded(peer));
    this.#countersOf(id).isSentTo = true;
    return this.#link(id).send(peer, message);
  }

  /**
   * Sends a message over the session that there is.
   *
   * @returns Resolves when the peer has acknowledged it.
   */
  deliver(to: Addressee, message: ChatMessage): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(sendingHasEnded(to));
    this.#countersOf(to.id).isSentTo = true;
    return this.#link(to.id).deliver(to, message);
  }

  /**
   * Sees to a session with a peer.
   *
   * @param peer Announced with the id `id`.
   * @returns Resolves when there is one.
   * @throws {ConnectError} When it cannot be reached.
   */
  connect(peer: Peer, id: PeerId): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(sendingHasEnded(peer));
    return this.#link(id).connect(peer);
  }

  /** Takes an incoming connection that begins a TLS handshake. */
  async accept(stream: Stream): Promise<void> {
    // What a session begins with is for the user, too: strangers must not pile it up.
    this.#full ??= this.#options.ready()?.then(() => this.#full = undefined);
    if (this.#full !== undefined) {
      this.#options.refusals.add(
        "connection while too much waits for the user",
        () => formatAddress(stream.remote),
      );
      return stream.close();
    }
    using place = this.#halfOpen.enter(stream);
    let id: PeerId | undefined;
    let isUnwanted = false;
    try {
      const secured = await this.#options.upgrade(stream, "server", async (certificate) => {
        const judged = await this.#judge(certificate, () => isUnwanted = true);
        if (!judged.ok) return judged.cause;
        id = judged.value;
      }, this.#stop.signal);
      place.leave();
      this.#begin(secured, id!, undefined);
    } catch (error) {
      stream.close();
      if (this.#stop.signal.aborted) return;
      // It tries again and again, which is nothing that the user wants to hear of.
      if (isUnwanted) {
        return this.#options.refusals.addSilently(
          "connection of a blocked peer that did not become a session",
        );
      }
      this.#options.refusals.add(
        "connection that did not become a session",
        () => `${formatAddress(stream.remote)}: ${messageOf(error)}`,
      );
    }
  }

  /** Ends the session with a peer. */
  async drop(id: PeerId, reason: string): Promise<void> {
    const link = this.#links.get(id);
    this.#links.delete(id);
    await link?.close(reason);
  }

  /** Ends all sessions; what is not acknowledged is rejected. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("Sending has ended"));
    const links = [...this.#links.values()];
    await Promise.all(links.map((link) => link.close("sending has ended")));
    for (const session of [...this.#live]) session.abort("the peer has left");
  }

  async #judge(certificate: Uint8Array, onObjection?: () => void): Promise<Decoded<PeerId>> {
    const identified = await this.#options.identify(certificate);
    if (!identified.ok) return identified;
    if (identified.value === this.#options.ownId) return refused("that is this peer itself");
    const objection = this.#options.objection(identified.value);
    if (objection === undefined) return identified;
    onObjection?.();
    return refused(objection);
  }

  #link(id: PeerId): SessionLink {
    let link = this.#links.get(id);
    if (link !== undefined) return link;
    const { clock, random, ownId, find, onEstablished, onEnded } = this.#options;
    link = new SessionLink({
      clock,
      random,
      ownId,
      counters: this.#countersOf(id),
      find: () => find(id),
      dial: (peer, dialled, signal) => this.#dial(peer, id, dialled, signal),
      onIdle: () => {
        if (this.#links.get(id) === link) this.#links.delete(id);
      },
      onUse: (session) => onEstablished(session),
      onLost: (session, reason) => onEnded(session, reason),
    });
    this.#links.set(id, link);
    return link;
  }

  #countersOf(id: PeerId): Counters {
    let counters = this.#counters.get(id);
    if (counters === undefined) {
      if (this.#counters.size >= MAX_REMEMBERED) {
        for (const [other, { seq, ordinal }] of this.#counters) {
          if (this.#links.has(other)) continue;
          this.#first.seq = Math.max(this.#first.seq, seq);
          this.#first.ordinal = Math.max(this.#first.ordinal, ordinal);
          this.#counters.delete(other);
          break;
        }
      }
      counters = { ...this.#first, taken: new Map() };
      this.#counters.set(id, counters);
    }
    return counters;
  }

  /** Dials, proves and says hello; resolves when the session is established. */
  async #dial(peer: Peer, id: PeerId, dialled: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const { worked } = this.#countersOf(id);
    const options = { clock, worked, timeoutMs: DIAL_MS, totalMs: DIAL_TOTAL_MS, signal };
    // Who proves the id is the peer: only that is raced, and one session begun on the winner.
    const stream = await dialPeer(
      peer,
      options,
      (address, signal) => this.#prove(peer, id, address, signal),
    );
    const address = formatAddress(stream.remote);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const session = this.#begin(stream, id, dialled, { promise, resolve, reject });
    const onAbort = () => session?.abort(messageOf(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await promise;
      this.#countersOf(id).worked = address;
    } catch (error) {
      // It has proved who it is, and takes no session: that is all that TLS lets a dialler know.
      throw new ConnectError(
        `Cannot begin a session with ${JSON.stringify(peer.label)} at ${address}: ` +
          `${messageOf(error)}; has it blocked this identity?`,
        { cause: error },
      );
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Connects to one address of a peer and has it prove the peer's id. */
  async #prove(
    peer: Peer,
    id: PeerId,
    address: SocketAddress,
    signal: AbortSignal,
  ): Promise<Stream> {
    const { transport, upgrade, onImpostor } = this.#options;
    const stream = await transport.dial(address, signal);
    return await upgrade(stream, "client", async (certificate) => {
      const judged = await this.#judge(certificate);
      if (!judged.ok) return judged.cause;
      if (judged.value === id) return;
      const problem = `it proved another id, ${judged.value}`;
      const announced = `announced as ${peer.label} with the id ${id}`;
      onImpostor(`${formatAddress(address)} was ${announced}, but ${problem}`);
      return problem;
    }, signal);
  }

  #begin(
    stream: Stream,
    peerId: PeerId,
    dialled: number | undefined,
    waiting?: PromiseWithResolvers<void>,
  ): Session | undefined {
    const { nickname, instance, refusals } = this.#options;
    const full = this.#live.makeRoom(stream.remote.hostname, dialled !== undefined);
    if (full !== undefined) {
      refusals.add(full, () => formatAddress(stream.remote));
      stream.close();
      waiting?.reject(new Error(full));
      return undefined;
    }
    const session = new Session({
      ...this.#options,
      stream,
      peerId,
      isDialler: dialled !== undefined,
      hello: {
        type: "hello",
        version: PROTOCOL_VERSION,
        nickname,
        instance,
        ordinal: ++this.#countersOf(peerId).ordinal,
        dialled,
      },
      listener: this.#listener,
    });
    this.#live.add(session);
    if (waiting !== undefined) this.#waiting.set(session, waiting);
    session.start();
    return session;
  }

  readonly #listener: SessionListener = {
    established: (session) => {
      const { signal } = this.#stop;
      // Judged again: the user may have decided since the handshake.
      const objection = signal.aborted ? "it has left" : this.#options.objection(session.peerId);
      if (objection !== undefined) return void session.close("no session is wanted");
      // First: a session that gives way to another one was dialled with success all the same.
      this.#waiting.get(session)?.resolve();
      this.#waiting.delete(session);
      // At once: what comes behind the hello is to find the session in its place.
      this.#link(session.peerId).offer(session);
    },
    message: (session, message) => {
      this.#live.use(session);
      const { seq } = message;
      const taken = () => {
        this.#note(session, seq);
        session.acknowledge(seq);
      };
      if (!this.#isNew(session, seq)) return taken();
      // An acknowledgement of what follows would speak for this one, too.
      if (!this.#options.onMessage(message, session, taken)) void session.close(NOT_TAKEN);
    },
    acknowledged: (session, seq) => this.#links.get(session.peerId)?.acknowledged(seq),
    refused: (session, seq, reason) => this.#links.get(session.peerId)?.refused(seq, reason),
    isAwaiting: (session) => {
      const link = this.#links.get(session.peerId);
      return link?.session === session && link.isBusy;
    },
    ended: (session, reason) => {
      this.#live.delete(session);
      const waiting = this.#waiting.get(session);
      this.#waiting.delete(session);
      waiting?.reject(new Error(reason));
      this.#links.get(session.peerId)?.ended(session, reason);
    },
  };

  /** Whether a message is not one that was sent again. */
  #isNew({ peerId, peerHello: { instance } }: Session, seq: number): boolean {
    return seq > (this.#countersOf(peerId).taken.get(instance) ?? 0);
  }

  /** Notes that everything up to this number was taken. */
  #note({ peerId, peerHello: { instance } }: Session, seq: number): void {
    const { taken } = this.#countersOf(peerId);
    if (seq <= (taken.get(instance) ?? 0)) return;
    if (taken.size > 1) taken.delete(instance); // to put it last
    taken.set(instance, seq);
    if (taken.size > MAX_RUNS) taken.delete(taken.keys().next().value!);
  }
}
