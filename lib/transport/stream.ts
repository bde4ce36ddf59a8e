import type { SocketAddress } from "../wire/address.ts";

/**
 * A reliable stream of bytes between two addresses. One read and one write may be under way at
 * the same time, not two of a kind.
 */
export interface Stream extends Disposable {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /**
   * Waits for bytes and puts them into `buffer`.
   *
   * @returns How many came, at least 1; `null` when the other side has ended its direction.
   * @throws When the connection broke or was closed here.
   */
  read(buffer: Uint8Array): Promise<number | null>;
  /**
   * Hands bytes to the network, waiting while it takes none.
   *
   * @returns How many it took, at least 1; the caller writes the rest.
   * @throws When the connection broke or was closed here.
   */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends this side's direction; the other may go on sending. */
  closeWrite(): Promise<void>;
  /** Ends both directions at once; reads and writes under way are rejected. Idempotent. */
  close(): void;
}

/** Accepts streams on one address. */
export interface Listener extends Disposable {
  /** The address with the port that the system assigned. */
  readonly address: SocketAddress;
  /** Waits for the next stream; rejects once the listener is closed. */
  accept(): Promise<Stream>;
  /** Stops accepting; streams that were accepted live on. Idempotent. */
  close(): void;
}

/** Makes streams. */
export interface Transport {
  /**
   * Connects.
   *
   * @param signal Gives up by rejecting; nothing stays open then.
   * @throws When nobody accepts there.
   */
  dial(address: SocketAddress, signal: AbortSignal): Promise<Stream>;
  /** Listens; port 0 lets the system choose. */
  listen(address: SocketAddress): Listener;
}
