import type { Clock } from "../../lib/base/clock.ts";

interface Timer {
  at: number;
  order: number;
  callback: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #elapsed = 0;
  #offset: number;
  #order = 0;
  readonly #timers = new Set<Timer>();

  /** @param start Wall-clock time at the beginning, in milliseconds since the Unix epoch. */
  constructor(start = 1_700_000_000_000) {
    this.#offset = start;
  }

  now(): number {
    return Math.floor(this.#offset + this.#elapsed); // as the system's clock
  }

  monotonic(): number {
    return this.#elapsed;
  }

  /** How many waits are under way. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Moves the wall clock only, as a user or NTP does. */
  jump(ms: number): void {
    this.#offset += ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        cancel();
        reject(signal!.reason);
      };
      const cancel = this.after(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#elapsed + Math.max(0, ms), order: this.#order++, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /**
   * Lets `ms` milliseconds pass. Timers fire in order, each followed by the turns of the event
   * loop that its consequences need, so that what they start is part of the same stretch of time.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await settle();
    for (let timer = this.#next(end); timer !== undefined; timer = this.#next(end)) {
      this.#timers.delete(timer);
      this.#elapsed = Math.max(this.#elapsed, timer.at);
      timer.callback();
      await settle();
    }
    this.#elapsed = end;
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > end) continue;
      if (
        first === undefined || timer.at < first.at ||
        (timer.at === first.at && timer.order < first.order)
      ) first = timer;
    }
    return first;
  }
}

/** Lets everything run that is ready without time passing. */
export async function settle(turns = 4): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
