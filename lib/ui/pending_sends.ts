/**
 * UTF-16 units, and messages, that may wait for the disk: two transactions' worth. What is read
 * further ahead costs more time to keep than to send.
 */
const MAX_LENGTH = 4 * 1024 * 1024;
const MAX_COUNT = 4000;

/**
 * Messages, and other commands, that were handed to the node and are not accepted or answered yet.
 * That takes as long as the disk does; what becomes of a message then holds up nobody.
 */
export class PendingSends {
  #count = 0;
  #length = 0;
  #idle: PromiseWithResolvers<void> | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  /** How many they are now. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds a message or a command.
   *
   * @param length The UTF-16 units that it holds.
   * @param outcome Resolves either way; what comes of it is told by whoever made it.
   */
  add(length: number, outcome: Promise<void>): void {
    this.#count++;
    this.#length += length;
    void outcome.then(() => {
      this.#count--;
      this.#length -= length;
      if (this.#hasRoom()) {
        this.#room?.resolve();
        this.#room = undefined;
      }
      if (this.#count > 0) return;
      this.#idle?.resolve();
      this.#idle = undefined;
    });
  }

  /** Resolves when one more message may be sent; `undefined` when that is now. */
  room(): Promise<void> | undefined {
    if (this.#hasRoom()) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /** Resolves when nothing waits any more. */
  settled(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  #hasRoom(): boolean {
    return this.#count < MAX_COUNT && this.#length < MAX_LENGTH;
  }
}
