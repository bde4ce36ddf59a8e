import type { Clock } from "../base/clock.ts";
import type { Refusals } from "../base/refusals.ts";
import { TokenBucket } from "../base/token_bucket.ts";
import { PrefixedStream } from "../transport/prefixed.ts";
import type { Stream } from "../transport/stream.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import { LineDecoder, type LineSink } from "../wire/lines.ts";
import { decodeMessage, MAX_LINE_BYTES, type Message } from "../wire/message.ts";
import { TLS_HANDSHAKE_BYTE } from "../wire/session.ts";

/** A connection without a byte for this long is ended, in milliseconds; senders close after 60 s. */
const IDLE_MS = 120_000;
/** A line has to be complete this many milliseconds after its first byte. */
const LINE_MS = 30_000;
/** Lines that are no messages cost more than others: who sends more than this is cut off. */
const BAD_LINES_PER_SECOND = 100;
const BAD_LINES_AT_ONCE = 1000;
/** The reading buffer grows while the peer fills it; most connections carry one short line. */
const MIN_BUFFER = 4 * 1024;
const MAX_BUFFER = 64 * 1024;
/**
 * The first line of an HTTP request (RFC 9112, section 3). A web page can make a browser post any
 * lines to any port, and must not speak for its user.
 */
const REQUEST_LINE = /^[A-Z]+ \S+ HTTP\/\d/;

/** What {@linkcode InboundConnection} needs from its owner. */
export interface InboundConnectionOptions {
  readonly clock: Clock;
  readonly refusals: Refusals;
  readonly maxContentBytes: number;
  readonly onMessage: (message: Message, from: SocketAddress) => void;
  /**
   * Runs what hands over messages when it is this connection's turn.
   *
   * @returns Resolves when it has run; `undefined` when it has run already.
   */
  readonly turn: (job: () => void) => Promise<void> | undefined;
  /**
   * Takes how many bytes of an unfinished line are held; may close connections, this one included,
   * to make room.
   */
  readonly onUnfinished: (bytes: number) => void;
  readonly onClosed: () => void;
  /** Takes the stream over when it begins a TLS handshake; the connection is closed here then. */
  readonly onHandshake?: (stream: Stream) => void;
}

/** One accepted connection: reads messages until it ends. */
export class InboundConnection {
  readonly #decoder = new LineDecoder(MAX_LINE_BYTES);
  readonly #sink: LineSink;
  #lineSince: number | undefined;
  #activeAt: number;
  #readSince: number;
  /** Whether its turn is awaited, so that nothing is read. */
  #waits = false;
  #closed = false;
  /** Whether a byte has come. */
  #isBegun = false;
  /** Whether the first byte is a capital letter, as of every HTTP method and no message. */
  #beginsAsRequest: boolean | undefined;

  constructor(
    private readonly stream: Stream,
    private readonly options: InboundConnectionOptions,
  ) {
    this.#activeAt = this.#readSince = options.clock.monotonic();
    const bad = new TokenBucket(options.clock, BAD_LINES_PER_SECOND, BAD_LINES_AT_ONCE);
    const refuse = (cause: string) => {
      options.refusals.add(cause, () => formatAddress(stream.remote));
      if (!bad.take()) this.close();
    };
    const refuseRequest = () => {
      options.refusals.add("HTTP request", () => formatAddress(stream.remote));
      this.close();
    };
    let isFirst = true;
    this.#sink = {
      line: (text) => {
        if (this.#closed) return;
        if (isFirst && REQUEST_LINE.test(text)) return refuseRequest();
        isFirst = false;
        const decoded = decodeMessage(text, options.maxContentBytes);
        if (decoded.ok) options.onMessage(decoded.value, stream.remote);
        else refuse(decoded.cause);
      },
      refused: (cause) => {
        if (this.#closed) return;
        if (isFirst && this.#beginsAsRequest) return refuseRequest(); // its end cannot be seen
        isFirst = false;
        refuse(cause);
      },
    };
  }

  get remote(): SocketAddress {
    return this.stream.remote;
  }

  /** For how long nothing came although it was read, in milliseconds; 0 while it waits its turn. */
  get idleMs(): number {
    return this.#waits ? 0 : this.options.clock.monotonic() - this.#activeAt;
  }

  /** For how long it has been read without a wait for its turn, in milliseconds. */
  get readMs(): number {
    return this.#waits ? 0 : this.options.clock.monotonic() - this.#readSince;
  }

  /** Reads until the connection ends. */
  async start(): Promise<void> {
    const { clock } = this.options;
    let buffer = new Uint8Array(MIN_BUFFER);
    try {
      while (true) {
        const count = await this.stream.read(buffer);
        if (count === null) break;
        this.#activeAt = clock.monotonic();
        const chunk = buffer.subarray(0, count);
        if (this.#isHandshake(chunk)) return this.#handOver(chunk);
        this.#isBegun = true;
        await this.#turn(() => this.#take(chunk));
        if (this.#closed) return;
        if (count === buffer.length && count < MAX_BUFFER) buffer = new Uint8Array(count * 4);
      }
      if (this.#decoder.unfinished) await this.#turn(() => this.#decoder.end(this.#sink));
    } catch {
      // Broken or closed: what was complete has been delivered.
    } finally {
      this.close();
    }
  }

  /** Closes a connection that has sent nothing, or not finished its line, for too long. */
  closeIfSilent(): void {
    if (this.#waits) return;
    const { clock, refusals } = this.options;
    const now = clock.monotonic();
    if (this.#lineSince !== undefined && now - this.#lineSince > LINE_MS) {
      refusals.add(
        `line that was not complete within ${LINE_MS / 1000} s`,
        () => formatAddress(this.remote),
      );
      this.close();
    } else if (now - this.#activeAt > IDLE_MS) {
      this.close();
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.options.onUnfinished(0);
    this.stream.close();
    this.options.onClosed();
  }

  /** Lets the sender wait while whoever reads the messages is slower than they come. */
  async #turn(job: () => void): Promise<void> {
    const wait = this.options.turn(job);
    if (wait === undefined) return;
    this.#waits = true;
    await wait;
    this.#waits = false;
    // Time in which nothing was read is not the sender's.
    this.#activeAt = this.#readSince = this.options.clock.monotonic();
    if (this.#lineSince !== undefined) this.#lineSince = this.#activeAt;
  }

  /** One port serves both: no line of version 1 begins as a TLS handshake does. */
  #isHandshake(chunk: Uint8Array): boolean {
    return !this.#isBegun && chunk[0] === TLS_HANDSHAKE_BYTE &&
      this.options.onHandshake !== undefined;
  }

  #handOver(chunk: Uint8Array): void {
    this.#closed = true;
    this.options.onClosed();
    this.options.onHandshake!(new PrefixedStream(this.stream, chunk));
  }

  #take(chunk: Uint8Array): void {
    if (this.#closed) return;
    this.#beginsAsRequest ??= chunk[0] >= 0x41 && chunk[0] <= 0x5a;
    this.#decoder.push(chunk, this.#sink);
    // Closed meanwhile: what it held is given back already.
    if (!this.#closed) this.#account(chunk);
  }

  /** Notes what the decoder holds. */
  #account(chunk: Uint8Array): void {
    if (!this.#decoder.unfinished) this.#lineSince = undefined;
    else if (chunk.includes(0x0a)) this.#lineSince = this.#activeAt;
    else this.#lineSince ??= this.#activeAt;
    this.options.onUnfinished(this.#decoder.pendingBytes);
  }
}
