import type { Clock } from "../base/clock.ts";
import type { Peer, PeerAddress } from "../discovery/peer.ts";
import { ConnectError, messageOf } from "../errors.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";

/** An address where a peer was last seen so many milliseconds before another one is tried last. */
const STALE_MS = 7000;

/** How {@linkcode dialPeer} goes about it. */
export interface DialPeerOptions {
  readonly clock: Clock;
  /** The address that worked last, as `ip:port`; tried first. */
  readonly worked?: string;
  /** What one address gets, in milliseconds. */
  readonly timeoutMs: number;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** Whether the peer has been seen elsewhere, in the same way, but not at `known` any more. */
export function isStale(peer: Peer, { via, lastSeen }: PeerAddress): boolean {
  return peer.addresses.some((other) => other.via === via && other.lastSeen - lastSeen > STALE_MS);
}

/**
 * Tries the addresses of a peer one after the other: the one that worked last first, those where
 * it is not seen any more last.
 *
 * @param attempt Connects to one address; gives up when its signal says so.
 * @throws {ConnectError} When none works; the message has each address with its cause.
 */
export async function dialPeer<T>(
  peer: Peer,
  { clock, worked, timeoutMs, signal }: DialPeerOptions,
  attempt: (address: SocketAddress, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const rank = (known: PeerAddress) =>
    isStale(peer, known) ? 2 : formatAddress(known.address) === worked ? 0 : 1;
  const failures: string[] = [];
  let cause: unknown;
  for (const { address } of peer.addresses.toSorted((a, b) => rank(a) - rank(b))) {
    const tooLate = new AbortController();
    const cancel = clock.after(
      timeoutMs,
      () => tooLate.abort(new Error(`no answer within ${timeoutMs / 1000} s`)),
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
