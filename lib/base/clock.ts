/** Time as a dependency, so that tests decide when it passes. */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch; may jump either way. */
  now(): number;
  /** Milliseconds since some fixed moment; never goes back. For ages, time-outs and rates. */
  monotonic(): number;
  /**
   * Waits.
   *
   * @param ms How long, in milliseconds; 0 or less resolves in a later turn, Infinity never does.
   * @param signal Ends the wait early by rejecting with the signal's reason.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls back once after `ms` milliseconds (0 or less: in a later turn; Infinity: never), unless
   * the returned function was called before.
   */
  after(ms: number, callback: () => void): () => void;
}

/** The longest wait that the platform's timers know (24.8 days); longer ones would end at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        cancel();
        reject(signal!.reason);
      };
      const cancel = systemClock.after(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
  after(ms, callback) {
    let timer: ReturnType<typeof setTimeout>;
    const wait = (left: number) => {
      timer = left > MAX_TIMER_MS
        ? setTimeout(() => wait(left - MAX_TIMER_MS), MAX_TIMER_MS)
        : setTimeout(callback, Math.max(0, left)); // the runtime prints a warning below 0
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
};
