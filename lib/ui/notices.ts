import type { Clock } from "../base/clock.ts";
import { TokenBucket } from "../base/token_bucket.ts";

/** Comings and goings that are shown a second, and at once: more than that nobody reads. */
const PER_SECOND = 2;
const BURST = 20;
/** When what was left out is summed up, in milliseconds. */
const SUMMARY_MS = 2000;

/**
 * Bounds how many comings and goings reach the screen, so that a hostile peer that announces
 * itself under ever new names does not drive the conversation off it.
 */
export class PresenceNotices {
  readonly #bucket: TokenBucket;
  #omitted = 0;
  #cancel: () => void = () => {};

  /** @param show Puts a line on the screen. */
  constructor(private readonly clock: Clock, private readonly show: (text: string) => void) {
    this.#bucket = new TokenBucket(clock, PER_SECOND, BURST);
  }

  /** Shows a notice, or counts it for the next summary. */
  add(text: string): void {
    if (this.#omitted === 0 && this.#bucket.take()) return this.show(text);
    if (this.#omitted++ === 0) this.#cancel = this.clock.after(SUMMARY_MS, () => this.#sumUp());
  }

  /** Forgets the summary that is due. */
  close(): void {
    this.#cancel();
  }

  #sumUp(): void {
    const peers = this.#omitted === 1 ? "1 more peer" : `${this.#omitted} more peers`;
    this.show(`* ${peers} came or went; /peers shows who is here`);
    this.#omitted = 0;
  }
}
