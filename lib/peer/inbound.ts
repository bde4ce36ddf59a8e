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
/** Nothing makes room that was heard of so lately, in milliseconds: its data may be on the way. */
const GRACE_MS = 100;
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
  #onEnded: () => void = () => {};

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
      await this.#makeRoom(stream.remote.hostname);
      if (signal.aborted) return stream.close();
      this.#open(stream);
    }
  }

  /** Closes an idle connection where `host` would have too many, or all hosts together. */
  async #makeRoom(host: string): Promise<void> {
    const { clock, refusals } = this.options;
    while (!this.#stop.signal.aborted) {
      const isGreedy = (this.#perHost.get(host) ?? 0) >= MAX_CONNECTIONS_PER_HOST;
      if (!isGreedy && this.#connections.size < MAX_CONNECTIONS) return;
      const idlest = this.#idlestOf(isGreedy ? host : this.#greediest());
      const wait = idlest.activeAt + GRACE_MS - clock.monotonic();
      if (wait <= 0) {
        const limit = isGreedy ? `${MAX_CONNECTIONS_PER_HOST} per host` : MAX_CONNECTIONS;
        refusals.add(`connections above the limit of ${limit}`, () => host);
        return idlest.close();
      }
      // A burst of short connections: they end by themselves once they are read.
      await new Promise<void>((resolve) => {
        const cancel = clock.after(wait, resolve);
        this.#onEnded = () => {
          cancel();
          resolve();
        };
      });
    }
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
        this.#onEnded();
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

  #idlestOf(host: string): InboundConnection {
    return [...this.#connections].filter(({ remote }) => remote.hostname === host)
      .reduce((idlest, next) => next.activeAt < idlest.activeAt ? next : idlest);
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
