import { silentLog } from "../../lib/base/log.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import { LanDiscovery, type LanDiscoveryOptions } from "../../lib/discovery/lan.ts";
import { PeerRegistry } from "../../lib/discovery/registry.ts";
import type { DatagramSocket } from "../../lib/transport/datagram.ts";
import {
  type MemoryHost,
  type MemoryInterface,
  MemoryNetwork,
} from "../../lib/transport/memory.ts";
import type { SocketAddress } from "../../lib/wire/address.ts";
import { MULTICAST_GROUP, MULTICAST_PORT } from "../../lib/wire/announce.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { instanceOf } from "./registry_fixtures.ts";

export { device, loopback } from "../transport/devices.ts";

export const GROUP = { hostname: MULTICAST_GROUP, port: MULTICAST_PORT };

/** One peer's discovery, and what it told. */
export interface Finder extends AsyncDisposable {
  readonly discovery: LanDiscovery;
  readonly registry: PeerRegistry;
  readonly refusals: Refusals;
  /** The labels of who is known. */
  names(): string[];
  /** `up label` and `down label reason` since the last call. */
  events(): string[];
  /** What the user was told since the last call. */
  problems(): string[];
}

/** LANs in memory, on a clock of their own. */
export class Lans implements AsyncDisposable {
  readonly clock = new FakeClock();
  /** What the dice show next, for jitter; nothing is dropped. */
  dice = () => 0.5;
  readonly random = { float: () => this.dice(), bytes: (length: number) => new Uint8Array(length) };
  readonly network = new MemoryNetwork(this.clock, this.random);
  readonly #finders: Finder[] = [];

  host(...interfaces: MemoryInterface[]): MemoryHost {
    return this.network.host(...interfaces);
  }

  /** Starts a peer; its instance begins with its nickname's characters in hexadecimal. */
  async start(
    host: MemoryHost,
    nickname: string,
    options: Partial<LanDiscoveryOptions> = {},
  ): Promise<Finder> {
    const { clock, random } = this;
    const refusals = new Refusals(clock, silentLog);
    const [events, problems]: string[][] = [[], []];
    const registry = new PeerRegistry(clock, refusals, nickname, (event) => {
      const reason = event.type === "peer_down" ? ` ${event.reason}` : "";
      events.push(`${event.type.slice(5)} ${event.peer.label}${reason}`);
    });
    const discovery = await LanDiscovery.start({
      clock,
      random,
      log: silentLog,
      refusals,
      network: host.lan,
      registry,
      nickname,
      instance: hexOf(nickname),
      tcpPort: 5000,
      announceIntervalMs: 5000,
      timeoutMs: 15_000,
      interfaces: [],
      ready: () => undefined,
      onProblem: (message) => problems.push(message),
      ...options,
    });
    const finder: Finder = {
      discovery,
      registry,
      refusals,
      names: () => registry.peers().map(({ label }) => label),
      events: () => events.splice(0),
      problems: () => problems.splice(0),
      [Symbol.asyncDispose]: () => discovery[Symbol.asyncDispose](),
    };
    this.#finders.push(finder);
    return finder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const finder of this.#finders) await finder[Symbol.asyncDispose]();
  }
}

/** An instance made from a nickname. */
export function hexOf(nickname: string): string {
  return instanceOf(new TextEncoder().encode(nickname).toHex().slice(0, 16));
}

/** What a socket hears, and when. */
export interface Heard {
  readonly at: number;
  readonly from: SocketAddress;
  // deno-lint-ignore no-explicit-any -- whatever the JSON holds
  readonly datagram: any;
}

/** Keeps what a socket hears. */
export function listen(socket: DatagramSocket, clock: FakeClock): Heard[] {
  const heard: Heard[] = [];
  (async () => {
    const buffer = new Uint8Array(65536);
    try {
      while (true) {
        const { bytes, from } = await socket.receive(buffer);
        const datagram = JSON.parse(new TextDecoder().decode(bytes));
        heard.push({ at: clock.monotonic(), from, datagram });
      }
    } catch {
      // Closed.
    }
  })();
  return heard;
}

/** Keeps what the group hears in the LAN of a host's first interface. */
export async function listenToGroup(host: MemoryHost, clock: FakeClock): Promise<Heard[]> {
  const socket = host.lan.openGroup(MULTICAST_PORT);
  await socket.join(MULTICAST_GROUP, host.interfaces[0].address);
  return listen(socket, clock);
}

/** Sends an object, a text or bytes to the group. */
export function say(socket: DatagramSocket, what: unknown, to = GROUP): Promise<void> {
  if (what instanceof Uint8Array) return socket.send(what, to);
  const text = typeof what === "string" ? what : JSON.stringify(what);
  return socket.send(new TextEncoder().encode(text), to);
}
