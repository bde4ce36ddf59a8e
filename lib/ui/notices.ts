import type { Clock } from "../base/clock.ts";
import { TokenBucket } from "../base/token_bucket.ts";
import type { NodeEvent } from "../node.ts";

/** When what was left out is summed up, in milliseconds. */
const SUMMARY_MS = 2000;

/** How many lines of a kind are shown, and how the others are summed up. */
export interface NoticesBounds {
  /** Lines a second in the long run. */
  readonly perSecond: number;
  /** Lines at once. */
  readonly burst: number;
  /** One line for the `count` that were left out. */
  readonly summary: (count: number) => string;
}

/** Comings and goings: a full room is shown one by one; more than that nobody reads. */
export const PRESENCE_BOUNDS: NoticesBounds = {
  perSecond: 2,
  burst: 20,
  summary: (count) =>
    `* ${count === 1 ? "1 more peer" : `${count} more peers`} came or went; ` +
    "/peers shows who is here",
};

/** Log entries: they interrupt a conversation, and an attack makes them by the dozen. */
export const LOG_BOUNDS: NoticesBounds = {
  perSecond: 0.5,
  burst: 5,
  summary: (count) =>
    `* ${count === 1 ? "1 more log entry" : `${count} more log entries`}; ` +
    "2>FILE behind the command keeps them all",
};

/** Messages that have arrived late: whoever comes back may take hundreds at once. */
export const DELIVERY_BOUNDS: NoticesBounds = {
  perSecond: 2,
  burst: 20,
  summary: (count) =>
    `✓ ${count === 1 ? "1 more message has" : `${count} more messages have`} arrived; ` +
    "/history shows them",
};

/** Messages that wait: pasted ones, say. */
export const WAITING_BOUNDS: NoticesBounds = {
  perSecond: 2,
  burst: 20,
  summary: (count) =>
    `… ${count === 1 ? "1 more message waits" : `${count} more messages wait`}; ` +
    "/outbox shows what has not arrived",
};

/** Whether an event is one of those that strangers can cause in any number. */
export function isPresence(event: NodeEvent): boolean {
  return event.type === "peer_up" || event.type === "peer_down" ||
    (event.type === "identity" && event.change !== "changed");
}

/**
 * Bounds how many lines that others can cause reach the screen, so that a hostile peer does not
 * drive the conversation off it.
 */
export class BoundedNotices {
  readonly #bucket: TokenBucket;
  #omitted = 0;
  #cancel: () => void = () => {};

  /** @param show Puts a line on the screen. */
  constructor(
    private readonly clock: Clock,
    private readonly bounds: NoticesBounds,
    private readonly show: (text: string) => void,
  ) {
    this.#bucket = new TokenBucket(clock, bounds.perSecond, bounds.burst);
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
    this.show(this.bounds.summary(this.#omitted));
    this.#omitted = 0;
  }
}
