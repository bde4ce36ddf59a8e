import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Refusals } from "../base/refusals.ts";
import { messageOf } from "../errors.ts";
import type { Listener, Stream } from "../transport/stream.ts";
import type { SocketAddress } from "../wire/address.ts";
import type { Message } from "../wire/message.ts";
import { InboundConnection } from "./inbound_connection.ts";

/** Connections that are open at the same time, and of them from one host. */
const MAX_CONNECTIONS = 1024;
const MAX_CONNECTIONS_PER_HOST = 128;
/** Bytes of unfinished lines that all connections may hold together. */
const MAX_UNFINISHED_BYTES = 32 * 1024 * 1024;
/** How often silent connections are looked for, in milliseconds. */
const SWEEP_MS = 5000;
/** Pause after the system could not accept a connection, in milliseconds. */
const ACCEPT_RETRY_MS = 100;

/** What {@linkcode Inbound} works with. */
export interface InboundOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly refusals: Refusals;
  readonly listener: Listener;
  /** Content above this many bytes of UTF-8 is refused. */
  readonly maxContentBytes: number;
  /** Takes each message, with the remote address of its connection. */
  readonly onMessage: (message: Message, from: SocketAddress) => void;
  /** Resolves when more messages are welcome; `undefined` when they are now. */
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
  #closed = false;

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
    this.#closed = true;
    this.#cancelSweep();
    this.options.listener.close();
    for (const connection of [...this.#connections]) connection.close();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    const { listener, clock, log } = this.options;
    while (!this.#closed) {
      let stream: Stream;
      try {
        stream = await listener.accept();
      } catch (error) {
        if (this.#closed) return;
        // Mostly too many open files: connections that end make room again.
        log.warn(`Cannot accept a connection: ${messageOf(error)}`);
        await clock.sleep(ACCEPT_RETRY_MS);
        continue;
      }
      if (this.#closed) return stream.close();
      this.#open(stream);
    }
  }

  #open(stream: Stream): void {
    const { refusals } = this.options;
    const host = stream.remote.hostname;
    const ofHost = this.#perHost.get(host) ?? 0;
    if (ofHost >= MAX_CONNECTIONS_PER_HOST) {
      refusals.add(
        `connections above the limit of ${MAX_CONNECTIONS_PER_HOST} per host`,
        () => host,
      );
      this.#closeIdlest((connection) => connection.remote.hostname === host);
    } else if (this.#connections.size >= MAX_CONNECTIONS) {
      refusals.add(`connections above the limit of ${MAX_CONNECTIONS}`, () => host);
      // The host that holds most of them gives one up.
      const [greediest] = [...this.#perHost].reduce((most, next) =>
        next[1] > most[1] ? next : most
      );
      this.#closeIdlest((connection) => connection.remote.hostname === greediest);
    }
    const connection = new InboundConnection(stream, {
      ...this.options,
      onUnfinished: (change) => {
        this.#unfinishedBytes += change;
        return this.#unfinishedBytes <= MAX_UNFINISHED_BYTES;
      },
      onClosed: () => {
        if (!this.#connections.delete(connection)) return;
        const left = this.#perHost.get(host)! - 1;
        if (left > 0) this.#perHost.set(host, left);
        else this.#perHost.delete(host);
      },
    });
    this.#connections.add(connection);
    this.#perHost.set(host, (this.#perHost.get(host) ?? 0) + 1);
    connection.start();
  }

  #closeIdlest(among: (connection: InboundConnection) => boolean): void {
    let idlest: InboundConnection | undefined;
    for (const connection of this.#connections) {
      if (!among(connection)) continue;
      if (idlest === undefined || connection.activeAt < idlest.activeAt) idlest = connection;
    }
    idlest?.close();
  }

  #sweepLater(): void {
    this.#cancelSweep = this.options.clock.after(SWEEP_MS, () => {
      for (const connection of [...this.#connections]) connection.closeIfSilent();
      this.#sweepLater();
    });
  }
}
