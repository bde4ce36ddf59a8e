import type { Clock } from "../base/clock.ts";
import type { Refusals } from "../base/refusals.ts";
import { messageOf } from "../errors.ts";
import type { Listener, Stream } from "../transport/stream.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import type { Message } from "../wire/message.ts";
import { InboundConnection } from "./inbound_connection.ts";

/** Connections that are open at the same time, and of them from one host. */
const MAX_CONNECTIONS = 1024;
const MAX_CONNECTIONS_PER_HOST = 128;
/** For so long a connection waits for others to end before one is closed for it, in milliseconds. */
const GRACE_MS = 100;
/** Connections that wait so at the same time. */
const MAX_ARRIVALS = 1024;
/** Bytes of unfinished lines that all connections may hold together. */
const MAX_UNFINISHED_BYTES = 32 * 1024 * 1024;
/** How often silent connections are looked for, in milliseconds. */
const SWEEP_MS = 5000;
/** Pause after the system could not accept a connection, in milliseconds. */
const ACCEPT_RETRY_MS = 100;

/** What {@linkcode Inbound} works with. */
export interface InboundOptions {
  readonly clock: Clock;
  readonly refusals: Refusals;
  readonly listener: Listener;
  /** Content above this many bytes of UTF-8 is refused. */
  readonly maxContentBytes: number;
  /** Takes each message, with the remote address of its connection. */
  readonly onMessage: (message: Message, from: SocketAddress) => void;
  /**
   * Resolves when more messages are welcome, or nobody takes them any more; `undefined` when they
   * are now.
   */
  readonly ready: () => Promise<void> | undefined;
  /** Takes over connections that begin a TLS handshake; without it they are read as lines. */
  readonly onHandshake?: (stream: Stream) => void;
}

/** A connection that waits for room. */
interface Arrival {
  readonly stream: Stream;
  /** Until when it waits for others to end, in monotonic milliseconds. */
  readonly until: number;
  cancel: () => void;
}

/**
 * Accepts connections and reads messages from them. When a host has too many, its longest idle
 * connection makes room: somebody who holds many open keeps nobody else out.
 */
export class Inbound implements AsyncDisposable {
  readonly #connections = new Set<InboundConnection>();
  readonly #perHost = new Map<string, number>();
  readonly #accepting: Promise<void>;
  #unfinishedBytes = 0;
  #cancelSweep: () => void = () => {};
  readonly #stop = new AbortController();
  /** Accepted and not yet read, in order: there were too many open. */
  readonly #arrivals = new Set<Arrival>();
  #admitting = false;
  #onRoom: () => void = () => {};

  constructor(private readonly options: InboundOptions) {
    this.#accepting = this.#accept();
    this.#sweepLater();
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Stops accepting and closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#cancelSweep();
    this.options.listener.close();
    for (const { stream, cancel } of this.#arrivals) {
      cancel();
      stream.close();
    }
    this.#arrivals.clear();
    this.#onRoom();
    for (const connection of [...this.#connections]) connection.close();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    const { listener, clock, refusals, ready } = this.options;
    const { signal } = this.#stop;
    while (true) {
      let stream: Stream;
      try {
        stream = await listener.accept();
      } catch (error) {
        if (signal.aborted) return;
        // Mostly too many open files: connections that end make room again.
        refusals.add("connection that the system could not accept", () => messageOf(error));
        try {
          await clock.sleep(ACCEPT_RETRY_MS, signal);
        } catch {
          return; // closed
        }
        continue;
      }
      // A slow consumer makes those wait, too, who open a connection for each message.
      await ready();
      if (this.#arrivals.size >= MAX_ARRIVALS) {
        await new Promise<void>((resolve) => this.#onRoom = resolve); // within the time of grace
      }
      if (signal.aborted) return stream.close();
      const until = clock.monotonic() + GRACE_MS;
      const arrival = { stream, until, cancel: () => {} };
      this.#arrivals.add(arrival);
      this.#admit();
      if (this.#arrivals.has(arrival)) arrival.cancel = clock.after(GRACE_MS, () => this.#admit());
    }
  }

  /**
   * Opens what has arrived and has room. A burst of short connections ends by itself once it is
   * read; only where it does not, idle connections are closed.
   */
  #admit(): void {
    if (this.#admitting) return; // closing a connection comes back here
    this.#admitting = true;
    for (const arrival of this.#arrivals) {
      const { hostname } = arrival.stream.remote;
      const isGreedy = (this.#perHost.get(hostname) ?? 0) >= MAX_CONNECTIONS_PER_HOST;
      if (isGreedy || this.#connections.size >= MAX_CONNECTIONS) {
        if (this.options.clock.monotonic() < arrival.until) continue;
        const limit = isGreedy ? `${MAX_CONNECTIONS_PER_HOST} per host` : MAX_CONNECTIONS;
        this.options.refusals.add(`connections above the limit of ${limit}`, () => hostname);
        this.#closeIdlest(isGreedy ? hostname : this.#greediest());
      }
      arrival.cancel();
      this.#arrivals.delete(arrival);
      this.#open(arrival.stream);
    }
    this.#admitting = false;
    if (this.#arrivals.size < MAX_ARRIVALS) this.#onRoom();
  }

  #open(stream: Stream): void {
    const host = stream.remote.hostname;
    const connection = new InboundConnection(stream, {
      ...this.options,
      onUnfinished: (change) => {
        this.#unfinishedBytes += change;
        while (this.#unfinishedBytes > MAX_UNFINISHED_BYTES) this.#closeGreediest();
      },
      onClosed: () => {
        if (!this.#connections.delete(connection)) return;
        const left = this.#perHost.get(host)! - 1;
        if (left > 0) this.#perHost.set(host, left);
        else this.#perHost.delete(host);
        this.#admit();
      },
    });
    this.#connections.add(connection);
    this.#perHost.set(host, (this.#perHost.get(host) ?? 0) + 1);
    connection.start();
  }

  /** The host that holds most connections; there has to be one. */
  #greediest(): string {
    return [...this.#perHost].reduce((most, next) => next[1] > most[1] ? next : most)[0];
  }

  #closeIdlest(host: string): void {
    [...this.#connections].filter(({ remote }) => remote.hostname === host)
      .reduce((idlest, next) => next.activeAt < idlest.activeAt ? next : idlest).close();
  }

  /** Closes the longest unfinished line of the host that holds most of them. */
  #closeGreediest(): void {
    const ofHosts = new Map<string, number>();
    for (const { remote: { hostname }, unfinishedBytes } of this.#connections) {
      ofHosts.set(hostname, (ofHosts.get(hostname) ?? 0) + unfinishedBytes);
    }
    const [host] = [...ofHosts].reduce((most, next) => next[1] > most[1] ? next : most);
    const longest = [...this.#connections].filter(({ remote }) => remote.hostname === host)
      .reduce((most, next) => next.unfinishedBytes > most.unfinishedBytes ? next : most);
    this.options.refusals.add(
      `unfinished lines above the limit of ${MAX_UNFINISHED_BYTES} bytes of all connections`,
      () => formatAddress(longest.remote),
    );
    longest.close();
  }

  #sweepLater(): void {
    this.#cancelSweep = this.options.clock.after(SWEEP_MS, () => {
      for (const connection of [...this.#connections]) connection.closeIfSilent();
      this.#sweepLater();
    });
  }
}
