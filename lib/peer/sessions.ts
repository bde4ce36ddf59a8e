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
import type { Intake } from "./intake.ts";
import { PeerNumbers } from "./peer_numbers.ts";
import { Session } from "./session.ts";
import { type Addressee, BrokenDialError, sendingHasEnded } from "./session_errors.ts";
import { SessionLink } from "./session_link.ts";
import type { SessionListener } from "./session_options.ts";
import { SessionPlaces } from "./session_places.ts";

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
  /** Throws when messages must not go to an announced peer; asked before each is sent. */
  readonly admit?: (peer: Peer) => void;
  /** What sessions share with connections of version 1. */
  readonly intake: Intake;
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

/** All authenticated sessions: one for each peer, dialled when there is something to send. */
export class Sessions implements AsyncDisposable {
  readonly #options: SessionsOptions;
  readonly #links = new Map<PeerId, SessionLink>();
  readonly #numbers: PeerNumbers;
  readonly #live: SessionPlaces;
  readonly #waiting = new Map<Session, PromiseWithResolvers<void>>();
  readonly #halfOpen: HalfOpen;
  /** Handshakes of connections that came in. */
  readonly #accepting = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#halfOpen = new HalfOpen(options.refusals);
    this.#numbers = new PeerNumbers(
      (id) => this.#links.has(id),
      (id) => this.#isFriend(id),
    );
    this.#live = new SessionPlaces((id) => this.#isFriend(id));
  }

  /** Whether the user has turned to a peer. */
  #isFriend(id: PeerId): boolean {
    return this.#numbers.find(id)?.isSentTo === true || this.#options.isTrusted?.(id) === true;
  }

  /** How many sessions are open. */
  get count(): number {
    return this.#live.size;
  }

  /** The session in use with a peer. */
  with(id: PeerId): Session | undefined {
    return this.#links.get(id)?.session;
  }

  /** Whether there is a session with a peer, and no reason to think that nobody answers on it. */
  isAnswering(id: PeerId): boolean {
    return this.#links.get(id)?.isAnswering === true;
  }

  /**
   * Sends a message; dials the peer where there is no session.
   *
   * @param peer Announced with the id `id`.
   * @returns Resolves when the peer has acknowledged it.
   */
  send(peer: Peer, id: PeerId, message: ChatMessage): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(sendingHasEnded(peer));
    this.#numbers.of(id).isSentTo = true;
    const { admit } = this.#options;
    return this.#link(id).send(peer, message, admit && (() => admit(peer)));
  }

  /**
   * Sends a message over the session that there is.
   *
   * @returns Resolves when the peer has acknowledged it.
   */
  deliver(to: Addressee, message: ChatMessage): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(sendingHasEnded(to));
    this.#numbers.of(to.id).isSentTo = true;
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
  accept(stream: Stream): Promise<void> {
    const accepting = this.#accept(stream).finally(() => this.#accepting.delete(accepting));
    this.#accepting.add(accepting);
    return accepting;
  }

  async #accept(stream: Stream): Promise<void> {
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
      if (this.#stop.signal.aborted) return secured.close();
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

  /** Ends the session with a peer, who is `told` something else where `reason` is not for it. */
  async drop(id: PeerId, reason: string, told = reason): Promise<void> {
    const link = this.#links.get(id);
    const session = link?.session;
    this.#links.delete(id);
    const closed = link?.close(reason, told);
    if (session !== undefined) this.#options.onEnded(session, reason);
    await closed;
  }

  /** Ends all sessions; what is not acknowledged is rejected. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("Sending has ended"));
    const links = [...this.#links.values()];
    await Promise.all(links.map((link) => link.close("sending has ended")));
    for (const session of [...this.#live]) session.abort("the peer has left");
    await Promise.all(this.#accepting);
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
      counters: this.#numbers.of(id),
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

  /** Dials, proves and says hello; resolves when the session is established. */
  async #dial(peer: Peer, id: PeerId, dialled: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const { worked: last } = this.#numbers.of(id);
    const worked = last && formatAddress(last);
    const options = { clock, worked, timeoutMs: DIAL_MS, totalMs: DIAL_TOTAL_MS, signal };
    // Who proves the id is the peer: only that is raced, and one session begun on the winner.
    const stream = await dialPeer(
      last === undefined ? peer : withAddress(peer, last),
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
      this.#numbers.of(id).worked = stream.remote;
    } catch (error) {
      // It has proved who it is, and takes no session: that is all that TLS lets a dialler know.
      const isTurnedAway = session?.isEndedHere === false;
      const Kind = session?.isBroken ? BrokenDialError : ConnectError;
      throw new Kind(
        `Cannot begin a session with ${JSON.stringify(peer.label)} at ${address}: ` +
          messageOf(error) + (isTurnedAway ? "; has it blocked this identity?" : ""),
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
    const { turns, unfinished } = this.#options.intake;
    const { remote } = stream;
    const holder = {
      remote,
      close: (cause: string) => void session.close(cause),
    };
    const session = new Session({
      ...this.#options,
      stream,
      peerId,
      // What a session begins with is for the user, too. Strangers share the turns of their host;
      // a friend who shares it has turns of its own.
      turn: (job) => turns.run(this.#isFriend(peerId) ? peerId : remote.hostname, job),
      onUnfinished: (bytes) => unfinished.set(holder, bytes),
      isDialler: dialled !== undefined,
      hello: {
        type: "hello",
        version: PROTOCOL_VERSION,
        nickname,
        instance,
        ordinal: ++this.#numbers.of(peerId).ordinal,
        dialled,
      },
      listener: this.#listener,
    });
    this.#live.add(session);
    if (waiting !== undefined) this.#waiting.set(session, waiting);
    session.start();
    return session;
  }

  readonly #listener: SessionListener<Session> = {
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
        this.#numbers.note(session, seq);
        session.acknowledge(seq);
      };
      if (!this.#numbers.isNew(session, seq)) {
        taken();
        return session.noteDuplicate();
      }
      // An acknowledgement of what follows would speak for this one, too.
      if (!this.#options.onMessage(message, session, taken)) void session.close(NOT_TAKEN);
    },
    acknowledged: (session, seq) => this.#link(session.peerId).acknowledged(seq),
    refused: (session, seq, reason) => this.#link(session.peerId).refused(seq, reason),
    isAwaiting: (session) => {
      const link = this.#links.get(session.peerId);
      return link?.session === session && (link.isBusy || !link.isAnswering);
    },
    ended: (session, reason) => {
      this.#live.delete(session);
      const waiting = this.#waiting.get(session);
      this.#waiting.delete(session);
      waiting?.reject(new Error(reason));
      this.#links.get(session.peerId)?.ended(session, reason);
    },
  };
}

/**
 * A peer with one more address, the last to be tried: a forged announce can take its place until
 * the peer's own next one, and whoever answers there has to prove the peer's id.
 */
function withAddress(peer: Peer, address: SocketAddress): Peer {
  const wanted = formatAddress(address);
  if (peer.addresses.some(({ address }) => formatAddress(address) === wanted)) return peer;
  return { ...peer, addresses: [...peer.addresses, { address, via: "lan", lastSeen: 0 }] };
}
