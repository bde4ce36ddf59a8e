import type { Clock } from "../base/clock.ts";
import type { Refusals } from "../base/refusals.ts";
import type { Stream } from "../transport/stream.ts";
import type { PeerId } from "../wire/peer_id.ts";
import type { Hello, SessionMessage } from "../wire/session.ts";

/**
 * What a session works with and whom it tells.
 *
 * @typeParam S The session itself.
 */
export interface SessionOptions<S> {
  readonly clock: Clock;
  readonly refusals: Refusals;
  /** Encrypted, and its other side's certificate accepted. */
  readonly stream: Stream;
  readonly peerId: PeerId;
  /** Whether this side dialled. */
  readonly isDialler: boolean;
  /** This side's first line. */
  readonly hello: Hello;
  /** Content above this many bytes of UTF-8 is refused. */
  readonly maxContentBytes: number;
  /**
   * Runs what hands over lines when it is this session's turn.
   *
   * @returns Resolves when it has run; `undefined` when it has run already.
   */
  readonly turn: (job: () => void) => Promise<void> | undefined;
  /**
   * Takes how many bytes of an unfinished line are held; may end sessions, this one included, to
   * make room.
   */
  readonly onUnfinished: (bytes: number) => void;
  readonly listener: SessionListener<S>;
}

/** Hears what happens on a session. */
export interface SessionListener<S> {
  /** The other side has said who it is; once, before everything else. */
  established(session: S): void;
  /** A message has come; the listener acknowledges it. */
  message(session: S, message: SessionMessage): void;
  /**
   * The other side has taken all messages up to this number.
   *
   * @returns Whether that is news; `undefined` for a number that was never sent.
   */
  acknowledged(session: S, seq: number): boolean | undefined;
  /** The other side will not take the message with this number; returns the same. */
  refused(session: S, seq: number, reason: string): boolean | undefined;
  /** Whether messages wait for the other side's acknowledgement. */
  isAwaiting(session: S): boolean;
  /** The session is over; once. */
  ended(session: S, reason: string): void;
}
