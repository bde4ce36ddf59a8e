import type { Clock } from "../base/clock.ts";
import type { Refusals } from "../base/refusals.ts";
import { messageOf } from "../errors.ts";
import type { Listener, Stream } from "../transport/stream.ts";
import type { SocketAddress } from "../wire/address.ts";
import type { Message } from "../wire/message.ts";
import { InboundConnection } from "./inbound_connection.ts";
import type { Intake } from "./intake.ts";

/** Connections that are open at the same time, and of them from one host. */
const MAX_CONNECTIONS = 1024;
const MAX_CONNECTIONS_PER_HOST = 128;
/** Connections that wait for room at the same time. */
const MAX_ARRIVALS = 1024;
/** How often room is looked for while connections wait, in milliseconds. */
const LOOK_MS = 100;
/**
 * Looks before an arrival costs another connection its place. With several, what came while this
 * process stood still has been read: a late timer alone does not make a connection idle.
 */
const LOOKS = 3;
/** A connection on which nothing came for this long makes room, in milliseconds. */
const IDLE_MS = 2000;
/** After this time an arrival may take the place of a busy connection of a host that has more. */
const PATIENCE_MS = 2000;
/** After this time an arrival can be refused, when too many wait. */
const REFUSE_MS = 5000;
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
  /** What connections share with sessions. */
  readonly intake: Intake;
  /** Takes over connections that begin a TLS handshake; without it they are read as lines. */
  readonly onHandshake?: (stream: Stream) => void;
}

/** A connection that waits for room. */
interface Arrival {
  readonly stream: Stream;
  /** How often room was looked for in vain, while its host did not wait for the consumer. */
  looks: number;
}

/**
 * Accepts connections and reads messages from them. When there are too many, idle ones make room:
 * somebody who holds many open keeps nobody else out for long. One that may hold unread messages
 * is not closed for another: version 1 opens a connection for each message, so they come in
 * thousands, and end by themselves once they are read.
 */
export class Inbound implements AsyncDisposable {
  readonly #connections = new Set<InboundConnection>();
  readonly #perHost = new Map<string, number>();
  readonly #accepting: Promise<void>;
  #cancelSweep: () => void = () => {};
  readonly #stop = new AbortController();
  /** Accepted and not yet read, in order: there were too many open. */
  readonly #arrivals = new Set<Arrival>();
  #onRoom: () => void = () => {};
  #cancelLook: (() => void) | undefined;

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
    this.#cancelLook?.();
    this.options.listener.close();
    for (const { stream } of this.#arrivals) stream.close();
    this.#arrivals.clear();
    this.#onRoom();
    for (const connection of [...this.#connections]) connection.close();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    const { listener, clock, refusals } = this.options;
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
      while (this.#arrivals.size >= MAX_ARRIVALS && !signal.aborted) {
        await new Promise<void>((resolve) => this.#onRoom = resolve); // the next ones wait outside
      }
      if (signal.aborted) return stream.close();
      this.#arrivals.add({ stream, looks: 0 });
      this.#admit(1);
      if (this.#arrivals.size > 0 && this.#cancelLook === undefined) this.#lookLater();
    }
  }

  /** Opens what has arrived and has room: the oldest first, and at most so many. */
  #admit(most: number): void {
    for (const arrival of this.#arrivals) {
      if (most === 0 || this.#connections.size >= MAX_CONNECTIONS) break;
      if (this.#isGreedy(arrival)) continue;
      this.#arrivals.delete(arrival);
      this.#open(arrival.stream);
      most--;
    }
    if (this.#arrivals.size < MAX_ARRIVALS) this.#onRoom();
  }

  /** Whether the host of an arrival has all the connections that it can have. */
  #isGreedy({ stream }: Arrival): boolean {
    return this.#countOf(stream.remote.hostname) >= MAX_CONNECTIONS_PER_HOST;
  }

  #countOf(host: string): number {
    return this.#perHost.get(host) ?? 0;
  }

  #lookLater(): void {
    this.#cancelLook = this.options.clock.after(LOOK_MS, () => {
      this.#cancelLook = undefined;
      this.#makeRoom();
      if (this.#arrivals.size >= MAX_ARRIVALS) this.#refuseOldest();
      if (this.#arrivals.size > 0 && this.#cancelLook === undefined) this.#lookLater();
    });
  }

  /** Closes a connection for each arrival that has waited long enough, if there is one to close. */
  #makeRoom(): void {
    const idle = this.#byHost(({ idleMs }) => idleMs >= IDLE_MS);
    const busy = this.#byHost(({ idleMs, readMs }) => idleMs < IDLE_MS && readMs >= PATIENCE_MS);
    for (const arrival of this.#arrivals) {
      const { hostname } = arrival.stream.remote;
      if (!this.options.intake.turns.waits(hostname)) arrival.looks++;
      if (arrival.looks < LOOKS) continue;
      const isGreedy = this.#isGreedy(arrival);
      let host = isGreedy ? hostname : this.#greediest(idle);
      let victim = idle.get(host)?.shift();
      if (victim === undefined && !isGreedy && arrival.looks * LOOK_MS >= PATIENCE_MS) {
        host = this.#greediest(busy);
        if (this.#countOf(host) > this.#countOf(hostname) + 1) victim = busy.get(host)?.shift();
      }
      if (victim === undefined) continue;
      const limit = isGreedy ? `${MAX_CONNECTIONS_PER_HOST} per host` : MAX_CONNECTIONS;
      this.options.refusals.add(`connections above the limit of ${limit}`, () => hostname);
      victim.close();
    }
  }

  /** Closes what has waited too long, of the host that has most waiting. */
  #refuseOldest(): void {
    const byHost = Map.groupBy(this.#arrivals, ({ stream }) => stream.remote.hostname);
    const [most] = [...byHost.values()].sort((a, b) => b.length - a.length);
    for (const arrival of most) {
      if (arrival.looks * LOOK_MS < REFUSE_MS) break;
      this.options.refusals.add(
        `connections that wait above the limit of ${MAX_ARRIVALS}`,
        () => arrival.stream.remote.hostname,
      );
      this.#arrivals.delete(arrival);
      arrival.stream.close();
    }
    this.#onRoom();
  }

  #open(stream: Stream): void {
    const host = stream.remote.hostname;
    const { intake } = this.options;
    const connection = new InboundConnection(stream, {
      ...this.options,
      turn: (job) => intake.turns.run(host, job),
      onUnfinished: (bytes) => intake.unfinished.set(connection, bytes),
      onClosed: () => {
        if (!this.#connections.delete(connection)) return;
        const left = this.#perHost.get(host)! - 1;
        if (left > 0) this.#perHost.set(host, left);
        else this.#perHost.delete(host);
        this.#admit(1);
      },
    });
    this.#connections.add(connection);
    this.#perHost.set(host, this.#countOf(host) + 1);
    connection.start();
  }

  /** The connections that `isMeant` selects, by host; the longest idle ones first. */
  #byHost(isMeant: (connection: InboundConnection) => boolean): Map<string, InboundConnection[]> {
    const meant = [...this.#connections].filter(isMeant).sort((a, b) => b.idleMs - a.idleMs);
    return Map.groupBy(meant, ({ remote }) => remote.hostname);
  }

  /** The host that holds most connections, of those that have one left to close. */
  #greediest(byHost: Map<string, InboundConnection[]>): string {
    let greediest = "";
    for (const [host, { length }] of byHost) {
      if (length > 0 && this.#countOf(host) > this.#countOf(greediest)) greediest = host;
    }
    return greediest;
  }

  #sweepLater(): void {
    this.#cancelSweep = this.options.clock.after(SWEEP_MS, () => {
      for (const connection of [...this.#connections]) connection.closeIfSilent();
      this.#sweepLater();
    });
  }
}
