/**
 * Hands items from producers to one consumer that iterates. Producers that can wait ask
 * {@linkcode AsyncQueue.ready} before they make more, which bounds what is held.
 */
export class AsyncQueue<T> implements AsyncIterableIterator<T> {
  /** What was taken is cleared at once: a consumer that is always behind would keep it alive. */
  #items: (T | undefined)[] = [];
  #head = 0;
  #closed = false;
  #wakeConsumer: (() => void) | undefined;
  #producers: (() => void)[] = [];

  #weight = 0;

  /**
   * @param highWater From this weight on, producers are asked to wait.
   * @param weigh What an item weighs; 1 unless given.
   */
  constructor(
    private readonly highWater: number,
    private readonly weigh: (item: T) => number = () => 1,
  ) {}

  /** How many items wait for the consumer. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Adds an item; after {@linkcode close} it is dropped, because nobody will take it. */
  push(item: T): void {
    if (this.#closed) return;
    this.#items.push(item);
    this.#weight += this.weigh(item);
    this.#wakeConsumer?.();
  }

  /** Resolves when there is room; `undefined` when there is now. */
  ready(): Promise<void> | undefined {
    if (this.#closed || this.#weight < this.highWater) return undefined;
    return new Promise((resolve) => this.#producers.push(resolve));
  }

  /** Lets the consumer take what is there and then ends its iteration. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#wakeConsumer?.();
    this.#release();
  }

  async next(): Promise<IteratorResult<T>> {
    while (this.#head === this.#items.length) {
      if (this.#closed) return { done: true, value: undefined };
      await new Promise<void>((resolve) => this.#wakeConsumer = resolve);
    }
    const value = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined;
    this.#weight -= this.weigh(value);
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    if (this.#weight < this.highWater) this.#release();
    return { done: false, value };
  }

  /** Ends the iteration early: what is still there is dropped. */
  return(): Promise<IteratorResult<T>> {
    this.#items = [];
    this.#head = 0;
    this.#weight = 0;
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #release(): void {
    if (this.#producers.length === 0) return;
    for (const wake of this.#producers.splice(0)) wake();
  }
}
