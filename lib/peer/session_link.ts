import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Peer } from "../discovery/peer.ts";
import { LimitError, messageOf } from "../errors.ts";
import { formatAddress } from "../wire/address.ts";
import type { PeerId } from "../wire/peer_id.ts";
import { type ChatMessage, encodeSessionMessage } from "../wire/session.ts";
import { AnswerWatch, UNANSWERED_MS } from "./answer_watch.ts";
import type { Session } from "./session.ts";
import { stayingSession } from "./session_choice.ts";
import {
  type Addressee,
  BrokenDialError,
  failure,
  problemOf,
  sendingHasEnded,
} from "./session_errors.ts";
import { MAX_QUEUED, type QueuedMessage, SessionQueue } from "./session_queue.ts";

/** How long messages wait for a session that broke to come back, in milliseconds. */
const RECOVERY_MS = 15_000;
/** The waits between attempts to come back, growing and jittered, in milliseconds. */
const MIN_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;
/** While messages wait, no longer than this. */
const MAX_BUSY_RETRY_MS = 4000;
/** After a session of this length the waits grow from the beginning, in milliseconds. */
const STABLE_MS = 30_000;

/** Why messages are given up that a session has had. */
const UNANSWERED = `it has confirmed nothing for ${UNANSWERED_MS / 1000} s`;

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
  /** A session is used from now on, or answers again. */
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
  readonly #queue = new SessionQueue();
  readonly #answers: AnswerWatch;
  /** The greatest number that the peer has answered. */
  #answered = 0;
  /** Whether nothing was answered for so long that what waited was given up. */
  #isStalled = false;
  #dialling: Promise<void> | undefined;
  /** Why there is no session. */
  #why = "";
  /** Whether that is because the other side has ended it on purpose. */
  #hasPeerLeft = false;
  #brokenAt: number | undefined;
  #usedSince = 0;
  /** How many sessions were used. */
  #uses = 0;
  #retryMs = MIN_RETRY_MS;
  #cancelRetry: (() => void) | undefined;
  #cancelRecovery: () => void = () => {};
  readonly #stop = new AbortController();

  constructor(options: SessionLinkOptions) {
    this.#options = options;
    this.#answers = new AnswerWatch(
      options.clock,
      // While nothing is read the peer cannot answer.
      () => this.#session?.isHeld !== true,
      () => this.#giveUpUnanswered(),
    );
  }

  /** The session in use. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Whether there is a session, and no reason to think that nobody answers on it. */
  get isAnswering(): boolean {
    return this.#session !== undefined && !this.#isStalled;
  }

  /** Whether messages wait to be acknowledged. */
  get isBusy(): boolean {
    return !this.#queue.isEmpty;
  }

  /** Resolves when the peer has acknowledged the message; dials it where there is no session. */
  send(peer: Peer, message: ChatMessage, admit?: () => void): Promise<void> {
    const { label, nickname } = peer;
    const arrival = this.#enqueue({ label, nickname, admit }, message);
    if (this.#session !== undefined) return arrival;
    if (this.#isGivenUp()) this.#dial(peer);
    else if (this.#queue.size === 1 && this.#dialling === undefined) {
      // The next attempt may be far away or never come, since nothing waited for it.
      this.#cancelRetry?.();
      this.#cancelRetry = undefined;
      void this.#retry();
    }
    return arrival;
  }

  /** Resolves when the peer has acknowledged the message; rejects where there is no session. */
  deliver(to: Addressee, message: ChatMessage): Promise<void> {
    if (this.#session !== undefined) return this.#enqueue(to, message);
    return Promise.reject(failure(to, "there is no session with it now"));
  }

  /** Resolves when there is a session. */
  async connect(peer: Peer): Promise<void> {
    try {
      if (this.#session === undefined) await (this.#dialling ?? this.#attempt(peer));
      if (this.#session === undefined) {
        throw failure(peer, this.#why || "the session ended at once");
      }
      if (this.#isStalled) throw failure(peer, UNANSWERED);
    } finally {
      this.#idleMaybe();
    }
  }

  #enqueue(to: Omit<Addressee, "id">, message: ChatMessage): Promise<void> {
    const { label, nickname, admit } = to;
    if (this.#stop.signal.aborted) return Promise.reject(sendingHasEnded(to));
    const { counters } = this.#options;
    const session = this.#session;
    const problem = session && problemOf(session, { label, nickname, admit });
    if (problem !== undefined) return Promise.reject(problem);
    const line = encodeSessionMessage(counters.seq + 1, message);
    if (!this.#queue.hasRoom(line.length)) {
      return Promise.reject(
        new LimitError(
          `Cannot send to ${JSON.stringify(label)}: ${MAX_QUEUED} characters are waiting ` +
            "for it already; wait until it has read them",
        ),
      );
    }
    const seq = ++counters.seq;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const wasSent = session !== undefined;
    this.#queue.push({ seq, label, nickname, admit, line, resolve, reject, wasSent });
    if (session !== undefined) {
      session.send(line);
      this.#answers.begin();
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

  /**
   * The peer has everything up to this number.
   *
   * @returns Whether that says anything new; `undefined` for a number that was never sent.
   */
  acknowledged(seq: number): boolean | undefined {
    return this.#onAnswer(seq, () => this.#queue.acknowledge(seq));
  }

  /** The peer will not take the message with this number; returns as {@linkcode acknowledged}. */
  refused(seq: number, reason: string): boolean | undefined {
    return this.#onAnswer(seq, () => this.#queue.refuse(seq, reason));
  }

  #onAnswer(seq: number, settle: () => boolean): boolean | undefined {
    if (seq > this.#options.counters.seq) return undefined;
    // What was given up and is answered late says that the peer is there.
    if (!settle() && seq <= this.#answered) return false;
    this.#answered = Math.max(this.#answered, seq);
    this.#answers.end();
    if (this.isBusy) this.#answers.begin();
    if (this.#isStalled && this.#session !== undefined) {
      this.#isStalled = false;
      this.#options.onUse(this.#session);
    }
    return true;
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
    if (this.#isGone(this.#options.find())) this.#rejectAll(this.#why);
    this.#cancelRecovery = clock.after(RECOVERY_MS, () => {
      this.#giveUp();
      this.#idleMaybe();
    });
    // Who ends a session on purpose, here or there, can do without it until there is news.
    const isWanted = this.isBusy || !(this.#hasPeerLeft || session.isEndedHere);
    if (isWanted) this.#comeBack();
    else if (this.#isGone(this.#options.find())) this.#idleMaybe();
  }

  /**
   * Ends the session; what is not acknowledged is rejected.
   *
   * @param told What the peer learns.
   */
  async close(reason: string, told = reason): Promise<void> {
    this.#stop.abort(new Error(reason));
    this.#cancelRetry?.();
    this.#cancelRecovery();
    this.#rejectAll(reason);
    this.#answers.end();
    await this.#session?.close(reason, told);
    await this.#dialling;
  }

  #use(session: Session): void {
    this.#session = session;
    this.#uses++;
    this.#brokenAt = undefined;
    this.#usedSince = this.#options.clock.monotonic();
    this.#cancelRecovery();
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#isStalled = false;
    this.#options.onUse(session);
    const problems = new Map<QueuedMessage, Error>();
    // Judged again: who the user trusts may have changed while they waited.
    const taken = this.#queue.takeWhere((message) => {
      const problem = problemOf(session, message);
      if (problem !== undefined) problems.set(message, problem);
      return problem !== undefined;
    });
    for (const message of taken) message.reject(failure(message, problems.get(message)!));
    for (const message of this.#queue) {
      message.wasSent = true;
      session.send(message.line);
    }
    // Not anew: who takes sessions and answers on none is given up as well.
    if (this.isBusy) this.#answers.begin();
    else this.#answers.end();
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
    this.#attempt(peer).catch(() => {}); // told already to whoever waits
  }

  #attempt(peer: Peer): Promise<void> {
    const attempt = this.#dialAnnounced(peer);
    this.#dialling = attempt.catch((error) => {
      // A session that came in, and broke, in the meantime may come back.
      if (this.#session === undefined && this.#isGivenUp()) this.#rejectAll(error);
    }).finally(() => {
      this.#dialling = undefined;
      this.#idleMaybe();
    });
    return attempt;
  }

  /**
   * Dials once more what broke, and a peer that has announced another place meanwhile: anybody can
   * announce one for it, until it announces its own again.
   */
  async #dialAnnounced(peer: Peer): Promise<void> {
    const { dial, counters, find } = this.#options;
    const { signal } = this.#stop;
    try {
      await dial(peer, counters.ordinal, signal);
    } catch (error) {
      const now = find();
      if (signal.aborted || this.#session !== undefined) throw error;
      if (now === undefined) throw error;
      if (!(error instanceof BrokenDialError) && !hasMore(now, peer)) throw error;
      await dial(now, counters.ordinal, signal);
    }
  }

  #idleMaybe(): void {
    const isActive = this.#session !== undefined || this.isBusy ||
      this.#cancelRetry !== undefined || this.#dialling !== undefined;
    if (isActive) return;
    this.#cancelRecovery();
    this.#options.onIdle();
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
    const uses = this.#uses;
    if (peer !== undefined && this.#session === undefined) {
      try {
        await (this.#dialling ?? this.#attempt(peer));
      } catch (error) {
        this.#why = messageOf(error);
      }
    }
    if (this.#stop.signal.aborted) return;
    // There was a session: whatever became of it has had its consequences.
    if (this.#session !== undefined || this.#uses !== uses) return;
    if (this.#isGone(peer)) this.#rejectAll(this.#why);
    else if (this.#isGivenUp()) this.#giveUp();
    if (peer === undefined && !this.isBusy) return this.#idleMaybe();
    if (this.#cancelRetry === undefined) this.#comeBack();
  }

  #giveUp(): void {
    const time = `within ${RECOVERY_MS / 1000} s`;
    this.#rejectAll(`the session broke and did not come back ${time}: ${this.#why}`);
  }

  /** The peer has sessions and signs of life, and answers nothing. */
  #giveUpUnanswered(): void {
    this.#isStalled = this.#session !== undefined;
    for (const message of this.#queue.takeWhere(({ wasSent }) => wasSent)) {
      message.reject(failure(message, UNANSWERED));
    }
  }

  /** @param why An error says for itself what has failed. */
  #rejectAll(why: string | Error): void {
    for (const message of this.#queue.takeWhere(() => true)) message.reject(failure(message, why));
    this.#answers.end();
  }
}

/** Whether a peer is announced at an address that it was not at before. */
function hasMore(now: Peer, before: Peer): boolean {
  const known = new Set(before.addresses.map(({ address }) => formatAddress(address)));
  return now.addresses.some(({ address }) => !known.has(formatAddress(address)));
}
