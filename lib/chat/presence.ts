import type { Clock } from "../base/clock.ts";
import { isMisleading } from "../discovery/labels.ts";
import type { DownReason, Peer, PresenceEvent } from "../discovery/peer.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import { type PeerId, shortId } from "../wire/peer_id.ts";

/** What {@linkcode Presence} works with, and whom it tells. */
export interface PresenceOptions {
  readonly clock: Pick<Clock, "monotonic">;
  readonly ownNickname: string;
  /** Who is announced now. */
  readonly announced: {
    peers(): Peer[];
    named(nickname: string): readonly Peer[];
    withId(id: PeerId): Peer[];
  };
  /** Whether there is a session with who has this id and calls itself so. */
  readonly isConnected: (peer: Peer) => boolean;
  readonly emit: (event: PresenceEvent) => void;
}

/** Somebody whom discovery has lost and a session still reaches. */
interface Held {
  readonly peer: Peer;
  readonly reason: DownReason;
  /** When, in the clock's monotonic milliseconds. */
  readonly since: number;
}

/**
 * Who is here: who is announced, and who has a session. Anybody can say goodbye in another's name,
 * but not end a session, so a peer goes when both are over.
 */
export class Presence {
  /** Bounded by the sessions. */
  readonly #held = new Map<PeerId, Held>();

  constructor(private readonly options: PresenceOptions) {}

  /** Takes what discovery has found, and passes on what that means. */
  discovered(event: PresenceEvent): void {
    const { peer } = event;
    const { id } = peer;
    if (event.type === "peer_down") {
      if (id === undefined || !this.options.isConnected(peer)) return this.#emit(event);
      this.#held.set(id, { peer, reason: event.reason, since: this.options.clock.monotonic() });
      return;
    }
    const held = id && this.#held.get(id);
    if (!held || held.peer.nickname !== peer.nickname) return this.#emit(event);
    this.#held.delete(peer.id!); // it has never gone
  }

  /** Takes note that the session with an id has ended, or that another one has taken its place. */
  sessionChanged(id: PeerId): void {
    const held = this.#held.get(id);
    if (held === undefined || this.options.isConnected(held.peer)) return;
    this.#held.delete(id);
    const { reason } = held;
    if (!this.#isAnnounced(held)) this.#emit({ type: "peer_down", peer: this.#now(held), reason });
  }

  /** Everybody, the longest known first. */
  peers(): Peer[] {
    const announced = this.options.announced.peers();
    if (this.#held.size === 0) return announced;
    return [...announced.map((peer) => this.#told(peer)), ...this.#heldPeers()]
      .sort((a, b) => b.knownForMs - a.knownForMs);
  }

  /** Who answers to exactly this nickname. */
  named(nickname: string): readonly Peer[] {
    const announced = this.options.announced.named(nickname);
    if (this.#held.size === 0) return announced;
    const held = this.#heldPeers().filter((peer) => peer.nickname === nickname);
    return [...announced.map((peer) => this.#told(peer)), ...held];
  }

  /** Who claims this id, at most one of each nickname. */
  withId(id: PeerId): Peer[] {
    const announced = this.options.announced.withId(id);
    if (this.#held.size === 0) return announced;
    const held = this.#heldPeers().filter((peer) => peer.id === id);
    return [...announced.map((peer) => this.#told(peer)), ...held];
  }

  /**
   * What to call who uses the user's own nickname, or one that looks like a label or an id; nothing
   * of everybody else.
   *
   * @param place Its proved id, or where it was heard from, as far as that is known.
   */
  namesakeLabel(nickname: string, place: PeerId | SocketAddress | undefined): { label?: string } {
    if (nickname !== this.options.ownNickname && !isMisleading(nickname)) return {};
    if (typeof place !== "string") return { label: `${nickname}~${place?.hostname ?? "?"}` };
    const announced = this.withId(place).find((peer) => peer.nickname === nickname);
    return { label: announced?.label ?? `${nickname}~${shortId(place)}` };
  }

  #heldPeers(): Peer[] {
    return [...this.#held.values()].filter((held) => !this.#isAnnounced(held))
      .map((held) => this.#told(this.#now(held)));
  }

  #isAnnounced({ peer: { id, nickname } }: Held): boolean {
    return this.options.announced.withId(id!).some((other) => other.nickname === nickname);
  }

  #now({ peer, since }: Held): Peer {
    return { ...peer, knownForMs: peer.knownForMs + this.options.clock.monotonic() - since };
  }

  #emit(event: PresenceEvent): void {
    this.options.emit({ ...event, peer: this.#told(event.peer) });
  }

  /** A peer under a label that nobody else here has. */
  #told(peer: Peer): Peer {
    const { nickname, label, id, instance, addresses: [{ address }] } = peer;
    if (this.#held.size === 0 || label !== nickname) return peer;
    const hasHeldNamesake = [...this.#held.values()]
      .some((held) => held.peer.nickname === nickname && held.peer.id !== id);
    const hasNamesake = hasHeldNamesake || this.options.announced.named(nickname)
      .some((other) => other.id !== id);
    if (!hasNamesake) return peer;
    const tag = id === undefined ? instance ?? formatAddress(address) : shortId(id);
    return { ...peer, label: `${nickname}~${tag}` };
  }
}
