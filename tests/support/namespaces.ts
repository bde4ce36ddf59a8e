import type { Host } from "./host.ts";
import { testNeeding } from "./needing.ts";

/**
 * Hosts and local networks of a test's own, made of network namespaces, bridges and veth pairs.
 * They need root and Debian's `iproute2`; nothing of them touches the machine's own interfaces.
 *
 * @module
 */

/** A host: a network namespace with its loopback interface up. */
export class NamespaceHost implements Host {
  constructor(
    /** Name of the namespace. */
    readonly name: string,
  ) {}

  enter(command: string, args: readonly string[]): { command: string; args: string[] } {
    return { command: "ip", args: ["netns", "exec", this.name, command, ...args] };
  }

  /** Runs `ip` with the given words on this host. */
  ip(...words: string[]): Promise<void> {
    return run("ip", "-n", this.name, ...words);
  }

  /** Runs a command on this host to its end; fails when the command does. */
  async run(command: string, ...args: string[]): Promise<void> {
    const entered = this.enter(command, args);
    await run(entered.command, ...entered.args);
  }
}

/** A local network: a bridge in a namespace of its own, which every host is plugged into. */
export class Lan {
  #ports = 0;

  constructor(private readonly network: NamespaceHost) {}

  /**
   * Plugs a host in.
   *
   * @param device Name of the host's interface, such as `eth0`.
   * @param address With the length of its prefix, such as `10.0.0.1/24`.
   */
  async plug(host: NamespaceHost, device: string, address: string): Promise<void> {
    const port = `port${this.#ports++}`;
    await this.network.ip(
      ...["link", "add", port, "type", "veth", "peer", "name", device, "netns", host.name],
    );
    await this.network.ip("link", "set", port, "master", "bridge", "up");
    await host.ip("addr", "add", address, "dev", device);
    await host.ip("link", "set", device, "up");
  }
}

/** The hosts and networks of one test, removed together. */
export class Network implements AsyncDisposable {
  readonly #prefix = `parlance-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
  readonly #names: string[] = [];

  async host(): Promise<NamespaceHost> {
    const name = `${this.#prefix}-${this.#names.length}`;
    await run("ip", "netns", "add", name);
    this.#names.push(name);
    const host = new NamespaceHost(name);
    await host.ip("link", "set", "lo", "up");
    return host;
  }

  async lan(): Promise<Lan> {
    const network = await this.host();
    // Snooping would wait for a querier that is not there.
    await network.ip("link", "add", "bridge", "type", "bridge", "mcast_snooping", "0");
    await network.ip("link", "set", "bridge", "up");
    return new Lan(network);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#names.splice(0).reverse()) {
      await run("ip", "netns", "del", name).catch((error) => console.error(error));
    }
  }
}

/** One host that has only its loopback interface, multicast included. */
export async function oneHost(): Promise<Network & { host0: NamespaceHost }> {
  return await build(async (network) => {
    const host0 = await network.host();
    // Version 1 sends multicast where the routes point.
    await host0.ip("route", "add", "239.0.0.0/8", "dev", "lo");
    return { host0 };
  });
}

/** Hosts 10.0.0.1, 10.0.0.2 … on one local network. */
export async function oneLan(count: number): Promise<Network & { hosts: NamespaceHost[] }> {
  return await build(async (network) => {
    const lan = await network.lan();
    const hosts: NamespaceHost[] = [];
    for (let number = 1; number <= count; number++) {
      const host = await network.host();
      await lan.plug(host, "eth0", `10.0.0.${number}/24`);
      await host.ip("route", "add", "239.0.0.0/8", "dev", "eth0");
      hosts.push(host);
    }
    return { hosts };
  });
}

/** What {@linkcode twoLans} makes. */
export interface TwoLans {
  /** 10.1.0.2 on the first network. */
  readonly left: NamespaceHost;
  /** 10.2.0.2 on the second network. */
  readonly right: NamespaceHost;
  /** 10.3.0.2, reachable from both. */
  readonly server: NamespaceHost;
}

/** Two local networks and a server, with a router between them that forwards no multicast. */
export async function twoLans(): Promise<Network & TwoLans> {
  return await build(async (network) => {
    const router = await network.host();
    const hosts: NamespaceHost[] = [];
    for (let number = 1; number <= 3; number++) {
      const lan = await network.lan();
      const host = await network.host();
      await lan.plug(router, `eth${number}`, `10.${number}.0.1/24`);
      await lan.plug(host, "eth0", `10.${number}.0.2/24`);
      await host.ip("route", "add", "default", "via", `10.${number}.0.1`);
      hosts.push(host);
    }
    await router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    const [left, right, server] = hosts;
    return { left, right, server };
  });
}

/** Leaves nothing behind when a network cannot be made to the end. */
async function build<T extends object>(make: (network: Network) => Promise<T>) {
  const network = new Network();
  try {
    return Object.assign(network, await make(network));
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}

/** Why no namespaces can be made here, or `undefined` when they can. */
export async function namespaceProblem(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return `this is ${Deno.build.os}, not Linux`;
  try {
    await using network = await oneHost();
    await network.host0.ip("link", "add", "probe", "type", "veth", "peer", "name", "probe2");
    await network.host0.run("true");
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const problem = await namespaceProblem();
/** For {@linkcode testNeeding}. */
export const namespacesMissing = problem && `no network namespaces: ${problem}`;

/**
 * A test that needs namespaces: they take Linux, root and iproute2, and nothing in their place would
 * test several hosts and networks without touching the machine's own.
 */
export function namespaceTest(name: string, fn: () => Promise<void>): void {
  testNeeding(namespacesMissing, name, fn);
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, stdout: "null" }).output();
  if (!success) {
    throw new Error(`Cannot run ${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}
