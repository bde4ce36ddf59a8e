import { TokenBucket } from "../base/token_bucket.ts";
import { messageOf } from "../errors.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import { LineDecoder } from "../wire/lines.ts";
import { MAX_LINE_BYTES, utf8Length } from "../wire/message.ts";
import type { PeerId } from "../wire/peer_id.ts";
import {
  decodeSessionLine,
  encodeSessionLine,
  type Hello,
  type SessionLine,
} from "../wire/session.ts";
import type { SessionOptions } from "./session_options.ts";

/** The other side's hello has to come within this many milliseconds. */
const HELLO_MS = 5000;
/**
 * How often the signs of life are looked at, after how long without a byte a ping goes out, and
 * after how long the session is over, in milliseconds. With nothing to lose a break is found within
 * 30 s, at little cost.
 */
const IDLE = { tickMs: 4000, pingMs: 10_000, deadMs: 25_000 };
/**
 * The same while messages wait for the other side: their sender wants to know. A side that does not
 * read, or is in the middle of a line, sends a pong with every tick: 4 s apart at the most, so that
 * the other one hears two before it gives up.
 */
const AWAITING = { tickMs: 1000, pingMs: 3000, deadMs: 10_000 };
/** A line has to be complete after this time, in milliseconds, and at most a tick. */
const LINE_MS = 30_000;
/** Lines that say nothing new cost more than others: who sends more than this is cut off. */
const USELESS_LINES_PER_SECOND = 100;
const USELESS_LINES_AT_ONCE = 1000;
/**
 * Messages that were taken before: what is sent again after a break. More than this do not fit into
 * what may wait for a peer.
 */
const MAX_DUPLICATES = 200_000;
/** UTF-16 units that may wait to be written: what may wait for a peer, and room for answers. */
const MAX_PENDING = 24 * 1024 * 1024;
/** UTF-16 units that are written together at the most. */
const MAX_BATCH = 256 * 1024;
/** Time for the last lines to leave, in milliseconds. */
const PARTING_MS = 1000;
/** The reading buffer grows while the peer fills it; most sessions are quiet. */
const MIN_BUFFER = 4 * 1024;
const MAX_BUFFER = 64 * 1024;

/** An authenticated, encrypted session with one peer: lines both ways until it ends. */
export class Session {
  readonly #options: SessionOptions<Session>;
  #peerHello: Hello | undefined;
  #pending: string[] = [];
  #pendingLength = 0;
  /** Refusals, which must not come behind an acknowledgement of what followed. */
  #answers = "";
  #ackDue = 0;
  #isPongDue = false;
  #writing: Promise<void> | undefined;
  readonly #decoder = new LineDecoder(MAX_LINE_BYTES);
  /** Ticks since the last byte, in milliseconds: while this program stood still none came due. */
  #quietMs = 0;
  /** The same since the unfinished line began. */
  #lineMs = 0;
  readonly #useless: TokenBucket;
  #duplicates = 0;
  #isAwaiting = false;
  #held = false;
  #hasPeerLeft = false;
  #isEndedHere = false;
  #isBroken = false;
  #ended = false;
  #cancelTick: () => void = () => {};

  constructor(options: SessionOptions<Session>) {
    this.#options = options;
    const { clock } = options;
    this.#useless = new TokenBucket(clock, USELESS_LINES_PER_SECOND, USELESS_LINES_AT_ONCE);
  }

  get peerId(): PeerId {
    return this.#options.peerId;
  }

  get isDialler(): boolean {
    return this.#options.isDialler;
  }

  /** This side's first line. */
  get hello(): Hello {
    return this.#options.hello;
  }

  /** The other side's first line; throws before {@linkcode SessionListener.established}. */
  get peerHello(): Hello {
    if (this.#peerHello === undefined) throw new Error("The session is not established");
    return this.#peerHello;
  }

  /** Whether the other side has ended it on purpose, and said so. */
  get hasPeerLeft(): boolean {
    return this.#hasPeerLeft;
  }

  /** Whether this side has ended it on purpose. */
  get isEndedHere(): boolean {
    return this.#isEndedHere;
  }

  /** Whether its connection broke. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Whether it waits for its turn, so that nothing is read. */
  get isHeld(): boolean {
    return this.#held;
  }

  get remote(): SocketAddress {
    return this.#options.stream.remote;
  }

  /** Says hello and reads until the session ends. */
  start(): void {
    this.write(encodeSessionLine(this.hello));
    this.#tickLater(HELLO_MS);
    void this.#read();
  }

  /** Sends a line; it is lost when the session ends before it was written. */
  write(line: string): void {
    if (this.#ended) return;
    this.#pending.push(line);
    this.#pendingLength += line.length;
    if (this.#pendingLength > MAX_PENDING) return this.#end("the peer does not read", true);
    this.#writing ??= this.#write();
  }

  /** Sends messages, for whose acknowledgement the other side gets less time than when idle. */
  send(lines: string): void {
    this.write(lines);
    if (this.#isAwaiting || this.#ended) return;
    this.#isAwaiting = true;
    this.#quietMs = 0;
    this.#cancelTick();
    this.#tickLater(AWAITING.tickMs);
  }

  /** Tells the other side that everything up to this number was taken, with the next write. */
  acknowledge(seq: number): void {
    if (this.#ended || seq <= this.#ackDue) return;
    this.#ackDue = seq;
    this.#writing ??= this.#write();
  }

  /** Says why and ends the session, `told` being what the other side learns of it. Idempotent. */
  async close(reason: string, told = reason): Promise<void> {
    if (this.#ended) return;
    this.#isEndedHere = true;
    this.write(encodeSessionLine({ type: "bye", reason: told }));
    this.#end(reason, false);
    const { clock, stream } = this.#options;
    const cancel = clock.after(PARTING_MS, () => stream.close());
    try {
      await this.#writing;
      await stream.closeWrite();
    } catch {
      // Broken already: then nobody is there to hear it.
    }
    cancel();
    stream.close();
  }

  /** Ends the session without a word. Idempotent. */
  abort(reason: string): void {
    if (!this.#ended) this.#isEndedHere = true;
    this.#end(reason, true);
  }

  /** A message has come that was taken before. */
  noteDuplicate(): void {
    if (++this.#duplicates > MAX_DUPLICATES) this.#refuse("messages again and again");
  }

  async #read(): Promise<void> {
    const { stream, turn } = this.#options;
    let buffer = new Uint8Array(MIN_BUFFER);
    try {
      while (!this.#ended) {
        const count = await stream.read(buffer);
        if (count === null) return this.#end("the peer ended the session", true);
        this.#quietMs = 0;
        const chunk = buffer.subarray(0, count);
        // Whom this side has dialled it waits for: its hello does not wait for the user.
        const isExpected = this.isDialler && this.#peerHello === undefined;
        const wait = isExpected ? this.#takeChunk(chunk) : turn(() => this.#takeChunk(chunk));
        if (wait !== undefined) {
          // Waiting for the user is not the peer's silence.
          this.#held = true;
          await wait;
          this.#held = false;
        }
        if (count === buffer.length && count < MAX_BUFFER) buffer = new Uint8Array(count * 4);
      }
    } catch (error) {
      this.#isBroken ||= !this.#ended;
      this.#end(messageOf(error), true);
    }
  }

  #takeChunk(chunk: Uint8Array): undefined {
    if (this.#ended) return;
    this.#decoder.push(chunk, this.#sink);
    if (this.#ended) return;
    if (!this.#decoder.unfinished || chunk.includes(0x0a)) this.#lineMs = 0;
    this.#options.onUnfinished(this.#decoder.pendingBytes);
  }

  readonly #sink = {
    line: (text: string) => this.#onLine(text),
    refused: (cause: string) => this.#refuse(cause),
  };

  #onLine(text: string): void {
    if (this.#ended) return;
    const decoded = decodeSessionLine(text);
    if (!decoded.ok) return this.#refuse(decoded.cause);
    const line = decoded.value;
    if (line === undefined) return this.#onUseless();
    if (this.#peerHello !== undefined) return this.#take(line);
    if (line.type !== "hello") return this.#refuse("session that does not begin with a hello");
    this.#peerHello = line;
    this.#options.listener.established(this);
  }

  #take(line: SessionLine): void {
    const { listener, maxContentBytes } = this.#options;
    switch (line.type) {
      case "message": {
        const { seq, content, from } = line;
        if (from !== undefined && from !== this.peerHello.nickname) {
          return this.#refuse("message under another name than the session's");
        }
        if (content.length * 3 > maxContentBytes && utf8Length(content) > maxContentBytes) {
          this.#options.refusals.add("content above the limit", () => formatAddress(this.remote));
          const reason = `a message has at most ${maxContentBytes} bytes here`;
          return this.#answer(encodeSessionLine({ type: "refused", seq, reason }));
        }
        return listener.message(this, line);
      }
      case "ack":
        return this.#onAnswer(listener.acknowledged(this, line.seq));
      case "refused":
        return this.#onAnswer(listener.refused(this, line.seq, line.reason));
      case "ping":
        this.#pong();
        return this.#onUseless();
      case "bye":
        this.#hasPeerLeft = true;
        return this.#end(line.reason, true);
      case "hello":
        return this.#refuse("second hello");
      case "pong":
        return this.#onUseless();
    }
  }

  #onAnswer(isNews: boolean | undefined): void {
    if (isNews === undefined) this.#refuse("answer to a message that was never sent");
    else if (!isNews) this.#onUseless();
  }

  #onUseless(): void {
    if (!this.#useless.take()) this.#refuse("lines above the limit that say nothing new");
  }

  /** Gives a sign of life; one for any number of pings that wait. */
  #pong(): void {
    this.#isPongDue = true;
    this.#writing ??= this.#write();
  }

  #answer(line: string): void {
    this.#answers += line;
    if (this.#answers.length > MAX_PENDING) return this.#end("the peer does not read", true);
    this.#writing ??= this.#write();
  }

  #refuse(cause: string): void {
    if (this.#ended) return;
    this.#options.refusals.add(cause, () => formatAddress(this.remote));
    void this.close(cause);
  }

  async #write(): Promise<void> {
    // A later microtask: what is sent in the same turn shares the first write.
    await undefined;
    const { stream } = this.#options;
    const encoder = new TextEncoder();
    let acknowledged = 0;
    try {
      while (
        this.#pending.length > 0 || this.#answers !== "" || this.#ackDue > acknowledged ||
        this.#isPongDue
      ) {
        let text = this.#takePending() + this.#answers;
        this.#answers = "";
        if (this.#isPongDue) text += encodeSessionLine({ type: "pong" });
        this.#isPongDue = false;
        if (this.#ackDue > acknowledged) {
          acknowledged = this.#ackDue;
          text += encodeSessionLine({ type: "ack", seq: acknowledged });
        }
        const bytes = encoder.encode(text);
        // However long that takes: a peer that gives signs of life may read again.
        for (let at = 0; at < bytes.length;) at += await stream.write(bytes.subarray(at));
        if (this.#ackDue === acknowledged && this.#pending.length === 0) this.#ackDue = 0;
      }
    } catch (error) {
      this.#isBroken ||= !this.#ended;
      this.#end(messageOf(error), true);
    } finally {
      this.#writing = undefined;
    }
  }

  #takePending(): string {
    let length = 0;
    let count = 0;
    while (count < this.#pending.length && length < MAX_BATCH) {
      length += this.#pending[count++].length;
    }
    this.#pendingLength -= length;
    return this.#pending.splice(0, count).join("");
  }

  #tickLater(ms: number): void {
    this.#cancelTick = this.#options.clock.after(ms, () => this.#tick(ms));
  }

  #tick(passedMs: number): void {
    if (this.#peerHello === undefined && !this.#held) {
      return this.#end(`no hello within ${HELLO_MS / 1000} s`, true);
    }
    // The other side waits for a sign of life that is not asked for here, or not yet.
    if (this.#held || this.#decoder.unfinished) this.#pong();
    this.#quietMs = this.#held ? 0 : this.#quietMs + passedMs;
    if (this.#decoder.unfinished && !this.#held) {
      // Not counting the first tick, which may have come right behind the line's beginning.
      if (this.#lineMs >= LINE_MS) {
        return this.#refuse(`line that was not complete within ${LINE_MS / 1000} s`);
      }
      this.#lineMs += passedMs;
    }
    this.#isAwaiting &&= this.#options.listener.isAwaiting(this);
    const { tickMs, pingMs, deadMs } = this.#isAwaiting ? AWAITING : IDLE;
    if (this.#quietMs >= deadMs) return this.#end(`no sign of life for ${deadMs / 1000} s`, true);
    if (this.#quietMs >= pingMs) this.write(encodeSessionLine({ type: "ping" }));
    this.#tickLater(tickMs);
  }

  #end(reason: string, atOnce: boolean): void {
    if (atOnce) this.#options.stream.close();
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTick();
    this.#options.onUnfinished(0);
    if (atOnce) {
      this.#pending = [];
      this.#answers = "";
    }
    this.#options.listener.ended(this, reason);
  }
}
