import type { Clock } from "./clock.ts";

/**
 * Bounds a rate: a bucket that holds at most `burst` tokens and gains `perSecond` of them each
 * second; what finds no token is to be refused.
 */
export class TokenBucket {
  #tokens: number;
  #filledAt: number;

  constructor(
    private readonly clock: Pick<Clock, "monotonic">,
    private readonly perSecond: number,
    private readonly burst: number,
  ) {
    this.#tokens = burst;
    this.#filledAt = clock.monotonic();
  }

  /**
   * Takes `count` tokens if that many are there, and tells whether it did. More than `burst` are
   * never there.
   */
  take(count = 1): boolean {
    const now = this.clock.monotonic();
    const gained = (now - this.#filledAt) * this.perSecond / 1000;
    this.#tokens = Math.min(this.burst, this.#tokens + gained);
    this.#filledAt = now;
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }
}
