/** Commands that may wait: more than anybody types, and what is pasted is told when it is too much. */
const MAX_WAITING = 10_000;

/** Runs commands one after another: one may have to wait, and those behind it build on it. */
export class CommandQueue {
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  /**
   * Runs a command behind those that were added before.
   *
   * @param run Resolves when the next command may be run.
   * @returns Resolves with it; `undefined` when so many are waiting that it will not be run.
   */
  add(run: () => Promise<void>): Promise<void> | undefined {
    if (this.#waiting >= MAX_WAITING) return undefined;
    this.#waiting++;
    this.#last = this.#last.then(run).finally(() => this.#waiting--);
    return this.#last;
  }
}
