import type { Clock } from "../base/clock.ts";

/** UTF-16 units, and messages, that may be on their way before the input waits. */
const MAX_LENGTH = 8 * 1024 * 1024;
const MAX_COUNT = 100_000;
/** Messages on their way that keep the network busy; from there on reading more gains nothing. */
const PLENTY = 1000;
/** How long the input waits where there are more, in milliseconds. */
const PACE_MS = 100;

/** Messages, and other commands, that were handed to the node and are not yet settled. */
export class PendingSends {
  #count = 0;
  #length = 0;
  #idle: PromiseWithResolvers<void> | undefined;
  #onPace: (() => void) | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  /** How many they are now. */
  get count(): number {
    return this.#count;
  }

  /** @param outcome Resolves either way; what comes of it is told by whoever made it. */
  add(length: number, outcome: Promise<void>): void {
    this.#count++;
    this.#length += length;
    void outcome.then(() => {
      this.#count--;
      this.#length -= length;
      if (this.#onPace !== undefined && this.#count < PLENTY) {
        this.#onPace();
        this.#onPace = undefined;
      }
      if (this.#count === 0) {
        this.#idle?.resolve();
        this.#idle = undefined;
      }
      if (this.#room !== undefined && this.#hasRoom()) {
        this.#room.resolve();
        this.#room = undefined;
      }
    });
  }

  /** Resolves when more may be sent; `undefined` when it may now. */
  room(): Promise<void> | undefined {
    if (this.#hasRoom()) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /**
   * For one reader, after each read: resolves when the network has caught up, and after 100 ms in any
   * case, since a peer that does not answer must not hold up the others; `undefined` when there is
   * nothing to catch up with. What is read far ahead costs more time to keep than to send.
   */
  paced(clock: Clock): Promise<void> | undefined {
    if (this.#count < PLENTY) return undefined;
    return new Promise((resolve) => {
      const cancel = clock.after(PACE_MS, resolve);
      this.#onPace = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Resolves when nothing is on its way any more. */
  settled(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  #hasRoom(): boolean {
    return this.#count < MAX_COUNT && this.#length < MAX_LENGTH;
  }
}
