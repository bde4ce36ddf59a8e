import type { SocketAddress } from "../wire/address.ts";
import { ConnectionStream } from "./connection.ts";
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

class TcpStream extends ConnectionStream implements Stream {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;

  constructor(connection: Deno.TcpConn) {
    super(connection);
    this.local = plain(connection.localAddr);
    this.remote = plain(connection.remoteAddr);
    try {
      // Lines that are ready together are written together already; waiting for more only delays.
      connection.setNoDelay(true);
    } catch {
      // The other side is gone already, which the first read reports.
    }
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
