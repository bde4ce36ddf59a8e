import type { Clock } from "../base/clock.ts";
import { TokenBucket } from "../base/token_bucket.ts";

/** Datagrams a second from one host, and at once: a hundred peers on one machine stay below it. */
const PER_SECOND = 500;
const BURST = 1000;
/** Hosts whose rate is remembered. */
const MAX_HOSTS = 1024;

/** Bounds the datagrams of each host, so that one that floods does not cost the others. */
export class HostRates {
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(private readonly clock: Clock) {}

  /** Whether one more datagram of this host is within its rate. */
  take(hostname: string): boolean {
    let bucket = this.#buckets.get(hostname);
    if (bucket === undefined) {
      // The host that is remembered longest makes room; it starts anew with a full bucket.
      if (this.#buckets.size >= MAX_HOSTS) {
        this.#buckets.delete(this.#buckets.keys().next().value!);
      }
      bucket = new TokenBucket(this.clock, PER_SECOND, BURST);
      this.#buckets.set(hostname, bucket);
    }
    return bucket.take();
  }
}
