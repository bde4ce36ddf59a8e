import { silentLog } from "../../lib/base/log.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import type { Peer } from "../../lib/discovery/peer.ts";
import {
  type BootstrapSighting,
  type LanSighting,
  PeerRegistry,
} from "../../lib/discovery/registry.ts";
import { formatAddress, parseAddress } from "../../lib/wire/address.ts";
import { formatPeerId, type PeerId } from "../../lib/wire/peer_id.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** A registry on a clock of its own, and what it told. */
export function makeRegistry(ownNickname = "me") {
  const clock = new FakeClock();
  const refusals = new Refusals(clock, silentLog);
  const events: string[] = [];
  const maps: Map<unknown, unknown>[] = [];
  const registry = recordingMaps(
    maps,
    () =>
      new PeerRegistry(clock, refusals, ownNickname, (event) => {
        const reason = event.type === "peer_down" ? ` ${event.reason}` : "";
        events.push(`${event.type.slice(5)} ${event.peer.label}${reason}`);
      }),
  );
  return {
    clock,
    registry,
    refusals,
    /** What was told since the last call. */
    events: () => events.splice(0),
    /** How many entries all tables of the registry hold. */
    held: () => maps.reduce((sum, { size }) => sum + size, 0),
  };
}

/** Keeps hold of the maps that `make` makes: a registry shows none of them. */
function recordingMaps<T>(maps: Map<unknown, unknown>[], make: () => T): T {
  const original = globalThis.Map;
  globalThis.Map = class<K, V> extends original<K, V> {
    constructor(entries?: Iterable<readonly [K, V]> | null) {
      super(entries);
      maps.push(this as Map<unknown, unknown>);
    }
  } as MapConstructor;
  try {
    return make();
  } finally {
    globalThis.Map = original;
  }
}

/** An instance that begins with `start`. */
export function instanceOf(start: string): string {
  return start.padEnd(16, "0");
}

/** One of 256 peer ids; those of one `start` begin with the same seven characters. */
export function idOf(number: number, start = number): PeerId {
  return formatPeerId(new Uint8Array(32).fill(start, 0, 8).fill(number, 8));
}

/** A sighting of version 2 with an instance or an id, of version 1 without. */
export function lan(
  nickname: string,
  address: string,
  instance?: string,
  id?: PeerId,
): LanSighting {
  return {
    nickname,
    address: parseAddress(address)!,
    version: (instance ?? id) === undefined ? 1 : 2,
    instance: instance === undefined ? undefined : instanceOf(instance),
    id,
  };
}

export function listing(
  peerId: string,
  nickname: string,
  address: string,
  instance?: string,
  id?: PeerId,
): BootstrapSighting {
  return { ...lan(nickname, address, instance, id), peerId };
}

/** A peer in short: `label address/via …`. */
export function brief({ label, addresses }: Peer): string {
  return [label, ...addresses.map(({ address, via }) => `${formatAddress(address)}/${via}`)]
    .join(" ");
}
