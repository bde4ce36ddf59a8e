import type { Listener, Stream, Transport } from "../../lib/transport/stream.ts";
import { tcpTransport } from "../../lib/transport/tcp.ts";
import type { SocketAddress } from "../../lib/wire/address.ts";

/** One connection of a {@linkcode ChaosNetwork}, both of its ends. */
export interface ChaosConnection {
  /** The nodes that have an end of it, the one that dialled first. */
  readonly nodes: readonly number[];
  /** Whether nothing, the other side's end included, gets through any more, one way or both. */
  readonly isSilent: boolean;
  /** Closes one end; the other one hears of it. */
  close(): void;
  /** Lets what is on its way vanish, and all that follows. */
  silence(direction: "both" | "forth" | "back"): void;
}

/** TCP on this machine, whatever address the others see, whose connections can be broken. */
export class ChaosNetwork {
  readonly #connections = new Map<string, Connection>();

  /** What is open now. */
  get connections(): ChaosConnection[] {
    return [...this.#connections.values()];
  }

  /** The network as one node uses it. */
  transport(node: number): Transport {
    return {
      dial: async ({ port }, signal) => {
        const stream = await tcpTransport.dial({ hostname: "127.0.0.1", port }, signal);
        return this.#join(`${stream.local.port} ${port}`, "near", stream, node);
      },
      listen: ({ port }): Listener => {
        const listener = tcpTransport.listen({ hostname: "127.0.0.1", port });
        return {
          address: listener.address,
          accept: async () => {
            const stream = await listener.accept();
            const name = `${stream.remote.port} ${listener.address.port}`;
            return this.#join(name, "far", stream, node);
          },
          close: () => listener.close(),
          [Symbol.dispose]: () => listener.close(),
        };
      },
    };
  }

  #join(name: string, side: "near" | "far", stream: Stream, node: number): Stream {
    let connection = this.#connections.get(name);
    // A port is used again as soon as both ends are gone, and this one may know of one only.
    if (connection === undefined || connection[side] !== undefined) {
      connection = new Connection();
      this.#connections.set(name, connection);
    }
    const joined = connection;
    const end = new End(stream, node, () => {
      if (joined.isOver && this.#connections.get(name) === joined) this.#connections.delete(name);
    });
    return connection[side] = end;
  }
}

class Connection implements ChaosConnection {
  near: End | undefined;
  far: End | undefined;

  get nodes(): number[] {
    return [this.near, this.far].flatMap((end) => end === undefined ? [] : [end.node]);
  }

  get isOver(): boolean {
    return [this.near, this.far].every((end) => end?.isClosed ?? true);
  }

  get isSilent(): boolean {
    return this.near?.isDeaf === true || this.far?.isDeaf === true;
  }

  close(): void {
    (this.near ?? this.far)?.close();
  }

  silence(direction: "both" | "forth" | "back"): void {
    if (direction !== "back") this.far?.deafen();
    if (direction !== "forth") this.near?.deafen();
  }
}

/** One end, which stops hearing anything on demand, not even that the other one is closed. */
class End implements Stream {
  isDeaf = false;
  isClosed = false;
  readonly #closed = Promise.withResolvers<never>();

  constructor(
    private readonly stream: Stream,
    readonly node: number,
    private readonly onClose: () => void,
  ) {
    this.#closed.promise.catch(() => {});
  }

  get local(): SocketAddress {
    return this.stream.local;
  }

  get remote(): SocketAddress {
    return this.stream.remote;
  }

  deafen(): void {
    this.isDeaf = true;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (true) {
      try {
        const count = await this.stream.read(buffer);
        if (!this.isDeaf) return count;
        if (count === null) return await this.#closed.promise;
      } catch (error) {
        if (!this.isDeaf) throw error;
        return await this.#closed.promise;
      }
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    try {
      return await this.stream.write(bytes);
    } catch (error) {
      // That the other end has reset the connection is news, too.
      if (!this.isDeaf || this.isClosed) throw error;
      return bytes.length;
    }
  }

  async closeWrite(): Promise<void> {
    await this.stream.closeWrite();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.stream.close();
    this.#closed.reject(new Error("Stream is closed"));
    this.onClose();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
