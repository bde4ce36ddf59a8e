import type { Clock } from "../base/clock.ts";
import type { Peer } from "../discovery/peer.ts";
import { ConnectError, messageOf } from "../errors.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";

/** An address that does not answer delays the next one by this, in milliseconds (RFC 8305, 5). */
const HEAD_START_MS = 300;
/** Addresses that are tried at the same time: anybody can announce more of them for a peer. */
const MAX_AT_ONCE = 4;

/** How {@linkcode dialPeer} goes about it. */
export interface DialPeerOptions {
  readonly clock: Clock;
  /** The address that worked last, as `ip:port`; tried first. */
  readonly worked?: string;
  /** What one address gets at the most, in milliseconds; less where many share `totalMs`. */
  readonly timeoutMs: number;
  /** What all addresses together get, in milliseconds: a peer may announce many. */
  readonly totalMs: number;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/**
 * Tries the addresses of a peer, the one that worked last first, as RFC 8305 has it: the next one
 * joins in when the one before has failed, or has not answered for 300 ms, so that silent ones
 * delay nobody for long. The first to succeed wins; the others are given up.
 *
 * @param attempt Connects to one address; gives up when its signal says so. What comes too late is
 *   disposed of here.
 * @throws {ConnectError} When none works; the message has each address with its cause.
 */
export function dialPeer<T extends Disposable>(
  peer: Peer,
  { clock, worked, timeoutMs, totalMs, signal }: DialPeerOptions,
  attempt: (address: SocketAddress, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const addresses = inOrder(peer, worked);
  const failures: string[] = [];
  const won = new AbortController();
  const deadline = clock.monotonic() + totalMs;
  // Silent ones must leave time to all that come behind them.
  const shareMs = totalMs / Math.ceil(addresses.length / MAX_AT_ONCE);
  let next = 0;
  let running = 0;
  let cancelNext = () => {};

  const start = () => {
    cancelNext();
    if (running >= MAX_AT_ONCE || next === addresses.length) return;
    if (next > 0 && (signal.aborted || clock.monotonic() >= deadline)) return;
    void run(next++);
    cancelNext = clock.after(HEAD_START_MS, start);
  };

  const run = async (index: number) => {
    running++;
    const tooLate = new AbortController();
    const ownMs = Math.min(timeoutMs, shareMs, deadline - clock.monotonic());
    const cancel = clock.after(
      ownMs,
      () => tooLate.abort(new Error(`no answer within ${Math.round(ownMs) / 1000} s`)),
    );
    const any = AbortSignal.any([tooLate.signal, won.signal, signal]);
    try {
      const result = await attempt(addresses[index], any);
      if (won.signal.aborted) return result[Symbol.dispose]();
      cancelNext();
      won.abort(new Error("another address was quicker"));
      resolve(result);
    } catch (error) {
      failed(index, any.aborted ? any.reason : error);
    } finally {
      cancel();
    }
  };

  const failed = (index: number, cause: unknown) => {
    if (won.signal.aborted) return;
    running--;
    failures[index] = `${formatAddress(addresses[index])} (${messageOf(cause)})`;
    start();
    if (running > 0) return;
    cancelNext();
    const left = addresses.length - next;
    if (left > 0 && !signal.aborted) {
      failures.push(`${left} more (not tried within ${totalMs / 1000} s)`);
    }
    reject(cannotConnect(peer, failures, cause));
  };

  start();
  return promise;
}

function cannotConnect(peer: Peer, failures: readonly string[], cause: unknown): ConnectError {
  return new ConnectError(
    `Cannot connect to ${JSON.stringify(peer.label)} at ${failures.join(", ")}; ` +
      "is it still running, and does its firewall let it accept connections?",
    { cause },
  );
}

function inOrder(peer: Peer, worked: string | undefined): SocketAddress[] {
  const addresses = peer.addresses.map(({ address }) => address);
  const first = addresses.findIndex((address) => formatAddress(address) === worked);
  if (first > 0) addresses.unshift(...addresses.splice(first, 1));
  return addresses;
}
