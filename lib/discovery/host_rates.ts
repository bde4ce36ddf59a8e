import type { Clock } from "../base/clock.ts";
import { TokenBucket } from "../base/token_bucket.ts";

/** Hosts whose rate is remembered. */
const MAX_HOSTS = 1024;

/** Bounds what each host may ask for, so that one that floods does not cost the others. */
export class HostRates {
  readonly #buckets = new Map<string, TokenBucket>();

  /**
   * @param perSecond What one host may ask for in a second…
   * @param burst …and at once.
   */
  constructor(
    private readonly clock: Clock,
    private readonly perSecond: number,
    private readonly burst: number,
  ) {}

  /** Whether one more is within the rate of this host. */
  take(hostname: string): boolean {
    let bucket = this.#buckets.get(hostname);
    if (bucket === undefined) {
      // The host that is remembered longest makes room; it starts anew with a full bucket.
      if (this.#buckets.size >= MAX_HOSTS) {
        this.#buckets.delete(this.#buckets.keys().next().value!);
      }
      bucket = new TokenBucket(this.clock, this.perSecond, this.burst);
      this.#buckets.set(hostname, bucket);
    }
    return bucket.take();
  }
}
