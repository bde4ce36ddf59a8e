import type {
  DatagramSocket,
  GroupSocket,
  LanInterface,
  LanNetwork,
} from "../transport/datagram.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { messageOf } from "../errors.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import { MAX_DATAGRAM_BYTES, MULTICAST_GROUP, MULTICAST_PORT } from "../wire/announce.ts";

/** Pause after a failed reception, in milliseconds, so that a broken socket does not spin. */
const RECEIVE_RETRY_MS = 10;

/** What can fail with one interface; its address follows in the name of the concern. */
const INTERFACE_CONCERNS: ReadonlySet<string> = new Set(["open", "join", "send"]);

/** A socket of one interface. */
interface Link {
  lan: LanInterface;
  readonly socket: DatagramSocket;
}

/** What {@linkcode LanSockets} needs from its owner. */
export interface LanSocketsOptions {
  readonly clock: Clock;
  readonly network: LanNetwork;
  readonly log: Log;
  /** Addresses of the interfaces to use; all when empty. */
  readonly only: readonly string[];
  /** Takes each datagram before the next one is read; `bytes` is valid until it returns. */
  readonly onDatagram: (bytes: Uint8Array, from: SocketAddress) => void | Promise<void>;
  /** Takes what the user should know: which interface does not work, and why. */
  readonly onProblem: (message: string) => void;
}

/**
 * The sockets of LAN discovery: one that listens to the group on every IPv4 interface, and one
 * per interface that announces there and hears answers. They follow the interfaces as these come
 * and go.
 */
export class LanSockets implements Disposable {
  readonly #options: LanSocketsOptions;
  readonly #links = new Map<string, Link>();
  /** Problems that were reported and still last, by what they concern. */
  readonly #problems = new Map<string, string>();
  #group: GroupSocket | undefined;
  #closed = false;

  constructor(options: LanSocketsOptions) {
    this.#options = options;
  }

  /**
   * Looks at the interfaces and adapts to what changed.
   *
   * @returns Whether there is an interface that was not there before.
   */
  async refresh(): Promise<boolean> {
    const interfaces = this.#wanted();
    const addresses = new Set(interfaces.map(({ address }) => address));
    let lost = false;
    for (const address of [...this.#links.keys()]) {
      if (!addresses.has(address)) {
        this.#dropLink(address);
        lost = true;
      }
    }
    this.#forgetProblems(addresses);
    // A membership of a device that is gone cannot be given up, and the system allows only so
    // many: a fresh socket has none.
    if (lost) this.#closeGroup();
    this.#openGroup();
    let found = false;
    for (const lan of interfaces) {
      found = this.#openLink(lan) || found;
      await this.#join(lan);
    }
    if (this.#options.only.length > 0 || interfaces.some(({ address }) => !isLoopback(address))) {
      this.#problems.delete("interfaces");
    } else if (!this.#problems.has("list")) {
      this.#report(
        "interfaces",
        "Cannot discover peers on other machines: no network interface has an IPv4 address; " +
          "connect to a network, and it will be used",
      );
    }
    return found;
  }

  /** Sends to the group on every interface. */
  async announce(bytes: Uint8Array): Promise<void> {
    const links = [...this.#links.values()];
    const outside = links.filter(({ lan }) => !isLoopback(lan.address));
    // Who listens hears the machine's other interfaces as well: on the loopback interface an
    // announce would only show version 1 peers the same peer a second time.
    const used = this.#options.only.length > 0 || outside.length === 0 ? links : outside;
    const group = { hostname: MULTICAST_GROUP, port: MULTICAST_PORT };
    await Promise.all(used.map((link) => this.#send(link, bytes, group)));
  }

  /**
   * Sends to one host of a directly connected network, from the interface that reaches it. That it
   * cannot be sent there is not a problem of the interface: who asks chooses the address.
   *
   * @returns Whether there is such an interface.
   */
  async answer(bytes: Uint8Array, to: SocketAddress): Promise<boolean> {
    const link = [...this.#links.values()].find(({ lan }) => isInNetwork(to.hostname, lan));
    if (link === undefined) return false;
    try {
      await link.socket.send(bytes, to);
    } catch (error) {
      this.#options.log.debug(`Cannot answer ${formatAddress(to)}: ${messageOf(error)}`);
    }
    return true;
  }

  /** Whether datagrams from this address are heard: always, unless the interfaces are limited. */
  hears(hostname: string): boolean {
    return this.#options.only.length === 0 ||
      [...this.#links.values()].some(({ lan }) => isInNetwork(hostname, lan));
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#closeGroup();
    for (const address of [...this.#links.keys()]) this.#dropLink(address);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #wanted(): LanInterface[] {
    const { network, only } = this.#options;
    let interfaces: LanInterface[];
    try {
      interfaces = network.interfaces();
      this.#problems.delete("list");
    } catch (error) {
      this.#report("list", `Cannot list the network interfaces: ${messageOf(error)}`);
      return [...this.#links.values()].map(({ lan }) => lan);
    }
    if (only.length === 0) return interfaces;
    for (const address of only) {
      const concern = `interface ${address}`;
      if (interfaces.some((lan) => lan.address === address)) {
        this.#problems.delete(concern);
        continue;
      }
      const there = interfaces.map((lan) => `${lan.address} (${lan.name})`).join(", ") || "none";
      this.#report(
        concern,
        `Cannot discover peers on interface ${address}: this machine has no such address now; ` +
          `it has ${there}`,
      );
    }
    return interfaces.filter(({ address }) => only.includes(address));
  }

  #openGroup(): void {
    if (this.#group !== undefined) return;
    try {
      this.#group = this.#options.network.openGroup(MULTICAST_PORT);
    } catch (error) {
      return this.#report(
        "group",
        `Cannot listen for announces on UDP port ${MULTICAST_PORT}: ${messageOf(error)}; ` +
          "another program holds the port without sharing it; peers that answer are still found",
      );
    }
    this.#problems.delete("group");
    this.#receive(this.#group);
  }

  #openLink(lan: LanInterface): boolean {
    const link = this.#links.get(lan.address);
    if (link !== undefined) {
      link.lan = lan; // the netmask may have changed
      return false;
    }
    const concern = `open ${lan.address}`;
    let socket: DatagramSocket;
    try {
      socket = this.#options.network.open(lan.address);
    } catch (error) {
      this.#report(
        concern,
        `Cannot announce on interface ${lan.name} (${lan.address}): ${messageOf(error)}`,
      );
      return false;
    }
    this.#problems.delete(concern);
    this.#links.set(lan.address, { lan, socket });
    this.#receive(socket);
    // One that is opened again because it could not send has nobody new behind it.
    return !this.#problems.has(`send ${lan.address}`);
  }

  async #join({ name, address }: LanInterface): Promise<void> {
    if (this.#group === undefined) return;
    const concern = `join ${address}`;
    try {
      // Each time anew: a device may have been replaced by another one with the same address.
      await this.#group.join(MULTICAST_GROUP, address);
      this.#problems.delete(concern);
    } catch (error) {
      if (this.#closed) return;
      this.#report(
        concern,
        `Cannot join ${MULTICAST_GROUP} on interface ${name} (${address}): ${messageOf(error)}; ` +
          "peers there are found only when they answer",
      );
    }
  }

  async #send({ lan, socket }: Link, bytes: Uint8Array, to: SocketAddress): Promise<void> {
    const concern = `send ${lan.address}`;
    try {
      await socket.send(bytes, to);
      this.#problems.delete(concern);
    } catch (error) {
      if (this.#closed || this.#links.get(lan.address)?.socket !== socket) return;
      // Opened again by the next look at the interfaces, in case the device was replaced.
      this.#dropLink(lan.address);
      this.#report(
        concern,
        `Cannot send on interface ${lan.name} (${lan.address}): ${messageOf(error)}`,
      );
    }
  }

  /** Reads a socket until it is closed. */
  async #receive(socket: DatagramSocket): Promise<void> {
    // One byte more than the limit shows what exceeds it.
    const buffer = new Uint8Array(MAX_DATAGRAM_BYTES + 1);
    while (true) {
      let received;
      try {
        received = await socket.receive(buffer);
      } catch (error) {
        if (this.#closed || !this.#isOpen(socket)) return;
        // Some systems report here that an earlier datagram was not delivered; the socket lives.
        this.#options.log.debug(
          `Cannot receive on ${socket.address.hostname}: ${messageOf(error)}`,
        );
        await this.#options.clock.sleep(RECEIVE_RETRY_MS);
        continue;
      }
      await this.#options.onDatagram(received.bytes, received.from);
    }
  }

  #isOpen(socket: DatagramSocket): boolean {
    return socket === this.#group ||
      [...this.#links.values()].some((link) => link.socket === socket);
  }

  #dropLink(address: string): void {
    this.#links.get(address)?.socket.close();
    this.#links.delete(address);
  }

  #closeGroup(): void {
    this.#group?.close();
    this.#group = undefined;
  }

  /** Problems end with their interface, and are told again when it comes back with them. */
  #forgetProblems(addresses: ReadonlySet<string>): void {
    for (const concern of this.#problems.keys()) {
      const [what, address] = concern.split(" ");
      if (INTERFACE_CONCERNS.has(what) && !addresses.has(address)) this.#problems.delete(concern);
    }
  }

  /** Tells the user once for as long as the problem lasts in the same words. */
  #report(concern: string, message: string): void {
    if (this.#problems.get(concern) === message) return;
    this.#problems.set(concern, message);
    this.#options.onProblem(message);
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.");
}

function isInNetwork(address: string, { address: own, netmask }: LanInterface): boolean {
  const mask = toBits(netmask);
  return ((toBits(address) ^ toBits(own)) & mask) === 0;
}

function toBits(address: string): number {
  return address.split(".").reduce((bits, part) => (bits << 8) | Number(part), 0);
}
