import type { Refusals } from "../base/refusals.ts";
import type { Stream } from "../transport/stream.ts";

/** Handshakes at the same time, and of them with one host: each takes a few milliseconds. */
const MAX_HALF_OPEN = 128;
const MAX_HALF_OPEN_PER_HOST = 32;

/**
 * Bounds connections in the middle of a handshake. The oldest one makes room: an honest peer is
 * done within milliseconds, and one that stops half-way keeps nobody out.
 */
export class HalfOpen {
  readonly #streams = new Set<Stream>();

  constructor(private readonly refusals: Refusals) {}

  /** Takes a place; disposing of it, or `leave`, gives it back. */
  enter(stream: Stream): Disposable & { leave(): void } {
    const host = stream.remote.hostname;
    const ofHost = [...this.#streams].filter(({ remote }) => remote.hostname === host);
    const [oldest] = ofHost.length >= MAX_HALF_OPEN_PER_HOST ? ofHost : [];
    if (oldest !== undefined) this.#evict(oldest);
    else if (this.#streams.size >= MAX_HALF_OPEN) {
      this.#evict(this.#streams.values().next().value!);
    }
    this.#streams.add(stream);
    const leave = () => void this.#streams.delete(stream);
    return { leave, [Symbol.dispose]: leave };
  }

  #evict(stream: Stream): void {
    this.#streams.delete(stream);
    this.refusals.add("handshakes above the limit", () => stream.remote.hostname);
    stream.close();
  }
}
