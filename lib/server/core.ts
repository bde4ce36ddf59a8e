import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { Refusals } from "../base/refusals.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import { addressGroup, plainAddress } from "./client_address.ts";
import { ClientConnection, type ClientSocket, CloseCode } from "./connection.ts";
import type { ServerLimits } from "./limits.ts";
import { EXPIRY_INTERVAL_MS, Registry } from "./registry.ts";

/**
 * Connections of one address that may be on their way out at one time because the address had too
 * many: each is told why, and its client may take its time to hang up. Beyond that, an upgrade is
 * refused before it costs anything.
 */
const PARTING_PER_ADDRESS = 8;
/** The same for all addresses together. */
const PARTING = 256;

/** What a server counts. */
export interface ServerStats {
  /** WebSockets that are open or closing. */
  readonly connections: number;
  /** Registered peers. */
  readonly peers: number;
  /** How often the peer list was written anew. */
  readonly listRebuilds: number;
  /** How often something was refused, by cause. */
  readonly refusals: Readonly<Record<string, number>>;
}

/** A connection as the core holds it; whoever owns the socket calls these. */
export interface ServedConnection {
  /** A message came: a string for a text frame, anything else for a binary one. */
  receive(data: unknown): void;
  /** What came broke the WebSocket's own rules, in the words of who noticed; `closed` follows. */
  broken(problem: string): void;
  /** The socket is gone, whatever the reason; may come more than once. */
  closed(): void;
}

interface AddressCount {
  served: number;
  parting: number;
}

/**
 * The bootstrap server without its network: the registry, the connections, the limits between
 * them, and the clockwork that drops who is silent. Owns one timer until it is disposed of.
 */
export class ServerCore implements Disposable {
  readonly #registry: Registry;
  readonly #refusals: Refusals;
  readonly #served = new Set<ClientConnection>();
  readonly #addresses = new Map<string, AddressCount>();
  #parting = 0;
  #ended = false;
  #cancelSweep: () => void = () => {};

  constructor(
    private readonly options: {
      readonly clock: Clock;
      readonly random: Random;
      readonly log: Log;
      readonly limits: ServerLimits;
    },
  ) {
    this.#registry = new Registry(options.clock, options.random);
    this.#refusals = new Refusals(options.clock, options.log);
    this.#sweepLater();
  }

  /**
   * Whether an upgrade is to be refused at once, without a word in a WebSocket: there is no room
   * for it, and so many connections are being turned away already that their clients must be slow
   * to leave on purpose.
   */
  isFlooded(remote: SocketAddress): boolean {
    const group = addressGroup(plainAddress(remote).hostname);
    const count = this.#addresses.get(group) ?? { served: 0, parting: 0 };
    const crowded = this.#parting >= PARTING || count.parting >= PARTING_PER_ADDRESS;
    if (!crowded || this.#refusal(count) === undefined) return false;
    this.#refusals.add("upgrades beyond what can be turned away politely", () => group);
    return true;
  }

  /** Takes over an open socket; where a limit forbids it, says so on it and closes it. */
  connect(socket: ClientSocket, remote: SocketAddress): ServedConnection {
    const plain = plainAddress(remote);
    const context = {
      clock: this.options.clock,
      limits: this.options.limits,
      registry: this.#registry,
      refusals: this.#refusals,
    };
    const connection = new ClientConnection(context, socket, plain);
    const group = addressGroup(plain.hostname);
    let count = this.#addresses.get(group);
    if (count === undefined) this.#addresses.set(group, count = { served: 0, parting: 0 });
    const refusal = this.#refusal(count);
    if (refusal === undefined) {
      count.served++;
      this.#served.add(connection);
    } else {
      count.parting++;
      this.#parting++;
      connection.refuse(refusal.cause, refusal.code, refusal.reason);
    }
    let gone = false;
    return {
      receive: (data) => connection.receive(data),
      broken: (problem) => {
        this.#refusals.add("frames that break the WebSocket protocol", () => {
          return `${formatAddress(plain)}: ${problem}`;
        });
      },
      closed: () => {
        if (gone) return;
        gone = true;
        if (refusal === undefined) {
          count.served--;
          this.#served.delete(connection);
        } else {
          count.parting--;
          this.#parting--;
        }
        if (count.served + count.parting === 0) this.#addresses.delete(group);
        connection.closed();
      },
    };
  }

  /** What is going on. */
  stats(): ServerStats {
    return {
      connections: this.#served.size + this.#parting,
      peers: this.#registry.size,
      listRebuilds: this.#registry.rebuilds,
      refusals: this.#refusals.totals(),
    };
  }

  /** Says goodbye to everybody and stops the clockwork. */
  [Symbol.dispose](): void {
    this.#ended = true;
    this.#cancelSweep();
    for (const connection of this.#served) connection.goAway();
  }

  #refusal(count: AddressCount): { cause: string; code: number; reason: string } | undefined {
    const { connections, connectionsPerAddress } = this.options.limits;
    if (this.#ended) {
      return {
        cause: "connections at shutdown",
        code: CloseCode.goingAway,
        reason: "Server is shutting down",
      };
    }
    if (count.served >= connectionsPerAddress) {
      return {
        cause: "connections above the limit per address",
        code: CloseCode.policyViolation,
        reason: `Too many connections from one address: at most ${connectionsPerAddress}`,
      };
    }
    if (this.#served.size >= connections) {
      return {
        cause: "connections at a full server",
        code: CloseCode.tryAgainLater,
        reason: `Server is full: it takes at most ${connections} connections; try again later`,
      };
    }
    return undefined;
  }

  #sweepLater(): void {
    this.#cancelSweep = this.options.clock.after(EXPIRY_INTERVAL_MS, () => {
      this.#sweepLater();
      const dropped = this.#registry.expire();
      if (dropped > 0) this.options.log.debug(`Dropped ${dropped} silent peers`);
      for (const connection of this.#served) connection.closeIfIdle();
    });
  }
}
