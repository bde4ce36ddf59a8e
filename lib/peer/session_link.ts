import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Peer } from "../discovery/peer.ts";
import { ConnectError, LimitError, messageOf } from "../errors.ts";
import type { PeerId } from "../wire/peer_id.ts";
import { encodeSessionMessage } from "../wire/session.ts";
import type { Session } from "./session.ts";
import { stayingSession } from "./session_choice.ts";

/** UTF-16 units that may wait for one peer. */
const MAX_QUEUED = 16 * 1024 * 1024;
/** How long messages wait for a session that broke to come back, in milliseconds. */
const RECOVERY_MS = 15_000;
/** The waits between attempts to come back, growing and jittered, in milliseconds. */
const MIN_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;
/** While messages wait, no longer than this. */
const MAX_BUSY_RETRY_MS = 4000;
/** After a session of this length the waits grow from the beginning, in milliseconds. */
const STABLE_MS = 30_000;

interface OutgoingMessage {
  readonly seq: number;
  /** Whom the user means: the peer has to call itself so. */
  readonly peer: Peer;
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** Whether a session has had it, so that it may have arrived. */
  wasSent: boolean;
}

/** What {@linkcode SessionLink} needs from its owner. */
export interface SessionLinkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly ownId: PeerId;
  /** The numbers of the peer, which outlast the link. */
  readonly counters: { seq: number; ordinal: number };
  /** What is known of the peer now, if it is announced. */
  readonly find: () => Peer | undefined;
  /** Dials the peer; resolves when the session is established, and was offered. */
  readonly dial: (peer: Peer, dialled: number, signal: AbortSignal) => Promise<void>;
  /** The link has neither a session nor anything to do. */
  readonly onIdle: () => void;
  /** A session is used from now on. */
  readonly onUse: (session: Session) => void;
  /** The session in use has ended. */
  readonly onLost: (session: Session, reason: string) => void;
}

/**
 * Everything between this peer and one other: the session in use, the messages that the other side
 * has not acknowledged, and the way back after a break. Messages are numbered and sent again on
 * a new session until they are acknowledged; the other side recognises those that it has.
 */
export class SessionLink {
  readonly #options: SessionLinkOptions;
  #session: Session | undefined;
  #queue: OutgoingMessage[] = [];
  #queued = 0;
  #dialling: Promise<void> | undefined;
  /** Why there is no session. */
  #why = "";
  /** Whether that is because the other side has ended it on purpose. */
  #hasPeerLeft = false;
  #brokenAt: number | undefined;
  #usedSince = 0;
  #retryMs = MIN_RETRY_MS;
  #cancelRetry: (() => void) | undefined;
  #cancelRecovery: () => void = () => {};
  readonly #stop = new AbortController();

  constructor(options: SessionLinkOptions) {
    this.#options = options;
  }

  /** The session in use. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Whether messages wait to be acknowledged. */
  get isBusy(): boolean {
    return this.#queue.length > 0;
  }

  /** Resolves when the peer has acknowledged the message. */
  send(peer: Peer, content: string, timestamp: number): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(sendingHasEnded(peer));
    const { counters } = this.#options;
    const session = this.#session;
    if (session !== undefined && session.peerHello.nickname !== peer.nickname) {
      return Promise.reject(failure({ peer }, otherNickname(session)));
    }
    const line = encodeSessionMessage(counters.seq + 1, content, timestamp);
    if (this.#queued > 0 && this.#queued + line.length > MAX_QUEUED) {
      return Promise.reject(
        new LimitError(
          `Cannot send to ${JSON.stringify(peer.label)}: ${MAX_QUEUED} characters are waiting ` +
            "for it already; wait until it has read them",
        ),
      );
    }
    const seq = ++counters.seq;
    this.#queued += line.length;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ seq, peer, line, resolve, reject, wasSent: session !== undefined });
    if (session !== undefined) session.send(line);
    else if (this.#isGivenUp()) this.#dial(peer);
    else if (this.#queue.length === 1 && this.#cancelRetry !== undefined) {
      // The next attempt may be far away, since nothing waited for it.
      this.#cancelRetry();
      this.#cancelRetry = undefined;
      void this.#retry();
    }
    return promise;
  }

  /** Takes a session whose other side has said hello: it is used, or gives way to another one. */
  offer(session: Session): void {
    const current = this.#session;
    if (current !== undefined) {
      const staying = stayingSession(this.#options.ownId, current, session);
      const leaving = staying === current ? session : current;
      if (staying === session) this.#use(session);
      void leaving.close("another session with this peer stays");
      return;
    }
    this.#use(session);
  }

  acknowledged(seq: number): void {
    let count = 0;
    while (count < this.#queue.length && this.#queue[count].seq <= seq) {
      this.#queued -= this.#queue[count].line.length;
      this.#queue[count++].resolve();
    }
    if (count > 0) this.#queue.splice(0, count);
  }

  /** The peer will not take the message with this number. */
  refused(seq: number, reason: string): void {
    const index = this.#queue.findIndex((message) => message.seq === seq);
    if (index < 0) return;
    const [{ line, peer, reject }] = this.#queue.splice(index, 1);
    this.#queued -= line.length;
    const to = JSON.stringify(peer.label);
    reject(new LimitError(`Cannot send to ${to}: the peer refuses the message: ${reason}`));
  }

  ended(session: Session, reason: string): void {
    if (session !== this.#session) return;
    this.#session = undefined;
    this.#options.onLost(session, reason);
    if (this.#stop.signal.aborted) return;
    const { clock } = this.#options;
    this.#brokenAt = clock.monotonic();
    // A peer that takes sessions only to end them must not be dialled at the highest pace.
    if (this.#brokenAt - this.#usedSince >= STABLE_MS) this.#retryMs = MIN_RETRY_MS;
    this.#hasPeerLeft = session.hasPeerLeft;
    this.#why = this.#hasPeerLeft ? `the peer has ended the session (${reason})` : reason;
    this.#cancelRecovery = clock.after(RECOVERY_MS, () => this.#giveUp());
    if (this.#isGone(this.#options.find())) this.#rejectAll(this.#why);
    this.#comeBack();
  }

  /** Ends the session; what is not acknowledged is rejected. */
  async close(reason: string): Promise<void> {
    this.#stop.abort(new Error(reason));
    this.#cancelRetry?.();
    this.#cancelRecovery();
    this.#rejectAll(reason);
    await this.#session?.close(reason);
    await this.#dialling;
  }

  #use(session: Session): void {
    this.#session = session;
    this.#brokenAt = undefined;
    this.#usedSince = this.#options.clock.monotonic();
    this.#cancelRecovery();
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#options.onUse(session);
    for (const message of [...this.#queue]) {
      // An announce may join a nickname and an id that do not belong together.
      if (message.peer.nickname === session.peerHello.nickname) {
        message.wasSent = true;
        session.send(message.line);
      } else this.#remove(message).reject(failure(message, otherNickname(session)));
    }
  }

  #remove(message: OutgoingMessage): OutgoingMessage {
    this.#queue.splice(this.#queue.indexOf(message), 1);
    this.#queued -= message.line.length;
    return message;
  }

  /** Whether nobody is trying to come back at a pace that a message can wait for. */
  #isGivenUp(): boolean {
    return this.#brokenAt === undefined ||
      this.#options.clock.monotonic() - this.#brokenAt >= RECOVERY_MS;
  }

  /** Whether the peer has left in good order, and is not expected back. */
  #isGone(peer: Peer | undefined): boolean {
    return this.#hasPeerLeft && peer === undefined;
  }

  /** The first attempt: whoever cannot be reached at all is reported at once. */
  #dial(peer: Peer): void {
    if (this.#dialling !== undefined) return;
    this.#attempt(peer).then(
      () => this.#idleMaybe(),
      (error) => {
        // A session that came in, and broke, in the meantime may come back.
        if (this.#session === undefined && this.#isGivenUp()) this.#rejectAll(error);
        this.#idleMaybe();
      },
    );
  }

  #attempt(peer: Peer): Promise<void> {
    const { dial, counters } = this.#options;
    const attempt = dial(peer, counters.ordinal, this.#stop.signal);
    this.#dialling = attempt.catch(() => {}).finally(() => this.#dialling = undefined);
    return attempt;
  }

  #idleMaybe(): void {
    const isActive = this.#session !== undefined || this.isBusy || this.#cancelRetry !== undefined;
    if (!isActive) this.#options.onIdle();
  }

  /** Tries again, later and later, as long as the peer is announced. */
  #comeBack(): void {
    const { clock, random } = this.#options;
    const most = this.isBusy ? MAX_BUSY_RETRY_MS : MAX_RETRY_MS;
    const jittered = Math.min(most, this.#retryMs) * (0.5 + random.float() / 2);
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2);
    this.#cancelRetry?.();
    this.#cancelRetry = clock.after(jittered, () => {
      this.#cancelRetry = undefined;
      void this.#retry();
    });
  }

  async #retry(): Promise<void> {
    const peer = this.#options.find();
    if (peer !== undefined && this.#session === undefined) {
      try {
        await (this.#dialling ?? this.#attempt(peer));
      } catch (error) {
        this.#why = messageOf(error);
      }
    }
    if (this.#session !== undefined || this.#stop.signal.aborted) return;
    if (this.#isGone(peer)) this.#rejectAll(this.#why);
    else if (this.#isGivenUp()) this.#giveUp();
    if (peer === undefined && !this.isBusy) return this.#idleMaybe();
    if (this.#cancelRetry === undefined) this.#comeBack();
  }

  #giveUp(): void {
    const time = `within ${RECOVERY_MS / 1000} s`;
    this.#rejectAll(`the session broke and did not come back ${time}: ${this.#why}`);
  }

  /** @param why An error says for itself what has failed. */
  #rejectAll(why: string | Error): void {
    for (const message of this.#queue.splice(0)) message.reject(failure(message, why));
    this.#queued = 0;
  }
}

/** The error for a message that is given up: whoever reads it is to know whether it was sent. */
function failure(
  { peer, wasSent }: { readonly peer: Peer; readonly wasSent?: boolean },
  why: string | Error,
): Error {
  if (!wasSent && why instanceof Error) return why;
  const to = JSON.stringify(peer.label);
  return new ConnectError(
    wasSent
      ? `Cannot tell whether the message to ${to} arrived: ${messageOf(why)}`
      : `Cannot send to ${to}: ${why}`,
    { cause: why },
  );
}

/** What a message is rejected with when sending to a peer has ended. */
export function sendingHasEnded(peer: Peer): ConnectError {
  return new ConnectError(`Cannot send to ${JSON.stringify(peer.label)}: sending has ended`);
}

function otherNickname({ peerHello: { nickname } }: Session): string {
  return `who has its id calls itself ${JSON.stringify(nickname)}; ` +
    "send to that nickname if it is meant";
}
