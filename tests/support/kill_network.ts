import { type NamespaceHost, Network } from "./namespaces.ts";

/**
 * How a network can fail: the interface is switched off; the cable is pulled; packets are swallowed
 * while all looks well, both ways or one way; connections are reset.
 */
export const CUTS = ["interface", "cable", "silence", "one way", "reset"] as const;
export type Cut = typeof CUTS[number];

/** Two hosts with a switch between them that can fail. */
export class FragileNetwork implements AsyncDisposable {
  private constructor(
    private readonly network: Network,
    private readonly between: NamespaceHost,
    readonly hosts: readonly [NamespaceHost, NamespaceHost],
  ) {}

  static async make(): Promise<FragileNetwork> {
    const network = new Network();
    try {
      const between = await network.host();
      // Snooping would wait for a querier that is not there.
      await between.ip("link", "add", "bridge", "type", "bridge", "mcast_snooping", "0");
      await between.ip("link", "set", "bridge", "up");
      const hosts = [await network.host(), await network.host()] as const;
      for (const [at, host] of hosts.entries()) {
        await between.ip(
          ...["link", "add", `port${at}`, "type", "veth", "peer", "name", "eth0"],
          ...["netns", host.name],
        );
        await between.ip("link", "set", `port${at}`, "master", "bridge", "up");
        await host.ip("addr", "add", `10.0.0.${at + 1}/24`, "dev", "eth0");
        await host.ip("link", "set", "eth0", "up");
      }
      return new FragileNetwork(network, between, hosts);
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Begins a failure at one of the hosts; the result ends it. */
  async cut(kind: Cut, at: 0 | 1): Promise<() => Promise<void>> {
    const { between, hosts } = this;
    const host = hosts[at];
    const port = `port${at}`;
    const other = `10.0.0.${2 - at}`;
    switch (kind) {
      case "interface":
        await host.ip("link", "set", "eth0", "down");
        return () => host.ip("link", "set", "eth0", "up");
      case "cable":
        await between.ip("link", "set", port, "down");
        return () => between.ip("link", "set", port, "up");
      case "silence":
        await between.ip("link", "set", port, "nomaster");
        return () => between.ip("link", "set", port, "master", "bridge");
      case "one way":
        await host.ip("route", "add", "blackhole", `${other}/32`);
        return () => host.ip("route", "del", "blackhole", `${other}/32`);
      case "reset":
        await this.reset();
        return () => Promise.resolve();
    }
  }

  /** Ends all connections between the two, on both sides. */
  async reset(): Promise<void> {
    for (const [at, host] of this.hosts.entries()) {
      await host.run("ss", "-K", "dst", `10.0.0.${2 - at}`);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.network[Symbol.asyncDispose]();
  }
}
