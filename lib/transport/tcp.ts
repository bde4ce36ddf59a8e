import type { SocketAddress } from "../wire/address.ts";
import type { Listener, Stream, Transport } from "./stream.ts";

/** Streams over TCP, by the sockets of the runtime. */
export const tcpTransport: Transport = {
  async dial({ hostname, port }, signal) {
    const connection = await Deno.connect({ hostname, port, signal, autoSelectFamily: false });
    return new TcpStream(connection);
  },
  listen({ hostname, port }) {
    return new TcpListener(Deno.listen({ hostname, port }));
  },
};

class TcpStream implements Stream {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  #closed = false;
  #abandonWrite: (reason: Error) => void = () => {};

  constructor(private readonly connection: Deno.TcpConn) {
    this.local = plain(connection.localAddr);
    this.remote = plain(connection.remoteAddr);
    try {
      // Lines that are ready together are written together already; waiting for more only delays.
      connection.setNoDelay(true);
    } catch {
      // The other side is gone already, which the first read reports.
    }
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.connection.read(buffer as Uint8Array<ArrayBuffer>);
  }

  write(bytes: Uint8Array): Promise<number> {
    // Not every runtime ends a write that is under way when the connection is closed.
    return new Promise((resolve, reject) => {
      this.#abandonWrite = reject;
      this.connection.write(bytes as Uint8Array<ArrayBuffer>).then(resolve, reject);
    });
  }

  closeWrite(): Promise<void> {
    return this.connection.closeWrite();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.connection.close();
    this.#abandonWrite(new Error("Stream is closed"));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

class TcpListener implements Listener {
  readonly address: SocketAddress;
  #closed = false;

  constructor(private readonly listener: Deno.TcpListener) {
    this.address = plain(listener.addr);
  }

  async accept(): Promise<Stream> {
    return new TcpStream(await this.listener.accept());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.listener.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function plain({ hostname, port }: { hostname: string; port: number }): SocketAddress {
  return { hostname, port };
}
