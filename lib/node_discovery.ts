import type { Broadcast } from "./base/broadcast.ts";
import type { Refusals } from "./base/refusals.ts";
import { LanDiscovery } from "./discovery/lan.ts";
import type { PeerRegistry } from "./discovery/registry.ts";
import type { NodeEnvironment, NodeEvent, NodeOptions } from "./node_options.ts";
import type { PeerId } from "./wire/peer_id.ts";

/** What {@linkcode discoverPeers} works with. */
export interface DiscoverPeersOptions {
  readonly options: NodeOptions;
  readonly environment: NodeEnvironment;
  readonly registry: PeerRegistry;
  readonly refusals: Refusals;
  readonly events: Broadcast<NodeEvent>;
  /** 64 random bits of this run, in hexadecimal. */
  readonly instance: string;
  readonly id: PeerId | undefined;
  readonly tcpPort: number;
}

/** Looks for peers where the mode says so, until it is disposed of. */
export async function discoverPeers(
  { options, environment, registry, refusals, events, instance, id, tcpPort }: DiscoverPeersOptions,
): Promise<AsyncDisposable> {
  const { clock, random, log } = environment;
  const { mode, nickname } = options;
  await using parts = new AsyncDisposableStack();
  const common = {
    clock,
    random,
    log,
    refusals,
    registry,
    nickname,
    instance,
    id,
    tcpPort,
    ready: () => events.ready(),
    onProblem: (message: string) => events.push({ type: "problem", message }),
  };
  if (mode !== "internet") {
    parts.use(
      await LanDiscovery.start({
        ...common,
        network: environment.lan,
        announceIntervalMs: options.announceIntervalMs,
        timeoutMs: options.peerTimeoutMs,
        interfaces: options.interfaces,
      }),
    );
  }
  if (mode !== "local") {
    const { BootstrapClient } = await import("./discovery/bootstrap_client.ts");
    const url = options.bootstrapServer;
    parts.use(
      new BootstrapClient({
        ...common,
        dial: environment.dialTextChannel,
        url,
        heartbeatIntervalMs: options.heartbeatIntervalMs,
        peerTimeoutMs: options.bootstrapPeerTimeoutMs,
        onState: (state, reason) => events.push({ type: "bootstrap", state, url, reason }),
      }),
    );
  }
  return parts.move();
}
