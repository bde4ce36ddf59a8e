/** UTF-16 units, and messages, that may be on their way before the input waits. */
const MAX_LENGTH = 8 * 1024 * 1024;
const MAX_COUNT = 100_000;

/** Messages, and other commands, that were handed to the node and are not yet settled. */
export class PendingSends {
  #count = 0;
  #length = 0;
  #idle: PromiseWithResolvers<void> | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  /** How many they are now. */
  get count(): number {
    return this.#count;
  }

  /** @param outcome Resolves either way; what comes of it is told by whoever made it. */
  add(length: number, outcome: Promise<void>): void {
    this.#count++;
    this.#length += length;
    void outcome.finally(() => {
      this.#count--;
      this.#length -= length;
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
