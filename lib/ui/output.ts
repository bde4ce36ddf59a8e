import type { Clock } from "../base/clock.ts";
import { messageOf, ParlanceError } from "../errors.ts";
import { finishWithin } from "./finish_within.ts";

/** How long a reader may stall the end of the program once that is asked for, in milliseconds. */
const LAST_WRITE_MS = 1000;
/** UTF-16 units that may wait to be written before producers are asked to wait. */
const HIGH_WATER = 1024 * 1024;

const encoder = new TextEncoder();

/**
 * Writes text to a stream that may be slower than its producers: what gathers while a write is
 * under way shares the next one.
 */
export class Output {
  /** Resolves when nobody reads any more. */
  readonly closed: Promise<void>;
  readonly #closed = Promise.withResolvers<void>();
  readonly #write: (bytes: Uint8Array) => Promise<number>;
  #pending: string[] = [];
  #length = 0;
  #writing: Promise<void> | undefined;
  /** Of what is pending, and of what is being written, for who asks. */
  #written: PromiseWithResolvers<boolean> | undefined;
  #underWay: PromiseWithResolvers<boolean> | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #isClosed = false;
  #problem: unknown;

  /** @param write Hands bytes over and tells how many were taken; rejects when nobody reads. */
  constructor(write: (bytes: Uint8Array) => Promise<number>) {
    this.#write = write;
    this.closed = this.#closed.promise;
  }

  /**
   * Says whether something could not be written that somebody may want, as on a full disk. A reader
   * that has gone has what he wants.
   *
   * @throws {ParlanceError} It could not.
   */
  check(): void {
    if (this.#problem === undefined) return;
    throw new ParlanceError(
      `Cannot write all of the output: ${
        messageOf(this.#problem)
      }; what was written is not complete`,
      { cause: this.#problem },
    );
  }

  /** Adds text; dropped when nobody reads any more. */
  push(text: string): void {
    if (this.#isClosed) return;
    this.#pending.push(text);
    this.#length += text.length;
    this.#writing ??= this.#run();
  }

  /** Resolves when there is room for more; `undefined` when there is now. */
  ready(): Promise<void> | undefined {
    if (this.#length < HIGH_WATER) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /** Resolves when everything has been written, or nobody reads any more. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  /** Resolves when what was added until now has been written: to whether it was. */
  written(): Promise<boolean> {
    if (this.#isClosed || this.#writing === undefined) return Promise.resolve(!this.#isClosed);
    return (this.#written ??= Promise.withResolvers<boolean>()).promise;
  }

  /**
   * The same as {@linkcode flush}, but waits only a second more once `signal` asks to end: the reader
   * may stall.
   */
  async finish(clock: Clock, signal: AbortSignal): Promise<void> {
    await finishWithin(clock, this.flush(), LAST_WRITE_MS, signal);
  }

  #take(): void {
    this.#pending = [];
    this.#length = 0;
    this.#room?.resolve();
    this.#room = undefined;
  }

  async #run(): Promise<void> {
    // A later microtask: what is pushed in the same turn shares the first write.
    await undefined;
    try {
      while (this.#pending.length > 0) {
        const bytes = encoder.encode(this.#pending.join(""));
        this.#take();
        this.#underWay = this.#written;
        this.#written = undefined;
        for (let at = 0; at < bytes.length;) at += await this.#write(bytes.subarray(at));
        this.#underWay?.resolve(true);
        this.#underWay = undefined;
      }
    } catch (error) {
      // Mostly the reader has gone: the owner ends the program, since `closed` resolves.
      if (!isGone(error)) this.#problem = error;
      this.#isClosed = true;
      this.#take();
      this.#closed.resolve();
    } finally {
      // Asked for behind the last text: what was before it has been written, or has not.
      this.#underWay?.resolve(false);
      this.#written?.resolve(!this.#isClosed);
      this.#underWay = this.#written = undefined;
      this.#writing = undefined;
    }
  }
}

/** A pipe that nobody reads, a socket, or a terminal that was closed (EPIPE, ECONNRESET, EIO). */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.BadResource || /\(os error 5\)/.test(messageOf(error));
}
