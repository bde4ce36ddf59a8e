import type { Clock } from "../base/clock.ts";
import { LimitError } from "../errors.ts";

/** UTF-16 units, and messages, that are shared out among all targets. */
const MAX_LENGTH = 8 * 1024 * 1024;
const MAX_COUNT = 100_000;
/** What each target may have, however little is left: enough to keep a connection busy. */
const LEAST_LENGTH = 64 * 1024;
const LEAST_COUNT = 500;
/** A target of which nothing was settled for this long holds nobody up, in milliseconds. */
const STALL_MS = 2000;
/** Messages that keep a peer and the network busy; from there on reading more gains nothing. */
const PLENTY = 1000;
/** How long the input waits where there are more, in milliseconds. */
const PACE_MS = 100;

/** What waits for one target. */
interface Waiting {
  count: number;
  length: number;
  /** How many were settled since it began. */
  settled: number;
  /** Whether the input has waited for it in vain. */
  isStalled: boolean;
}

/**
 * Messages, and other commands, that were handed to the node and are not yet settled.
 *
 * A target, which is what the user wrote, may have as much waiting as is left of the whole: the
 * first one half, and whoever does not take anything leaves room for the others, however many do so.
 */
export class PendingSends {
  #count = 0;
  #length = 0;
  readonly #targets = new Map<string, Waiting>();
  #idle: PromiseWithResolvers<void> | undefined;
  /** To whom the last message went. */
  #last: Waiting | undefined;
  #onPace: (() => void) | undefined;
  #change: PromiseWithResolvers<void> | undefined;

  constructor(private readonly clock: Pick<Clock, "after">) {}

  /** How many they are now. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds a message.
   *
   * @param length Its UTF-16 units.
   * @param outcome Resolves either way; what comes of it is told by whoever made it.
   */
  add(target: string, length: number, outcome: Promise<void>): void {
    let waiting = this.#targets.get(target);
    if (waiting === undefined) {
      waiting = { count: 0, length: 0, settled: 0, isStalled: false };
      this.#targets.set(target, waiting);
    }
    this.#last = waiting;
    waiting.count++;
    waiting.length += length;
    this.#count++;
    this.#length += length;
    void outcome.then(() => {
      waiting.length -= length;
      waiting.settled++;
      waiting.isStalled = false;
      this.#length -= length;
      if (--waiting.count === 0) this.#targets.delete(target);
      if (waiting === this.#last && waiting.count < PLENTY) this.#onPace?.();
      this.#settle();
    });
  }

  /** Adds something that waits for no peer. */
  addCommand(outcome: Promise<void>): void {
    this.#count++;
    void outcome.finally(() => this.#settle());
  }

  /**
   * Waits until one more message may be sent to a target, as long as it takes what is sent to it.
   *
   * @returns `undefined` when that is now. Rejects with a {@linkcode LimitError} once nothing of
   *   what waits was settled for two seconds, and at once from then on until something is.
   */
  room(target: string): Promise<void> | undefined {
    const waiting = this.#targets.get(target);
    return waiting === undefined || this.#hasRoom(waiting)
      ? undefined
      : this.#wait(target, waiting);
  }

  /**
   * For one reader, after each read: resolves when the peer that was written to last has caught up,
   * and after 100 ms in any case; `undefined` when it need not. What is read far ahead costs more
   * time to keep than to send.
   */
  paced(): Promise<void> | undefined {
    if (this.#last === undefined || this.#last.count < PLENTY) return undefined;
    return new Promise((resolve) => {
      const go = () => {
        this.#onPace = undefined;
        cancel();
        resolve();
      };
      const cancel = this.clock.after(PACE_MS, go);
      this.#onPace = go;
    });
  }

  /** Resolves when nothing is on its way any more. */
  settled(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  async #wait(target: string, waiting: Waiting): Promise<void> {
    while (!this.#hasRoom(waiting)) {
      const { settled, count, length } = waiting;
      if (waiting.isStalled) {
        throw new LimitError(
          `Cannot send to ${JSON.stringify(target)}: ${count} messages with ${length} characters ` +
            "are waiting for it, and it takes none; wait until it has read them",
        );
      }
      const cancel = this.clock.after(STALL_MS, () => {
        waiting.isStalled = true;
        this.#wake();
      });
      try {
        while (waiting.settled === settled && !waiting.isStalled && !this.#hasRoom(waiting)) {
          this.#change ??= Promise.withResolvers<void>();
          await this.#change.promise;
        }
      } finally {
        cancel();
      }
    }
  }

  #settle(): void {
    this.#count--;
    this.#wake();
    if (this.#count > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  #wake(): void {
    this.#change?.resolve();
    this.#change = undefined;
  }

  #hasRoom({ count, length }: Waiting): boolean {
    return count < Math.max(LEAST_COUNT, MAX_COUNT - this.#count) &&
      length < Math.max(LEAST_LENGTH, MAX_LENGTH - this.#length);
  }
}
