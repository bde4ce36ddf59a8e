import type { Outgoing } from "./delivery.ts";

/** Carries messages to one recipient. */
export interface Carrier {
  /** Whether messages can be handed over now. */
  isOpen(): boolean;
  /** Whether it makes sense to try: the recipient is announced, and may be sent to. */
  isReachable(): boolean;
  /** Whether a message may go to whom it is for now, as far as trust goes; it may unless given. */
  admits?(message: Outgoing): boolean;
  /** Messages that may be on their way at the same time, where that is less than usual. */
  readonly window?: number;
  /** Makes it open; rejects where that fails. */
  open(): Promise<void>;
  /**
   * Hands a message over. Resolves when it has arrived as surely as can be known; rejects with a
   * {@linkcode RefusedError} where the recipient will never take it, else where it may later.
   */
  send(message: Outgoing): Promise<void>;
}
