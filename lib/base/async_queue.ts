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
  /** Set while the producer that was woken last has its turn. */
  #turn: ReturnType<typeof setImmediate> | undefined;
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

  /** Whether producers are asked to wait. */
  get isFull(): boolean {
    return this.#weight >= this.highWater;
  }

  /**
   * Adds an item; after {@linkcode close} it is dropped, because nobody will take it.
   *
   * @returns Whether it was added.
   */
  push(item: T): boolean {
    if (this.#closed) return false;
    this.#items.push(item);
    this.#weight += this.weigh(item);
    this.#wakeConsumer?.();
    return true;
  }

  /**
   * Resolves when there is room and whoever asked before has had it; `undefined` when there is now.
   * A producer that pushes as soon as this resolves exceeds the limit alone: the next one is woken
   * in a later turn of the event loop, and only if there is still room.
   */
  ready(): Promise<void> | undefined {
    if (this.#closed) return undefined;
    if (this.#weight < this.highWater && this.#producers.length === 0) return undefined;
    return new Promise((resolve) => this.#producers.push(resolve));
  }

  /** Lets the consumer take what is there and then ends its iteration. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#wakeConsumer?.();
    clearImmediate(this.#turn);
    this.#turn = undefined;
    for (const wake of this.#producers.splice(0)) wake();
  }

  /** The next item if there is one now: quicker than to wait for what is there already. */
  poll(): T | undefined {
    return this.length > 0 ? this.#take() : undefined;
  }

  next(): Promise<IteratorResult<T>> {
    if (this.length > 0) return Promise.resolve({ done: false, value: this.#take() });
    return this.#wait();
  }

  async #wait(): Promise<IteratorResult<T>> {
    while (this.length === 0) {
      if (this.#closed) return { done: true, value: undefined };
      await new Promise<void>((resolve) => this.#wakeConsumer = resolve);
    }
    return { done: false, value: this.#take() };
  }

  /** Called when the consumer gets an item. */
  protected onTaken(_item: T): void {}

  #take(): T {
    const value = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined;
    this.onTaken(value);
    this.#weight -= this.weigh(value);
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    this.#release();
    return value;
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

  /** Wakes one producer, then the next: one that asked and pushes nothing holds up nobody. */
  #release(): void {
    if (this.#turn !== undefined || this.#weight >= this.highWater) return;
    const wake = this.#producers.shift();
    if (wake === undefined) return;
    this.#turn = setImmediate(() => {
      this.#turn = undefined;
      this.#release();
    });
    wake();
  }
}
