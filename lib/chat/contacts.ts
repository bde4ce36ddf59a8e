import type { Peer } from "../discovery/peer.ts";
import { InvalidInputError, ParlanceError } from "../errors.ts";
import type { KnownPeers } from "../identity/known_peers.ts";
import { parsePeerId, type PeerId } from "../wire/peer_id.ts";
import { resolveTarget } from "./target.ts";
import type { PeerTrust } from "./trust.ts";

/** What {@linkcode Contacts} works with. */
export interface ContactsOptions {
  readonly ownId: PeerId;
  readonly known: KnownPeers;
  /** Who is announced now. */
  readonly peers: {
    find(target: string): Peer;
    named(nickname: string): Peer[];
    peers(): Peer[];
  };
  readonly trustOf: (peer: Peer) => PeerTrust;
  /** Ends what goes on with an id that the user wants nothing of any more. */
  readonly onBlocked: (id: PeerId) => void;
}

/**
 * What the user knows and decides about who others are. Targets are nicknames, labels or ids;
 * errors say what cannot be done and what to do instead.
 */
export class Contacts {
  constructor(private readonly options: ContactsOptions) {}

  /**
   * Gives a nickname to an id that took it from another one: the user's answer to a changed
   * identity.
   *
   * @returns The id.
   * @throws {ParlanceError} When it is unknown or unclear which id is meant, or it has none.
   */
  trust(target: string): PeerId {
    const { nickname, id } = withId(resolveTarget(this.#strangers(), target));
    this.options.known.accept(nickname, id);
    return id;
  }

  /**
   * The safety number of this node and another peer: the same on both sides.
   *
   * @returns 60 decimal digits in groups of five, and whether the user has compared it before.
   */
  async safetyNumber(target: string): Promise<{ number: string; id: PeerId; verified: boolean }> {
    const { ownId, known } = this.options;
    const { safetyNumber } = await import("../wire/safety_number.ts");
    const id = this.#idOf(target);
    const verified = known.byId(id)?.verified ?? false;
    return { number: await safetyNumber(ownId, id), id, verified };
  }

  /** Records that the user has compared the safety number. */
  verify(target: string): PeerId {
    const id = this.#idOf(target);
    if (this.options.known.verify(id)) return id;
    throw new ParlanceError(
      `Cannot verify ${JSON.stringify(target)}: there was no session with it yet; send it a ` +
        "message first",
    );
  }

  /** Ends the session with a peer and refuses all others with its id. */
  block(target: string): PeerId {
    const id = this.#idOf(target);
    this.options.known.block(id);
    this.options.onBlocked(id);
    return id;
  }

  /** Takes a block back. */
  unblock(target: string): PeerId {
    const id = this.#idOf(target);
    if (this.options.known.unblock(id)) return id;
    throw new ParlanceError(`Cannot unblock ${JSON.stringify(target)}: it is not blocked`);
  }

  /** Forgets who a nickname, or an id, stands for. */
  forget(target: string): PeerId {
    const { known } = this.options;
    const isKnown = known.byNickname(target) !== undefined;
    const forgotten = known.forget(isKnown ? target : this.#idOf(target));
    if (forgotten !== undefined) return forgotten.id;
    throw new ParlanceError(
      `Cannot forget ${JSON.stringify(target)}: nobody is known by this nickname or id`,
    );
  }

  /** The id that a user means: one that is written out, a known nickname's, or a peer's. */
  #idOf(target: string): PeerId {
    const { known, peers } = this.options;
    const parsed = parsePeerId(target);
    if (parsed.ok) return parsed.value;
    return known.byNickname(target)?.id ?? withId(peers.find(target)).id;
  }

  /** Who uses a nickname without being who is known by it: whom `trust` can mean. */
  #strangers(): { named(nickname: string): Peer[]; peers(): Peer[] } {
    const { peers, trustOf } = this.options;
    const isStranger = (peer: Peer) => trustOf(peer) === "changed";
    return {
      named: (nickname) => peers.named(nickname).filter(isStranger),
      peers: () => peers.peers().filter(isStranger),
    };
  }
}

function withId(peer: Peer): Peer & { id: PeerId } {
  const { id } = peer;
  if (id !== undefined) return { ...peer, id };
  throw new InvalidInputError(
    `${JSON.stringify(peer.label)} has no id: it speaks version 1, which proves nothing`,
  );
}
