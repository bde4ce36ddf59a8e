import type { SocketAddress } from "../wire/address.ts";
import type { GroupSocket, LanInterface, LanNetwork } from "./datagram.ts";

/** The local networks of this machine, by the sockets of the runtime. */
export const udpNetwork: LanNetwork = {
  interfaces(): LanInterface[] {
    return Deno.networkInterfaces()
      .filter(({ family }) => family === "IPv4")
      .map(({ name, address, netmask }) => ({ name, address, netmask }));
  },
  open(interfaceAddress) {
    return new UdpSocket(
      Deno.listenDatagram({
        transport: "udp",
        // On Linux this also decides where multicast leaves.
        hostname: interfaceAddress,
        port: 0,
        // Other peers on this machine are to hear it, too; the runtime's default is not to.
        loopback: true,
      }),
    );
  },
  openGroup(port) {
    return new UdpSocket(
      Deno.listenDatagram({
        transport: "udp",
        hostname: "0.0.0.0",
        port,
        reuseAddress: true,
        loopback: true,
      }),
    );
  },
};

class UdpSocket implements GroupSocket {
  readonly address: SocketAddress;
  readonly #joined = new Set<string>();
  #closed = false;

  constructor(private readonly socket: Deno.DatagramConn) {
    const { hostname, port } = socket.addr as Deno.NetAddr;
    this.address = { hostname, port };
  }

  async send(bytes: Uint8Array, { hostname, port }: SocketAddress): Promise<void> {
    await this.socket.send(bytes, { transport: "udp", hostname, port });
  }

  async receive(buffer: Uint8Array): Promise<{ bytes: Uint8Array; from: SocketAddress }> {
    const [bytes, from] = await this.socket.receive(buffer);
    const { hostname, port } = from as Deno.NetAddr;
    return { bytes, from: { hostname, port } };
  }

  async join(group: string, interfaceAddress: string): Promise<void> {
    try {
      await this.socket.joinMulticastV4(group, interfaceAddress);
    } catch (error) {
      // The device is a member already, by this or another of its addresses.
      const isMember = error instanceof Deno.errors.AddrInUse || this.#joined.has(interfaceAddress);
      if (!isMember) throw error;
    }
    this.#joined.add(interfaceAddress);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
