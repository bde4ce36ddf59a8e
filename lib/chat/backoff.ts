import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";

/** The waits between attempts, growing and jittered, in milliseconds. */
const MIN_RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;

/** When to try again what has just failed. */
export class Backoff {
  #nextMs = MIN_RETRY_MS;
  #cancel: (() => void) | undefined;

  constructor(private readonly options: { readonly clock: Clock; readonly random: Random }) {}

  /** Whether the next attempt is to be waited for. */
  get isWaiting(): boolean {
    return this.#cancel !== undefined;
  }

  /** Calls back when it is time for the next attempt, unless that is waited for already. */
  wait(onDue: () => void): void {
    if (this.#cancel !== undefined) return;
    const { clock, random } = this.options;
    const jitteredMs = this.#nextMs * (0.5 + random.float() / 2);
    this.#nextMs = Math.min(MAX_RETRY_MS, this.#nextMs * 2);
    this.#cancel = clock.after(jitteredMs, () => {
      this.#cancel = undefined;
      onDue();
    });
  }

  /** It works again: the next wait is a short one. */
  reset(): void {
    this.#nextMs = MIN_RETRY_MS;
  }

  /** Waits no longer; nobody is called back. */
  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
