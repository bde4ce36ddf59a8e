/** An IP address and a port. */
export interface SocketAddress {
  /** IPv4 in dotted decimals, or IPv6 without brackets. */
  readonly hostname: string;
  /** 1 to 65535; 0 only where a port is asked of the system. */
  readonly port: number;
}

/** Whether `value` is a port that can be dialled. */
export function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65535;
}

/** Whether `text` is an IPv4 address: four decimals from 0 to 255, without leading zeros. */
export function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** Whether `text` is an IPv6 address, without brackets and zone. */
export function isIpv6(text: string): boolean {
  return /^[0-9a-fA-F:.]{2,45}$/.test(text) && text.includes(":") &&
    URL.canParse(`http://[${text}]/`);
}

/** Writes an address as `ip:port`, an IPv6 address in brackets. */
export function formatAddress({ hostname, port }: SocketAddress): string {
  // Joined, and so one piece: the runtime writes text of several pieces as JSON much slower.
  return [hostname.includes(":") ? `[${hostname}]` : hostname, port].join(":");
}

/**
 * Reads `ip:port`. Names are not addresses; port 0 is accepted here, because a version 1 client
 * may register with it.
 */
export function parseAddress(text: string): SocketAddress | undefined {
  const match = /^(?:\[([^\]]{2,45})\]|([^:]{7,15})):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, ipv6, ipv4, digits] = match;
  const port = Number(digits);
  if (port > 65535) return undefined;
  if (ipv6 !== undefined) return isIpv6(ipv6) ? { hostname: ipv6, port } : undefined;
  return isIpv4(ipv4!) ? { hostname: ipv4!, port } : undefined;
}
