import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { Refusals } from "../base/refusals.ts";
import type { Node } from "../node.ts";
import { serveControlConnection } from "./connection.ts";
import { encodeRefusal } from "./handshake.ts";
import {
  type ControlEndpoint,
  type ControlListener,
  type ControlStream,
  writeAll,
} from "./endpoint.ts";

/** Programs that are served at a time. */
const MAX_CONNECTIONS = 16;
/**
 * Connections that have not shown yet what they are; the oldest makes room. As many as a system lets
 * wait for being accepted: commands that start together come in before one of them is read.
 */
const MAX_UNKNOWN = 128;
/** After an accept that failed, as when files run out, in milliseconds. */
const RETRY_MS = 100;

/** Who hears this tries again for a while. */
const BUSY =
  `Cannot serve more than ${MAX_CONNECTIONS} commands at a time; try again, or end one ` +
  "of them";

/** What the control server works with. */
export interface ControlServerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly node: Node;
  /** The program's version. */
  readonly version: string;
  /** When the client started, by the clock's monotonic time. */
  readonly startedAt: number;
  /** Whether the client is a command, and ends when it has done its own work. */
  readonly isOneShot: boolean;
  readonly endpoint: ControlEndpoint;
  /** The profile's, of which the caller holds the lock. */
  readonly directory: string;
  /** Asks to end; what is being sent still gets five seconds. */
  readonly signal: AbortSignal;
}

/**
 * Lets other programs of the same user work with a node: a listener, and the connections that it
 * has accepted. Disposing of it waits until they have ended.
 */
export class ControlServer implements AsyncDisposable {
  readonly #options: ControlServerOptions;
  readonly #listener: ControlListener;
  readonly #refusals: Refusals;
  readonly #unknown = new Set<ControlStream>();
  readonly #connections = new Set<ControlStream>();
  readonly #work = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #accepting: Promise<void>;

  private constructor(options: ControlServerOptions, listener: ControlListener) {
    this.#options = options;
    this.#listener = listener;
    this.#refusals = new Refusals(options.clock, options.log);
    this.#accepting = this.#accept();
  }

  /** @throws {ParlanceError} It cannot listen. */
  static async start(options: ControlServerOptions): Promise<ControlServer> {
    return new ControlServer(options, await options.endpoint.listen(options.directory));
  }

  /** How many programs are served now. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Accepts no more, and lets everybody finish who is being served; idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#listener[Symbol.asyncDispose]();
    for (const stream of this.#unknown) stream.close();
    await this.#accepting;
    await Promise.all(this.#work);
  }

  async #accept(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        this.#serve(await this.#listener.accept());
      } catch {
        if (!signal.aborted) await clock.sleep(RETRY_MS, signal).catch(() => {});
      }
    }
  }

  #serve(stream: ControlStream): void {
    if (this.#stop.signal.aborted) return stream.close();
    const [oldest] = this.#unknown;
    if (this.#unknown.size >= MAX_UNKNOWN) {
      this.#refuse("connection that made room");
      this.#unknown.delete(oldest);
      this.#turnAway(oldest);
    }
    this.#unknown.add(stream);
    const work = serveControlConnection({
      ...this.#options,
      stream,
      secrets: this.#listener.secrets,
      signal: AbortSignal.any([this.#options.signal, this.#stop.signal]),
      admit: () => this.#admit(stream),
      onRefusal: (cause) => this.#refuse(cause),
    }).finally(() => {
      this.#unknown.delete(stream);
      this.#connections.delete(stream);
      this.#work.delete(work);
    });
    this.#work.add(work);
  }

  /** The time for its first line ends this, too, should it not take what it is told. */
  #turnAway(stream: ControlStream): void {
    const work = writeAll(stream, encodeRefusal(BUSY, "busy"))
      .catch(() => {}) // it has left
      .finally(() => {
        stream.close();
        this.#work.delete(work);
      });
    this.#work.add(work);
  }

  #admit(stream: ControlStream): string | undefined {
    if (!this.#unknown.has(stream) || this.#connections.size >= MAX_CONNECTIONS) return BUSY;
    this.#unknown.delete(stream);
    this.#connections.add(stream);
    return undefined;
  }

  #refuse(cause: string): void {
    this.#refusals.add(`control: ${cause}`);
  }
}
