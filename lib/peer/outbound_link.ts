import type { Clock } from "../base/clock.ts";
import type { Peer } from "../discovery/peer.ts";
import { ConnectError, LimitError, messageOf } from "../errors.ts";
import type { Stream, Transport } from "../transport/stream.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import { utf8Length } from "../wire/message.ts";
import { dialPeer } from "./dial.ts";

/** An idle connection is closed after this many milliseconds. */
const IDLE_MS = 60_000;
/** One address gets this long at the most to accept a connection, in milliseconds. */
const DIAL_TIMEOUT_MS = 5000;
/** All addresses of a peer together get this long, in milliseconds: it may announce many. */
const DIAL_TOTAL_MS = 10_000;
/** A peer that takes no byte for this long is given up, in milliseconds. */
const STALL_MS = 10_000;
/** UTF-16 units that may wait for one peer. */
const MAX_QUEUED = 16 * 1024 * 1024;
/** UTF-16 units that are written together at the most. */
const MAX_BATCH = 256 * 1024;
/** A version 1 peer that has not closed after its first line by then keeps reading. */
const PROBE_MS = 1000;
/** Bytes that a peer may send on a connection on which nothing is expected. */
const MAX_UNEXPECTED = 64 * 1024;

/** What an `Outbound` works with. */
export interface OutboundOptions {
  readonly clock: Clock;
  readonly transport: Transport;
  /**
   * Throws where a peer is to be sent nothing any more: asked before each write, since it may have
   * been found out who the peer is while a line was waiting.
   */
  readonly admit?: (peer: Peer) => void;
}

interface QueuedLine {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** Whether a connection broke before the network had taken all of it. */
  retried: boolean;
}

/** A connection with what is known of its other end. */
interface OpenStream {
  readonly stream: Stream;
  /** Set once the other side has ended the connection, or it broke. */
  closed: boolean;
}

/**
 * The way to one peer: a queue of lines, and a connection that is opened when it is needed and
 * closed after a minute without use.
 *
 * Version 2 peers read lines until the connection ends. So does the original; but it is one of
 * many conceivable version 1 peers, and one that closes after a line would lose those that
 * follow. Hence the first connection to a version 1 peer carries one line and is watched for a
 * second, while others go on connections of their own, as the original sends them.
 */
export class OutboundLink {
  readonly #clock: Clock;
  readonly #transport: Transport;
  readonly #admit: () => void;
  #peer!: Peer;
  #queue: QueuedLine[] = [];
  #queued = 0;
  #running: Promise<void> | undefined;
  #current: OpenStream | undefined;
  /** What is known of a version 1 peer: whether it reads on after a line. */
  #keepsReading: boolean | undefined;
  /** The address that worked last, tried first. */
  #worked: string | undefined;
  #idleSince: number | undefined;
  #cancelIdle: () => void = () => {};
  #cancelProbe: () => void = () => {};
  readonly #stop = new AbortController();

  /** @param onClosed Called, maybe more than once, when the link is not to be used any more. */
  constructor(
    { clock, transport, admit }: OutboundOptions,
    private readonly onClosed: () => void,
  ) {
    this.#clock = clock;
    this.#transport = transport;
    this.#admit = () => admit?.(this.#peer);
  }

  /** Since when nothing is being sent, in monotonic milliseconds; `undefined` while busy. */
  get idleSince(): number | undefined {
    return this.#idleSince;
  }

  /** See {@linkcode Outbound.send}. `peer` is what is known of the peer now. */
  send(peer: Peer, line: string): Promise<void> {
    this.#peer = peer;
    if (this.#queued > 0 && this.#queued + line.length > MAX_QUEUED) {
      return Promise.reject(
        new LimitError(
          `Cannot send to ${JSON.stringify(peer.label)}: ${MAX_QUEUED} characters are waiting ` +
            "for it already; wait until it has read them",
        ),
      );
    }
    this.#queued += line.length;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ line, resolve, reject, retried: false });
    this.#start();
    return promise;
  }

  /** Closes the connection; lines that still wait are rejected. */
  async close(): Promise<void> {
    this.#stop.abort(new Error("Sending has ended"));
    // At once: a line that is sent from now on belongs to a new link, not to this one's end.
    this.onClosed();
    await this.#running;
    await this.#finish();
  }

  #start(): void {
    if (this.#running !== undefined) return;
    this.#cancelIdle();
    this.#idleSince = undefined;
    // A later microtask: what the caller sends in the same turn shares the first write.
    this.#running = Promise.resolve().then(() => this.#run()).finally(() => {
      this.#running = undefined;
      if (this.#queue.length > 0) this.#start();
    });
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      let result: { taken: number; stalled: boolean };
      try {
        this.#admit();
        result = await this.#write(await this.#open(), batch);
      } catch (error) {
        this.#fail(batch, error);
        continue;
      }
      const { taken, stalled } = result;
      for (let index = 0; index < taken; index++) batch[index].resolve();
      if (taken < batch.length) this.#resend(batch.slice(taken), stalled);
    }
    if (this.#current === undefined && this.#keepsReading === undefined) return this.onClosed();
    this.#idleSince = this.#clock.monotonic();
    this.#cancelIdle = this.#clock.after(IDLE_MS, () => void this.#finish());
  }

  /** Whether lines may follow one another on a connection. */
  get #pipelines(): boolean {
    return this.#peer.version >= 2 || this.#keepsReading === true;
  }

  #takeBatch(): QueuedLine[] {
    const most = this.#pipelines ? MAX_BATCH : 1;
    let length = 0;
    let count = 0;
    while (count < this.#queue.length && (count === 0 || length < most)) {
      length += this.#queue[count++].line.length;
      if (!this.#pipelines) break;
    }
    this.#queued -= length;
    return this.#queue.splice(0, count);
  }

  /** The connection to write the next batch on. */
  async #open(): Promise<OpenStream> {
    this.#stop.signal.throwIfAborted();
    const current = this.#current;
    const isUsable = current !== undefined && !current.closed && this.#isAt(current.stream.remote);
    if (isUsable && this.#pipelines) return current;
    const open = { stream: await this.#dial(), closed: false };
    const mayKeep = this.#pipelines || (this.#keepsReading === undefined && current === undefined);
    if (mayKeep) {
      this.#current?.stream.close();
      this.#current = open;
    }
    void this.#watch(open);
    return open;
  }

  /** Whether the peer is still known there: it may have moved, and left a line that is dead. */
  #isAt({ hostname, port }: SocketAddress): boolean {
    return this.#peer.addresses.some(({ address }) =>
      address.hostname === hostname && address.port === port
    );
  }

  async #dial(): Promise<Stream> {
    const options = {
      clock: this.#clock,
      worked: this.#worked,
      timeoutMs: DIAL_TIMEOUT_MS,
      totalMs: DIAL_TOTAL_MS,
      signal: this.#stop.signal,
    };
    const stream = await dialPeer(
      this.#peer,
      options,
      (address, signal) => this.#transport.dial(address, signal),
    );
    this.#worked = formatAddress(stream.remote);
    return stream;
  }

  /**
   * Writes a batch.
   *
   * @returns How many lines of it the network took entirely, and whether the peer took no more
   *   because it does not read.
   */
  async #write(
    open: OpenStream,
    batch: readonly QueuedLine[],
  ): Promise<{ taken: number; stalled: boolean }> {
    let stalled = false;
    const bytes = new TextEncoder().encode(batch.map(({ line }) => line).join(""));
    let at = 0;
    const onStop = () => open.stream.close();
    this.#stop.signal.addEventListener("abort", onStop);
    try {
      while (at < bytes.length) {
        this.#admit();
        const cancel = this.#clock.after(STALL_MS, () => {
          stalled = true;
          open.stream.close();
        });
        try {
          at += await open.stream.write(bytes.subarray(at));
        } finally {
          cancel();
        }
      }
    } catch {
      // Broken, stalled, stopped or not admitted any more: the caller decides about what is left.
    } finally {
      this.#stop.signal.removeEventListener("abort", onStop);
    }
    if (at < bytes.length) {
      this.#retire(open);
      let taken = 0;
      let end = 0;
      while (taken < batch.length) {
        end += utf8Length(batch[taken].line);
        if (end > at) break;
        taken++;
      }
      return { taken, stalled };
    }
    if (open !== this.#current) await this.#endStream(open.stream);
    else if (!this.#pipelines) this.#probe(open);
    return { taken: batch.length, stalled };
  }

  /** Lines that a broken connection did not take are sent once more, on a new one. */
  #resend(lines: readonly QueuedLine[], stalled: boolean): void {
    if (stalled || lines[0].retried) {
      const reason = stalled
        ? `it has taken no data for ${STALL_MS / 1000} s; is it overloaded?`
        : "the connection broke twice; is it still running?";
      const to = `${JSON.stringify(this.#peer.label)} at ${this.#worked}`;
      return this.#fail(lines, new ConnectError(`Cannot send to ${to}: ${reason}`));
    }
    for (const line of lines) {
      line.retried = true;
      this.#queued += line.line.length;
    }
    this.#queue.unshift(...lines);
  }

  #fail(lines: readonly QueuedLine[], error: unknown): void {
    const reason = error instanceof Error ? error : new Error(messageOf(error));
    for (const { reject } of lines) reject(reason);
    if (!(error instanceof ConnectError) && !this.#stop.signal.aborted) return;
    // Nobody answers: what waits behind would only wait for the same time-out, one after another.
    for (const { reject, line } of this.#queue.splice(0)) {
      this.#queued -= line.length;
      reject(reason);
    }
  }

  /** Waits for the end of a connection on which nothing is expected. */
  async #watch(open: OpenStream): Promise<void> {
    const buffer = new Uint8Array(1024);
    let received = 0;
    try {
      while (received <= MAX_UNEXPECTED) {
        const count = await open.stream.read(buffer);
        if (count === null) break;
        received += count;
      }
    } catch {
      // Broken: the same as ended.
    }
    this.#retire(open);
  }

  #retire(open: OpenStream): void {
    if (open.closed) return;
    open.closed = true;
    open.stream.close();
    if (this.#current !== open) return;
    this.#current = undefined;
    // Whoever ends a connection may do it behind any line: no more than one goes on each again.
    if (this.#peer.version < 2) this.#keepsReading = false;
    this.#cancelProbe();
  }

  #probe(open: OpenStream): void {
    if (this.#keepsReading !== undefined) return;
    this.#cancelProbe();
    this.#cancelProbe = this.#clock.after(PROBE_MS, () => {
      if (!open.closed && this.#current === open) this.#keepsReading = true;
    });
  }

  async #endStream(stream: Stream): Promise<void> {
    try {
      await stream.closeWrite();
    } catch {
      // The other side was quicker.
    }
    stream.close();
  }

  async #finish(): Promise<void> {
    this.#cancelIdle();
    this.#cancelProbe();
    const current = this.#current;
    this.#current = undefined;
    this.onClosed();
    if (current === undefined) return;
    current.closed = true;
    await this.#endStream(current.stream);
  }
}
