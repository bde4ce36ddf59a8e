import { Outbound } from "../../lib/peer/outbound.ts";
import { addHost, memoryWorld, peerAt, Receiver } from "./fixtures.ts";

/** A sender on one host and a receiver on another. */
export function pair({ version = 2, closesAfterLine = false, reads = true } = {}) {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const host = addHost(network, "10.0.0.2");
  const receiver = new Receiver(host, "10.0.0.2", closesAfterLine, reads);
  const peer = peerAt([receiver.address], { version });
  const outbound = new Outbound({ clock, transport: sender.transport });
  return { clock, network, sender, host, receiver, peer, outbound };
}

/** Texts with a number each. */
export const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `line ${from + index}`);
