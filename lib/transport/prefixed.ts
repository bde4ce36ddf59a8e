import type { SocketAddress } from "../wire/address.ts";
import type { Stream } from "./stream.ts";

/** A stream of which some bytes were read already, to see what it is: they are read again first. */
export class PrefixedStream implements Stream {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  #prefix: Uint8Array;

  /** @param prefix What was read; copied. */
  constructor(private readonly stream: Stream, prefix: Uint8Array) {
    this.local = stream.local;
    this.remote = stream.remote;
    this.#prefix = prefix.slice();
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#prefix.length === 0) return this.stream.read(buffer);
    const part = this.#prefix.subarray(0, buffer.length);
    buffer.set(part);
    this.#prefix = this.#prefix.subarray(part.length);
    return Promise.resolve(part.length);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.stream.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.stream.closeWrite();
  }

  close(): void {
    this.stream.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
