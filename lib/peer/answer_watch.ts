import type { Clock } from "../base/clock.ts";

/** After this long without an answer the messages that a session has had are given up. */
export const UNANSWERED_MS = 30_000;
/** The time is counted in ticks: while this program stood still none came due. */
const TICK_MS = 5000;

/** Looks for how long a peer has answered nothing, whatever signs of life it gives. */
export class AnswerWatch {
  #passedMs = 0;
  #cancel: (() => void) | undefined;

  /**
   * @param isListening Whether answers could be heard now, so that the time counts.
   * @param onSilent Nothing was answered for {@linkcode UNANSWERED_MS} since the beginning.
   */
  constructor(
    private readonly clock: Clock,
    private readonly isListening: () => boolean,
    private readonly onSilent: () => void,
  ) {}

  /** Messages wait from now on, or still do. */
  begin(): void {
    if (this.#cancel !== undefined) return;
    this.#passedMs = 0;
    this.#tickLater();
  }

  /** Something was answered, or nothing waits any more. Idempotent. */
  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #tickLater(): void {
    this.#cancel = this.clock.after(TICK_MS, () => {
      if (this.isListening()) this.#passedMs += TICK_MS;
      if (this.#passedMs < UNANSWERED_MS) return this.#tickLater();
      this.#cancel = undefined;
      this.onSilent();
    });
  }
}
