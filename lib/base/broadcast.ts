import { AsyncQueue } from "./async_queue.ts";

/**
 * A queue whose items others may watch. Its one consumer makes producers wait, as with every
 * {@linkcode AsyncQueue}; a watcher never does: one that falls too far behind is cut off.
 */
export class Broadcast<T> extends AsyncQueue<T> {
  readonly #weigh: (item: T) => number;
  readonly #watchers = new Map<Watcher<T>, () => void>();
  #isClosed = false;

  /**
   * @param highWater From this weight on, producers are asked to wait.
   * @param weigh What an item weighs; 1 unless given.
   */
  constructor(highWater: number, weigh: (item: T) => number = () => 1) {
    super(highWater, weigh);
    this.#weigh = weigh;
  }

  /** How many watch now. */
  get watchers(): number {
    return this.#watchers.size;
  }

  /**
   * Watches: iterates over what is pushed from now on, until the queue is closed.
   *
   * @param most From this weight on, the watcher is cut off, and what it has not taken is dropped.
   * @param onOverrun Called when that happens.
   */
  watch(most: number, onOverrun: () => void): AsyncIterableIterator<T> {
    const watcher = new Watcher(most, this.#weigh, () => this.#watchers.delete(watcher));
    if (this.#isClosed) watcher.close();
    else this.#watchers.set(watcher, onOverrun);
    return watcher;
  }

  override push(item: T): boolean {
    if (!super.push(item)) return false;
    for (const [watcher, onOverrun] of this.#watchers) {
      if (watcher.isFull) {
        void watcher.return();
        onOverrun();
      } else watcher.push(item);
    }
    return true;
  }

  override close(): void {
    this.#isClosed = true;
    super.close();
    for (const watcher of this.#watchers.keys()) watcher.close();
  }
}

class Watcher<T> extends AsyncQueue<T> {
  constructor(most: number, weigh: (item: T) => number, private readonly onEnd: () => void) {
    super(most, weigh);
  }

  override close(): void {
    super.close();
    this.onEnd();
  }
}
