import type { Clock } from "../base/clock.ts";

/** Bytes that a direction holds before its writer waits, as a kernel's socket buffer does. */
const CAPACITY = 64 * 1024;

/** How often a cut line is tried again. */
const RETRY_MS = 100;

/** One direction of a stream in memory. */
export class MemoryPipe {
  #chunks: Uint8Array[] = [];
  /** Bytes that were written and not read, those still on their way included. */
  #held = 0;
  #ended = false;
  #error: { readonly reader: Error; readonly writer: Error } | undefined;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;
  /** What is on its way, in order. */
  readonly #arrivals: { due: number; arrive: () => void }[] = [];

  /**
   * @param delay How long bytes are on their way, in milliseconds, asked at each write.
   * @param reachable Whether the line is whole now.
   */
  constructor(
    private readonly clock: Clock,
    private readonly delay: () => number,
    private readonly reachable: () => boolean,
  ) {}

  async write(bytes: Uint8Array): Promise<number> {
    while (this.#held >= CAPACITY && this.#error === undefined && !this.#ended) {
      await new Promise<void>((resolve) => this.#wakeWriter = resolve);
    }
    if (this.#error !== undefined) throw this.#error.writer;
    if (this.#ended) throw new Error("Broken pipe");
    if (bytes.length === 0) return 0;
    const taken = bytes.slice(0, CAPACITY - this.#held);
    this.#held += taken.length;
    this.#deliver(() => this.#chunks.push(taken));
    return taken.length;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.#error !== undefined) throw this.#error.reader;
      if (this.#ended && this.#arrivals.length === 0) return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
    const chunk = this.#chunks[0];
    const count = Math.min(chunk.length, buffer.length);
    buffer.set(chunk.subarray(0, count));
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
    this.#held -= count;
    this.#wakeWriter?.();
    return count;
  }

  /** No more bytes follow: a write under way is rejected. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#wakeWriter?.();
    this.#deliver(() => {});
  }

  /** Breaks the direction, and says so to either end: bytes that were not read are lost. */
  break(reader: Error, writer: Error): void {
    this.#error ??= { reader, writer };
    this.#chunks = [];
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  /** Queues an arrival. Across a cut line it waits until the line is whole again, as with TCP. */
  #deliver(arrive: () => void): void {
    this.#arrivals.push({ due: this.clock.monotonic() + this.delay(), arrive });
    if (this.#arrivals.length === 1) this.#pump();
  }

  #pump(): void {
    while (this.#arrivals.length > 0 && this.#error === undefined) {
      const wait = this.#arrivals[0].due - this.clock.monotonic();
      if (wait > 0 || !this.reachable()) {
        this.clock.after(wait > 0 ? wait : RETRY_MS, () => this.#pump());
        return;
      }
      this.#arrivals.shift()!.arrive();
      this.#wakeReader?.();
    }
  }
}
