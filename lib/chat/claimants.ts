import type { Peer, PeerAddress } from "../discovery/peer.ts";
import { formatAddress } from "../wire/address.ts";

/** Most addresses that are dialled for one id, whoever claims it. */
const MAX_ADDRESSES = 16;

/**
 * One peer out of those that claim the same id, under whatever nicknames: only a session can tell
 * whose claim is true, so the addresses of all are tried. Those of the one that is known by its
 * nickname come first, then each claimant's best one, then its second, and so on, 16 at the most.
 *
 * @param isHolder Whether a peer is known by its nickname.
 */
export function joinClaimants(
  claimants: readonly Peer[],
  isHolder: (peer: Peer) => boolean,
): Peer | undefined {
  if (claimants.length < 2) return claimants[0];
  const first = claimants.find(isHolder) ?? claimants[0];
  const others = claimants.filter((peer) => peer !== first).map(({ addresses }) => addresses);
  const rounds = Math.max(...others.map(({ length }) => length));
  const addresses = new Map<string, PeerAddress>();
  const add = (known: PeerAddress) => {
    const place = formatAddress(known.address);
    if (addresses.size < MAX_ADDRESSES && !addresses.has(place)) addresses.set(place, known);
  };
  // Room is left for somebody else's claim, however many addresses the first one has.
  first.addresses.slice(0, MAX_ADDRESSES / 2).forEach(add);
  for (let round = 0; round < rounds; round++) {
    for (const list of others) if (list[round] !== undefined) add(list[round]);
  }
  first.addresses.forEach(add);
  return { ...first, addresses: [...addresses.values()] };
}
