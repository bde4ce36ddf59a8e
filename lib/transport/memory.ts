import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import type { GroupSocket, LanInterface, LanNetwork } from "./datagram.ts";
import { MemoryPipe } from "./memory_pipe.ts";
import type { Listener, Stream, Transport } from "./stream.ts";

/** Datagrams that wait at one socket; more are dropped, as a kernel does. */
const RECEIVE_QUEUE = 1024;

/** The first of the ports that are given out (RFC 6335, section 6). */
const FIRST_EPHEMERAL_PORT = 49152;

/** One interface of a host in memory: an address in a LAN. */
export interface MemoryInterface extends LanInterface {
  /** Multicast reaches the hosts whose interfaces name the same LAN. */
  readonly lan: string;
}

/**
 * A network in memory, for tests and simulations: any number of hosts and LANs in one process.
 * Streams reach every host, multicast stays in its LAN. It can delay, drop, cut and partition.
 */
export class MemoryNetwork {
  /** Milliseconds that everything is on its way. */
  delayMs = 0;
  /** Share of the datagrams that get lost, from 0 to 1. */
  dropRate = 0;
  readonly #hosts: MemoryHost[] = [];
  readonly #streams = new Set<MemoryStream>();
  #groups: readonly (readonly MemoryHost[])[] = [];

  constructor(readonly clock: Clock, private readonly random: Random) {}

  /** Adds a host with the given interfaces. */
  host(...interfaces: MemoryInterface[]): MemoryHost {
    const host = new MemoryHost(this, interfaces);
    this.#hosts.push(host);
    return host;
  }

  /** Lets only hosts of one group reach each other, until {@linkcode heal}. */
  partition(...groups: readonly (readonly MemoryHost[])[]): void {
    this.#groups = groups;
  }

  /** Ends a partition. */
  heal(): void {
    this.#groups = [];
  }

  /** Breaks every live stream that `host` takes part in. */
  cut(host: MemoryHost): void {
    for (const stream of [...this.#streams]) {
      if (stream.host === host || stream.peer.host === host) stream.reset();
    }
  }

  /** @internal */
  reachable(a: MemoryHost, b: MemoryHost): boolean {
    return a === b || this.#groups.length === 0 ||
      this.#groups.some((group) => group.includes(a) && group.includes(b));
  }

  /** @internal Whom `from` reaches by `address`. */
  owner(address: string, from: MemoryHost): MemoryHost | undefined {
    if (from.has(address)) return from;
    return isLoopback(address) ? undefined : this.#hosts.find((host) => host.has(address));
  }

  /** @internal Connects two ends; the caller hands the second one to its listener. */
  connect(from: MemoryHost, local: SocketAddress, to: MemoryHost, remote: SocketAddress) {
    const reachable = () => this.reachable(from, to);
    const forth = new MemoryPipe(this.clock, () => this.delayMs, reachable);
    const back = new MemoryPipe(this.clock, () => this.delayMs, reachable);
    const near = new MemoryStream(from, local, remote, back, forth);
    const far = new MemoryStream(to, remote, local, forth, back);
    near.peer = far;
    far.peer = near;
    for (const stream of [near, far]) {
      this.#streams.add(stream);
      stream.onClose = () => this.#streams.delete(stream);
    }
    return { near, far };
  }

  /** @internal */
  deliver(sender: MemoryHost, bytes: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const lan = sender.lanOf(from.hostname);
    const copy = bytes.slice();
    const staysHere = isLoopback(from.hostname) || isLoopback(to.hostname) ||
      sender.has(to.hostname);
    for (const host of staysHere ? [sender] : this.#hosts) {
      if (!this.reachable(sender, host) || this.random.float() < this.dropRate) continue;
      const arrive = () => {
        for (const socket of host.sockets) {
          if (socket.accepts(to, lan)) socket.arrive(copy, from);
        }
      };
      if (this.delayMs === 0) arrive();
      else this.clock.after(this.delayMs, arrive);
    }
  }
}

/** One machine of a {@linkcode MemoryNetwork}. */
export class MemoryHost {
  /** @internal */
  readonly sockets = new Set<MemorySocket>();
  readonly #listeners = new Map<number, MemoryListener>();
  #nextPort = FIRST_EPHEMERAL_PORT;

  constructor(
    private readonly network: MemoryNetwork,
    /** The interfaces of now; assign another list to plug and unplug. */
    public interfaces: MemoryInterface[],
  ) {}

  /** Streams from and to this host. */
  get transport(): Transport {
    return {
      dial: (address, signal) => this.#dial(address, signal),
      listen: (address) => this.#listen(address),
    };
  }

  /** Datagrams from and to this host. */
  get lan(): LanNetwork {
    return {
      interfaces: () => this.interfaces,
      open: (address) => {
        if (!this.has(address)) throw new Error("Cannot assign requested address");
        return this.#socket({ hostname: address, port: this.#freePort() });
      },
      openGroup: (port) => this.#socket({ hostname: "0.0.0.0", port }),
    };
  }

  /** @internal */
  has(address: string): boolean {
    return this.interfaces.some((candidate) => candidate.address === address);
  }

  /** @internal */
  lanOf(address: string): string | undefined {
    return this.interfaces.find((candidate) => candidate.address === address)?.lan;
  }

  /** A port that nobody listens on: the dynamic ones of RFC 6335, in turn. */
  #freePort(): number {
    let port: number;
    do {
      port = this.#nextPort++;
      if (this.#nextPort > 65535) this.#nextPort = FIRST_EPHEMERAL_PORT;
    } while (this.#listeners.has(port));
    return port;
  }

  #socket(address: SocketAddress): MemorySocket {
    const socket = new MemorySocket(this, this.network, address);
    this.sockets.add(socket);
    return socket;
  }

  #listen(address: SocketAddress): Listener {
    const port = address.port === 0 ? this.#freePort() : address.port;
    if (this.#listeners.has(port)) throw new Error("Address already in use");
    const listener = new MemoryListener(
      { hostname: address.hostname, port },
      () => this.#listeners.delete(port),
    );
    this.#listeners.set(port, listener);
    return listener;
  }

  async #dial(address: SocketAddress, signal: AbortSignal): Promise<Stream> {
    signal.throwIfAborted();
    const clock = this.network.clock;
    if (this.network.delayMs > 0) await clock.sleep(this.network.delayMs, signal);
    const owner = this.network.owner(address.hostname, this);
    // Nobody answers across a partition: only giving up ends the attempt, as with TCP.
    while (owner === undefined || !this.network.reachable(this, owner)) {
      await clock.sleep(1000, signal);
    }
    const listener = owner.#listeners.get(address.port);
    if (listener === undefined || !listener.accepts(address.hostname)) {
      throw new Error("Connection refused");
    }
    const source = owner === this
      ? address.hostname
      : this.interfaces.find((candidate) => !isLoopback(candidate.address))?.address;
    if (source === undefined) throw new Error("Network is unreachable");
    const local = { hostname: source, port: this.#freePort() };
    const { near, far } = this.network.connect(this, local, owner, address);
    listener.arrive(far);
    return near;
  }
}

class MemoryListener implements Listener {
  readonly #waiting: Stream[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(readonly address: SocketAddress, private readonly onClose: () => void) {}

  /** Whether a stream to the host's address `hostname` is for this listener. */
  accepts(hostname: string): boolean {
    return this.address.hostname === "0.0.0.0" || this.address.hostname === hostname;
  }

  arrive(stream: Stream): void {
    this.#waiting.push(stream);
    this.#wake?.();
  }

  async accept(): Promise<Stream> {
    while (this.#waiting.length === 0) {
      if (this.#closed) throw new Error("Listener is closed");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#waiting.shift()!;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of this.#waiting.splice(0)) stream.close();
    this.onClose();
    this.#wake?.();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

class MemoryStream implements Stream {
  peer!: MemoryStream;
  onClose: () => void = () => {};
  #closed = false;

  constructor(
    readonly host: MemoryHost,
    readonly local: SocketAddress,
    readonly remote: SocketAddress,
    private readonly incoming: MemoryPipe,
    private readonly outgoing: MemoryPipe,
  ) {}

  read(buffer: Uint8Array): Promise<number | null> {
    return this.incoming.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.outgoing.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.outgoing.end();
    return Promise.resolve();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.outgoing.end();
    this.incoming.break(new Error("Stream is closed"), new Error("Connection reset by peer"));
    this.onClose();
  }

  reset(): void {
    const error = new Error("Connection reset by peer");
    for (const stream of [this, this.peer]) {
      stream.incoming.break(error, error);
      stream.onClose();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

class MemorySocket implements GroupSocket {
  /** A membership belongs to the device: it does not come back with the device's address. */
  readonly #memberships: { group: string; device: MemoryInterface }[] = [];
  readonly #queue: { bytes: Uint8Array; from: SocketAddress }[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(
    private readonly host: MemoryHost,
    private readonly network: MemoryNetwork,
    readonly address: SocketAddress,
  ) {}

  /** Whether a datagram to `to`, sent in `lan`, is for this socket. */
  accepts(to: SocketAddress, lan: string | undefined): boolean {
    if (to.port !== this.address.port) return false;
    return to.hostname === this.address.hostname ||
      (this.address.hostname === "0.0.0.0" && this.host.has(to.hostname)) ||
      this.#memberships.some(({ group, device }) =>
        group === to.hostname && device.lan === lan && this.host.interfaces.includes(device)
      );
  }

  arrive(bytes: Uint8Array, from: SocketAddress): void {
    if (this.#queue.length >= RECEIVE_QUEUE) return;
    this.#queue.push({ bytes, from });
    this.#wake?.();
  }

  async receive(buffer: Uint8Array): Promise<{ bytes: Uint8Array; from: SocketAddress }> {
    while (this.#queue.length === 0) {
      if (this.#closed) throw new Error("Socket is closed");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const { bytes, from } = this.#queue.shift()!;
    const part = bytes.subarray(0, buffer.length);
    buffer.set(part);
    return { bytes: buffer.subarray(0, part.length), from };
  }

  send(bytes: Uint8Array, to: SocketAddress): Promise<void> {
    if (!this.host.has(this.address.hostname)) {
      return Promise.reject(
        new Error(`Network is unreachable from ${formatAddress(this.address)}`),
      );
    }
    this.network.deliver(this.host, bytes, this.address, to);
    return Promise.resolve();
  }

  join(group: string, interfaceAddress: string): Promise<void> {
    const device = this.host.interfaces.find(({ address }) => address === interfaceAddress);
    if (device === undefined) return Promise.reject(new Error("No such device"));
    if (!this.#memberships.some((entry) => entry.group === group && entry.device === device)) {
      this.#memberships.push({ group, device });
    }
    return Promise.resolve();
  }

  close(): void {
    this.#closed = true;
    this.host.sockets.delete(this);
    this.#wake?.();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.");
}
