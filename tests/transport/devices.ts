import type { MemoryInterface } from "../../lib/transport/memory.ts";

/** An interface of a host in memory; its LAN is named after the first three numbers. */
export function device(address: string, name = "eth0"): MemoryInterface {
  const lan = address.slice(0, address.lastIndexOf("."));
  return { name, address, netmask: "255.255.255.0", lan };
}

/** The loopback interface of a host in memory. */
export const loopback: MemoryInterface = {
  name: "lo",
  address: "127.0.0.1",
  netmask: "255.0.0.0",
  lan: "loopback",
};
