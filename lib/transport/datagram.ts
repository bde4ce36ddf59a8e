import type { SocketAddress } from "../wire/address.ts";

/** An IPv4 address of this machine and the network that it reaches directly. */
export interface LanInterface {
  /** The system's name of the device, such as `eth0`. */
  readonly name: string;
  readonly address: string;
  readonly netmask: string;
}

/** Sends and receives datagrams at one address. */
export interface DatagramSocket extends Disposable {
  readonly address: SocketAddress;
  /** @throws When the system refuses, for example because the interface is gone. */
  send(bytes: Uint8Array, to: SocketAddress): Promise<void>;
  /**
   * Waits for the next datagram. What does not fit into `buffer` is cut off.
   *
   * @throws When the socket is closed.
   */
  receive(
    buffer: Uint8Array,
  ): Promise<{ readonly bytes: Uint8Array; readonly from: SocketAddress }>;
  /** Idempotent. */
  close(): void;
}

/** A socket that can be a member of multicast groups. */
export interface GroupSocket extends DatagramSocket {
  /** Joins `group` on the interface with the given address. Joining twice is harmless. */
  join(group: string, interfaceAddress: string): Promise<void>;
}

/** The local networks of a machine, as discovery needs them. */
export interface LanNetwork {
  /** The IPv4 addresses of now; they come and go. */
  interfaces(): LanInterface[];
  /** A socket on an own port of one interface; what it sends leaves there. */
  open(interfaceAddress: string): DatagramSocket;
  /** A socket on `port` of all interfaces, which other processes may share. */
  openGroup(port: number): GroupSocket;
}
