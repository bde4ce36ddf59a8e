import { randomHex } from "../../lib/base/random.ts";
import type { Peer } from "../../lib/discovery/peer.ts";
import { type MemoryHost, MemoryNetwork } from "../../lib/transport/memory.ts";
import type { Listener, Stream, Transport } from "../../lib/transport/stream.ts";
import type { SocketAddress } from "../../lib/wire/address.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** Randomness that is the same in every run, and never drops a datagram. */
export const evenRandom = {
  float: () => 0.5,
  bytes: (length: number) => new Uint8Array(length).map((_, index) => index),
};

/** A network in memory on a clock that the test moves. */
export function memoryWorld(): { clock: FakeClock; network: MemoryNetwork } {
  const clock = new FakeClock();
  return { clock, network: new MemoryNetwork(clock, evenRandom) };
}

/** Adds a host whose only interface has the given address. */
export function addHost(network: MemoryNetwork, address: string, lan = "lan"): MemoryHost {
  return network.host({ name: "eth0", address, netmask: "255.0.0.0", lan });
}

let nextKey = 1;

/** A known peer at the given addresses. */
export function peerAt(
  addresses: readonly SocketAddress[],
  { version = 2, nickname = "bob" }: { version?: number; nickname?: string } = {},
): Peer {
  return {
    key: nextKey++,
    nickname,
    label: nickname,
    version,
    instance: version >= 2 ? randomHex(evenRandom, 8) : undefined,
    id: undefined,
    addresses: addresses.map((address) => ({ address, via: "lan", lastSeen: 0 })),
    knownForMs: 0,
  };
}

/** A connection as {@linkcode Receiver} saw it. */
export interface Received {
  /** All text so far. */
  text: string;
  /** How many reads brought it. */
  reads: number;
  /** Whether the other side has ended it. */
  ended: boolean;
  readonly stream: Stream;
}

/** Accepts connections and keeps what came on each. */
export class Receiver implements Disposable {
  readonly connections: Received[] = [];
  readonly address: SocketAddress;
  readonly #listener: Listener;

  /**
   * @param closesAfterLine Closes each connection once a whole line has come, as a careless version
   *   1 peer may, and throws away what came behind it.
   * @param reads Whether it reads at all.
   */
  constructor(
    host: MemoryHost,
    address: string,
    private readonly closesAfterLine = false,
    private readonly reads = true,
  ) {
    this.#listener = host.transport.listen({ hostname: "0.0.0.0", port: 0 });
    this.address = { hostname: address, port: this.#listener.address.port };
    void this.#accept();
  }

  /** All lines that came, connection by connection. */
  get lines(): string[] {
    return this.connections.flatMap(({ text }) => text.split("\n").slice(0, -1));
  }

  async #accept(): Promise<void> {
    try {
      while (true) void this.#read(await this.#listener.accept());
    } catch {
      // closed
    }
  }

  async #read(stream: Stream): Promise<void> {
    const connection: Received = { text: "", reads: 0, ended: false, stream };
    this.connections.push(connection);
    if (!this.reads) return;
    const buffer = new Uint8Array(64 * 1024);
    const decoder = new TextDecoder();
    try {
      while (true) {
        const count = await stream.read(buffer);
        if (count === null) break;
        connection.reads++;
        connection.text += decoder.decode(buffer.subarray(0, count), { stream: true });
        const end = connection.text.indexOf("\n");
        if (this.closesAfterLine && end >= 0) {
          connection.text = connection.text.slice(0, end + 1);
          break;
        }
      }
    } catch {
      // broken
    }
    connection.ended = true;
    stream.close();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const { stream } of this.connections) stream.close();
  }
}

/** What a {@linkcode ScriptedStream} does with the bytes of a write: how many it takes, or fails. */
export type TakeBytes = (bytes: Uint8Array) => number | Promise<number>;

/** A stream whose far end is the test. */
export class ScriptedStream implements Stream {
  readonly local = { hostname: "10.0.0.1", port: 1 };
  readonly remote: SocketAddress;
  /** What was taken. */
  written = "";
  writes = 0;
  closed = false;
  readonly #end = Promise.withResolvers<number | null>();
  readonly #reads: ((count: number) => void)[] = [];
  #buffer: Uint8Array = new Uint8Array(0);

  constructor(remote: SocketAddress, private readonly take: TakeBytes = (bytes) => bytes.length) {
    this.remote = remote;
  }

  /** The far end sends; a read must be under way. */
  receive(bytes: Uint8Array): void {
    this.#buffer.set(bytes);
    this.#reads.shift()!(bytes.length);
  }

  /** The far end closes. */
  end(): void {
    this.#end.resolve(null);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    this.#buffer = buffer;
    const bytes = new Promise<number>((resolve) => this.#reads.push(resolve));
    return Promise.race([bytes, this.#end.promise]);
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.closed) throw new Error("Stream is closed");
    this.writes++;
    const broken = this.#end.promise.then(() => {
      throw new Error("Broken pipe");
    });
    broken.catch(() => {});
    const count = await Promise.race([Promise.resolve(this.take(bytes)), broken]);
    this.written += new TextDecoder().decode(bytes.subarray(0, count));
    return count;
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#end.reject(new Error("Stream is closed"));
    this.#end.promise.catch(() => {});
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A transport that hands out scripted streams in order. */
export function scriptedTransport(dial: (address: SocketAddress) => Stream): Transport {
  return {
    dial: (address) => {
      try {
        return Promise.resolve(dial(address));
      } catch (error) {
        return Promise.reject(error);
      }
    },
    listen() {
      throw new Error("Nothing listens here");
    },
  };
}

/** How a promise stands: what it is rejected with, or whether it is done. */
export function watched(promise: Promise<unknown>): { state: "waiting" | "sent" | Error } {
  const watch: { state: "waiting" | "sent" | Error } = { state: "waiting" };
  promise.then(() => watch.state = "sent", (error) => watch.state = error);
  return watch;
}
