import type { Clock } from "../base/clock.ts";

/** Whoever writes faster than is delivered waits no longer than this for one message, in milliseconds. */
const MAX_PACE_MS = 100;
/** And does not wait for a recipient that has taken nothing for this long, in milliseconds. */
const STALLED_MS = 2000;

/** Has whoever writes faster than the recipient takes wait for it, never for long. */
export class Pace {
  /** When something has arrived last, or a session was begun, by the monotonic clock. */
  #movedAt = -Infinity;
  #waiting: (PromiseWithResolvers<void> & { readonly cancel: () => void }) | undefined;

  constructor(private readonly clock: Clock) {}

  /** Something has arrived, or may soon. */
  moved(): void {
    this.#movedAt = this.clock.monotonic();
  }

  /**
   * @returns Resolves with {@linkcode goOn}, or after a tenth of a second; `undefined` where nothing
   *   moves, so that waiting is in vain.
   */
  wait(): Promise<void> | undefined {
    const { clock } = this;
    if (clock.monotonic() - this.#movedAt >= STALLED_MS) return undefined;
    this.#waiting ??= {
      ...Promise.withResolvers<void>(),
      cancel: clock.after(MAX_PACE_MS, () => this.goOn()),
    };
    return this.#waiting.promise;
  }

  /** Nobody has to wait any more. */
  goOn(): void {
    this.#waiting?.cancel();
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
