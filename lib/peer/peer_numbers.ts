import type { SocketAddress } from "../wire/address.ts";
import type { PeerId } from "../wire/peer_id.ts";
import type { Session } from "./session.ts";

/** Peers whose numbers are remembered. */
const MAX_REMEMBERED = 10_000;
/** Runs of one peer whose numbers are remembered: those that may still send again, and some. */
const MAX_RUNS = 4;

/** The numbers of a peer that have to outlast its link. */
export interface Counters {
  /** Messages of this run to the peer. */
  seq: number;
  /** Sessions of this run with the peer. */
  ordinal: number;
  /** The last message taken from each of its runs, the newest run last. */
  readonly taken: Map<string, number>;
  /** Whether this run has sent it anything. */
  isSentTo?: boolean;
  /** The address of the last session that was dialled with success. */
  worked?: SocketAddress;
}

/** The numbers of peers, of as many as are worth it. */
export class PeerNumbers {
  /** The longest unused ones first. */
  readonly #counters = new Map<PeerId, Counters>();
  #latest: PeerId | undefined;
  /** Where the numbers of a peer begin: those that were forgotten must not be used again. */
  readonly #first = { seq: 0, ordinal: 0 };

  /**
   * @param isInUse Whether the numbers of a peer are in use, and cannot be forgotten.
   * @param isFriend Whether a peer is no stranger: strangers are forgotten first.
   */
  constructor(
    private readonly isInUse: (id: PeerId) => boolean,
    private readonly isFriend: (id: PeerId) => boolean,
  ) {}

  /** The numbers of a peer, if there are any. */
  find(id: PeerId): Counters | undefined {
    return this.#counters.get(id);
  }

  /** The numbers of a peer, which count from now on if there are none. */
  of(id: PeerId): Counters {
    let counters = this.#counters.get(id);
    if (counters === undefined) {
      if (this.#counters.size >= MAX_REMEMBERED) this.#forgetOne();
      counters = { ...this.#first, taken: new Map() };
    } else if (id === this.#latest) return counters;
    else this.#counters.delete(id); // to put it last
    this.#counters.set(id, counters);
    this.#latest = id;
    return counters;
  }

  /** Whether a message is not one that was sent again. */
  isNew({ peerId, peerHello: { instance } }: Session, seq: number): boolean {
    return seq > (this.of(peerId).taken.get(instance) ?? 0);
  }

  /** Notes that everything up to this number was taken. */
  note({ peerId, peerHello: { instance } }: Session, seq: number): void {
    const { taken } = this.of(peerId);
    if (seq <= (taken.get(instance) ?? 0)) return;
    if (taken.size > 1) taken.delete(instance); // to put it last
    taken.set(instance, seq);
    if (taken.size > MAX_RUNS) taken.delete(taken.keys().next().value!);
  }

  #forgetOne(): void {
    let oldest: PeerId | undefined;
    for (const id of this.#counters.keys()) {
      if (this.isInUse(id)) continue;
      oldest ??= id;
      if (this.isFriend(id)) continue;
      oldest = id;
      break;
    }
    if (oldest === undefined) return;
    const { seq, ordinal } = this.#counters.get(oldest)!;
    this.#first.seq = Math.max(this.#first.seq, seq);
    this.#first.ordinal = Math.max(this.#first.ordinal, ordinal);
    this.#counters.delete(oldest);
  }
}
