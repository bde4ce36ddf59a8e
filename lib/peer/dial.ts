import type { Clock } from "../base/clock.ts";
import type { Peer } from "../discovery/peer.ts";
import { ConnectError, messageOf } from "../errors.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";

/** How {@linkcode dialPeer} goes about it. */
export interface DialPeerOptions {
  readonly clock: Clock;
  /** The address that worked last, as `ip:port`; tried first. */
  readonly worked?: string;
  /** What one address gets, in milliseconds. */
  readonly timeoutMs: number;
  /** What all addresses together get, in milliseconds: a peer may announce many. */
  readonly totalMs: number;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/**
 * Tries the addresses of a peer one after the other, the one that worked last first.
 *
 * @param attempt Connects to one address; gives up when its signal says so.
 * @throws {ConnectError} When none works; the message has each address with its cause.
 */
export async function dialPeer<T>(
  peer: Peer,
  { clock, worked, timeoutMs, totalMs, signal }: DialPeerOptions,
  attempt: (address: SocketAddress, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const addresses = peer.addresses.map(({ address }) => address);
  const first = addresses.findIndex((address) => formatAddress(address) === worked);
  if (first > 0) addresses.unshift(...addresses.splice(first, 1));
  const failures: string[] = [];
  let cause: unknown;
  const deadline = clock.monotonic() + totalMs;
  for (const [index, address] of addresses.entries()) {
    const leftMs = deadline - clock.monotonic();
    if (leftMs <= 0) {
      failures.push(`${addresses.length - index} more (not tried within ${totalMs / 1000} s)`);
      break;
    }
    const tooLate = new AbortController();
    const ownMs = Math.min(timeoutMs, leftMs);
    const cancel = clock.after(
      ownMs,
      () => tooLate.abort(new Error(`no answer within ${Math.round(ownMs) / 1000} s`)),
    );
    const either = AbortSignal.any([tooLate.signal, signal]);
    try {
      return await attempt(address, either);
    } catch (error) {
      cause = either.aborted ? either.reason : error;
      failures.push(`${formatAddress(address)} (${messageOf(cause)})`);
      if (signal.aborted) break;
    } finally {
      cancel();
    }
  }
  throw new ConnectError(
    `Cannot connect to ${JSON.stringify(peer.label)} at ${failures.join(", ")}; ` +
      "is it still running, and does its firewall let it accept connections?",
    { cause },
  );
}
