import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { messageOf } from "../errors.ts";
import type { Store } from "../store/store.ts";

/** How often the history is cut to what the user wants to keep, in milliseconds. */
const INTERVAL_MS = 3600_000;
/** The share of its size by which it may grow until then. */
const GROWTH = 0.1;
/** The share that is made free where it grows so quickly: then that is not soon to be done again. */
const ROOM = 0.2;
const DAY_MS = 86_400_000;
const MEGABYTE = 1_000_000;

/** What {@linkcode HistoryLimits} works with. */
export interface HistoryLimitsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Pick<Store, "prune" | "onGrowth">;
  /** Messages older than this go; Infinity keeps all. */
  readonly keepDays: number;
  /** The history takes no more than about this much of the disk; Infinity keeps all. */
  readonly maxMegabytes: number;
  readonly onProblem: (message: string) => void;
}

/**
 * Cuts the history to what the user wants to keep: now, every hour, and in between whenever much was
 * written.
 */
export class HistoryLimits implements Disposable {
  readonly #stop = new AbortController();
  #cancelTimer: () => void = () => {};
  #cancelGrowth: () => void = () => {};
  /** Messages that were deleted before they were seen, and not told of yet. */
  #unseen = 0;
  #toldAt = -Infinity;

  constructor(private readonly options: HistoryLimitsOptions) {
    if (options.keepDays !== Infinity || options.maxMegabytes !== Infinity) void this.#cut();
  }

  /** Deletes nothing any more. */
  [Symbol.dispose](): void {
    this.#stop.abort(new Error("the program ends"));
    if (this.#unseen > 0) this.#tellUnseen(true);
    this.#cancelTimer();
    this.#cancelGrowth();
  }

  /** @param room The share that is made free where there is too much. */
  async #cut(room?: number): Promise<void> {
    const { clock, log, store, keepDays, maxMegabytes } = this.options;
    const maxBytes = maxMegabytes === Infinity ? undefined : maxMegabytes * MEGABYTE;
    const before = keepDays === Infinity ? undefined : clock.now() - keepDays * DAY_MS;
    const { signal } = this.#stop;
    this.#cancelTimer();
    this.#cancelGrowth();
    try {
      const onUnseen = (count: number) => void (this.#unseen += count);
      await store.prune({ before, maxBytes, room, signal, onUnseen });
    } catch (error) {
      if (!signal.aborted) log.warn(`Cannot cut the history: ${messageOf(error)}`);
    }
    if (this.#unseen > 0) this.#tellUnseen(signal.aborted);
    if (signal.aborted) return;
    this.#cancelTimer = clock.after(INTERVAL_MS, () => void this.#cut());
    if (maxBytes === undefined) return;
    this.#cancelGrowth = store.onGrowth(maxBytes * GROWTH, () => void this.#cut(ROOM));
  }

  /** At once the first time, then with every hour: who sends much must not fill the screen. */
  #tellUnseen(isLast: boolean): void {
    const { clock, log, maxMegabytes, onProblem } = this.options;
    const now = clock.monotonic();
    if (!isLast && now - this.#toldAt < INTERVAL_MS) return;
    const what = this.#unseen === 1
      ? "1 message that came was deleted before it was shown"
      : `${this.#unseen} messages that came were deleted before they were shown`;
    const message = `${what}, the oldest first: [history] max_mb allows ${maxMegabytes} MB, and ` +
      "more was waiting to be shown; allow more, or block who sends so much";
    this.#toldAt = now;
    this.#unseen = 0;
    if (isLast) log.warn(message);
    else onProblem(message);
  }
}
