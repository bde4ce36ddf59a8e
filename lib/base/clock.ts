/** Time as a dependency, so that tests decide when it passes. */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch; may jump either way. */
  now(): number;
  /** Milliseconds since some fixed moment; never goes back. For ages, time-outs and rates. */
  monotonic(): number;
  /**
   * Waits.
   *
   * @param ms How long, in milliseconds; 0 or less resolves in a later turn.
   * @param signal Ends the wait early by rejecting with the signal's reason.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once after `ms` milliseconds, unless the returned function was called before. */
  after(ms: number, callback: () => void): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal!.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
