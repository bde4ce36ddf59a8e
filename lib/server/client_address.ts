import { formatAddress, isIpv4, parseAddress, type SocketAddress } from "../wire/address.ts";

/** An address that the system gave, with an IPv4 address in IPv6 clothes undressed. */
export function plainAddress({ hostname, port }: SocketAddress): SocketAddress {
  const mapped = /^::ffff:([\d.]+)$/i.exec(hostname)?.[1];
  return { hostname: mapped !== undefined && isIpv4(mapped) ? mapped : hostname, port };
}

/**
 * Where others are to dial a peer: the IP that the server sees, with the port of the peer's own
 * `local_addr`; the WebSocket's remote address where that is not an `ip:port` (protocol version 1,
 * section 3).
 */
export function publicAddress(remote: SocketAddress, localAddr: string): string {
  const port = parseAddress(localAddr)?.port ?? remote.port;
  return formatAddress({ hostname: remote.hostname, port });
}

/**
 * What "one address" means for a limit: an IPv4 address, or an IPv6 /64 network, because whoever
 * has one IPv6 address usually has all of its network.
 */
export function addressGroup(hostname: string): string {
  if (!hostname.includes(":")) return hostname;
  const [head, tail = ""] = hostname.split("%", 1)[0].split("::", 2);
  const before = head === "" ? [] : head.split(":");
  const after = tail === "" ? [] : tail.split(":");
  const zeros = hostname.includes("::") ? Math.max(0, 8 - before.length - after.length) : 0;
  const groups = [...before, ...new Array<string>(zeros).fill("0"), ...after];
  return `${groups.slice(0, 4).join(":")}::/64`;
}
