import { decodeUtf8 } from "./utf8.ts";

/** Receives what {@linkcode LineDecoder} finds. */
export interface LineSink {
  /** A complete line, without its newline. */
  line(text: string): void;
  /** A line that was dropped, and why; a fixed text. */
  refused(cause: string): void;
}

const NEWLINE = 0x0a;
/** A buffer up to this size is kept from line to line; a larger one was for one long line. */
const KEPT_BUFFER_BYTES = 4096;

/**
 * Cuts a byte stream into lines of UTF-8. A line above the limit is dropped up to its newline
 * while at most `maxBytes` are kept, and a line that is not UTF-8 is dropped alone: the lines
 * after it are delivered.
 */
export class LineDecoder {
  readonly #maxBytes: number;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** Begins with the start of a line whose newline has not arrived. */
  #pending = new Uint8Array(0);
  #pendingBytes = 0;
  /** Whether bytes are thrown away until the next newline. */
  #skipping = false;

  /** @param maxBytes Longest line in bytes, without its newline. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How many bytes of an unfinished line are kept, in a buffer of at most twice that and 4 KiB. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Whether a line has begun and not ended. */
  get unfinished(): boolean {
    return this.#skipping || this.#pendingBytes > 0;
  }

  /**
   * Takes the next bytes and hands every line that they complete to `sink`.
   *
   * @param chunk Any part of the stream; it may be reused after the call.
   */
  push(chunk: Uint8Array, sink: LineSink): void {
    const last = chunk.lastIndexOf(NEWLINE);
    if (last < 0) return this.#keep(chunk, sink);
    let start = 0;
    if (this.unfinished) {
      const first = chunk.indexOf(NEWLINE);
      this.#keep(chunk.subarray(0, first), sink);
      this.#finish(sink);
      start = first + 1;
    }
    if (start <= last) this.#block(chunk.subarray(start, last), sink);
    this.#keep(chunk.subarray(last + 1), sink);
  }

  /** The stream has ended: hands over what stands behind the last newline, if anything does. */
  end(sink: LineSink): void {
    if (this.unfinished) this.#finish(sink);
  }

  #keep(bytes: Uint8Array, sink: LineSink): void {
    if (this.#skipping || bytes.length === 0) return;
    if (this.#pendingBytes + bytes.length > this.#maxBytes) {
      this.#release();
      this.#skipping = true;
      sink.refused(`line above the limit of ${this.#maxBytes} bytes`);
      return;
    }
    if (bytes.length > this.#pending.length - this.#pendingBytes) this.#grow(bytes.length);
    this.#pending.set(bytes, this.#pendingBytes);
    this.#pendingBytes += bytes.length;
  }

  /** Doubles the buffer, so that a line which trickles in is not copied once per byte. */
  #grow(more: number): void {
    const wanted = Math.max(this.#pendingBytes + more, 2 * this.#pending.length);
    const grown = new Uint8Array(Math.min(wanted, this.#maxBytes));
    grown.set(this.#pending.subarray(0, this.#pendingBytes));
    this.#pending = grown;
  }

  #release(): void {
    if (this.#pending.length > KEPT_BUFFER_BYTES) this.#pending = new Uint8Array(0);
    this.#pendingBytes = 0;
  }

  #finish(sink: LineSink): void {
    if (this.#skipping) {
      this.#skipping = false;
      return;
    }
    const line = this.#pending.subarray(0, this.#pendingBytes);
    this.#release();
    this.#one(line, sink);
  }

  /** Hands over complete lines that lie together, the last one's newline cut off. */
  #block(bytes: Uint8Array, sink: LineSink): void {
    if (bytes.length <= this.#maxBytes) {
      let text: string | undefined;
      try {
        text = this.#decoder.decode(bytes);
      } catch {
        // One of the lines is not UTF-8: the slow way below tells which.
      }
      if (text !== undefined) {
        let start = 0;
        for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
          sink.line(text.slice(start, end));
          start = end + 1;
        }
        sink.line(start === 0 ? text : text.slice(start));
        return;
      }
    }
    let start = 0;
    while (start <= bytes.length) {
      const end = bytes.indexOf(NEWLINE, start);
      const stop = end < 0 ? bytes.length : end;
      this.#one(bytes.subarray(start, stop), sink);
      start = stop + 1;
    }
  }

  #one(line: Uint8Array, sink: LineSink): void {
    if (line.length > this.#maxBytes) {
      return sink.refused(`line above the limit of ${this.#maxBytes} bytes`);
    }
    const text = decodeUtf8(line);
    if (text === undefined) return sink.refused("line is not UTF-8");
    sink.line(text);
  }
}
