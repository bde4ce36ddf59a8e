/** Receives what {@linkcode LineDecoder} finds. */
export interface LineSink {
  /** A complete line, without its newline. */
  line(text: string): void;
  /** A line that was dropped, and why; a fixed text. */
  refused(cause: string): void;
}

const NEWLINE = 0x0a;

/**
 * Cuts a byte stream into lines of UTF-8. A line above the limit is dropped up to its newline
 * while at most `maxBytes` are kept, and a line that is not UTF-8 is dropped alone: the lines
 * after it are delivered.
 */
export class LineDecoder {
  readonly #maxBytes: number;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** The start of a line whose newline has not arrived, in the order of arrival. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Whether bytes are thrown away until the next newline. */
  #skipping = false;

  /** @param maxBytes Longest line in bytes, without its newline. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How many bytes of an unfinished line are kept. */
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
      this.#pending = [];
      this.#pendingBytes = 0;
      this.#skipping = true;
      sink.refused(`line above the limit of ${this.#maxBytes} bytes`);
      return;
    }
    this.#pending.push(bytes.slice());
    this.#pendingBytes += bytes.length;
    // Single bytes that trickle in would each cost an object: join them now and then.
    if (this.#pending.length >= 64) this.#pending = [this.#joined()];
  }

  #joined(): Uint8Array {
    if (this.#pending.length === 1) return this.#pending[0];
    const joined = new Uint8Array(this.#pendingBytes);
    let at = 0;
    for (const part of this.#pending) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }

  #finish(sink: LineSink): void {
    if (this.#skipping) {
      this.#skipping = false;
      return;
    }
    const line = this.#joined();
    this.#pending = [];
    this.#pendingBytes = 0;
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
    let text: string;
    try {
      text = this.#decoder.decode(line);
    } catch {
      return sink.refused("line is not UTF-8");
    }
    sink.line(text);
  }
}
