import type { Peer } from "../discovery/peer.ts";
import { AmbiguousPeerError, InvalidInputError, ParlanceError } from "../errors.ts";
import type { KnownPeers } from "../identity/known_peers.ts";
import { parsePeerId, type PeerId } from "../wire/peer_id.ts";
import { resolveTarget } from "./target.ts";

/** Targets whose safety number is remembered as shown. */
const MAX_SHOWN = 100;

/** What {@linkcode Contacts} works with. */
export interface ContactsOptions {
  readonly ownId: PeerId;
  readonly known: KnownPeers;
  /** Who is announced now. */
  readonly peers: {
    find(target: string): Peer;
    named(nickname: string): readonly Peer[];
    peers(): Peer[];
  };
  /** The ids that were proved under a nickname that is known with another one. */
  readonly warnedOf: (nickname: string) => PeerId[];
  /** Ends the session with an id, since what was known of it does not hold any more. */
  readonly endSession: (id: PeerId, reason: string) => void;
}

/**
 * What the user knows and decides about who others are. Targets are nicknames, labels or ids;
 * errors say what cannot be done and what to do instead.
 */
export class Contacts {
  /** Whose safety number was shown for a target: what the user has compared. */
  readonly #shown = new Map<string, PeerId>();

  constructor(private readonly options: ContactsOptions) {}

  /**
   * Gives a nickname to an id that took it from another one: the user's answer to a changed
   * identity. Who proved its id, and was warned of, goes before who only announces one.
   *
   * @returns The id.
   * @throws {ParlanceError} When it is unknown or unclear which id is meant, or it has none.
   */
  trust(target: string): PeerId {
    const { known, warnedOf } = this.options;
    const warned = warnedOf(target).filter((id) => known.byNickname(target)?.id !== id);
    if (warned.length > 1) throw new AmbiguousPeerError(target, warned);
    const { nickname, id } = warned.length === 1
      ? { nickname: target, id: warned[0] }
      : withId(resolveTarget(this.#strangers(), target));
    known.accept(nickname, id);
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
    if (this.#shown.size >= MAX_SHOWN) this.#shown.delete(this.#shown.keys().next().value!);
    this.#shown.set(target, id);
    const verified = known.byId(id)?.verified ?? false;
    return { number: await safetyNumber(ownId, id), id, verified };
  }

  /**
   * Records that the user has compared the safety number that was shown last for this target.
   *
   * @throws {ParlanceError} When none was shown, or the target stands for another id since.
   */
  verify(target: string): PeerId {
    const id = this.#idOf(target);
    const shown = this.#shown.get(target);
    if (shown !== id) {
      const why = shown === undefined
        ? "its safety number was not shown yet"
        : "it has another identity since its safety number was shown";
      throw new ParlanceError(
        `Cannot verify ${JSON.stringify(target)}: ${why}; compare the number of now first`,
      );
    }
    if (this.options.known.verify(id)) return id;
    throw new ParlanceError(
      `Cannot verify ${JSON.stringify(target)}: there was no session with it yet; send it a ` +
        "message first",
    );
  }

  /** Ends the session with a peer and refuses all others with its id. */
  block(target: string): PeerId {
    const strangers = this.options.warnedOf(target);
    const { known } = this.options;
    const isClear = strangers.every((id) => known.byNickname(target)?.id === id);
    // After a warning it is unclear which of them is to be blocked.
    if (!isClear) {
      throw new AmbiguousPeerError(target, [known.byNickname(target)?.id ?? [], strangers].flat());
    }
    const id = this.#idOf(target);
    this.options.known.block(id);
    this.options.endSession(id, "blocked");
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
    const forgotten = known.forget(this.#idOf(target));
    if (forgotten !== undefined) {
      // The next session is a first contact again; this one would leave the nickname to anybody.
      this.options.endSession(forgotten.id, "forgotten");
      return forgotten.id;
    }
    throw new ParlanceError(
      `Cannot forget ${JSON.stringify(target)}: nobody is known by this nickname or id`,
    );
  }

  /** The id that a user means: one that is written out, a known nickname's, or a peer's. */
  #idOf(target: string): PeerId {
    const { known, peers } = this.options;
    const parsed = parsePeerId(target);
    if (parsed.ok) return parsed.value;
    const ofNickname = known.byNickname(target)?.id;
    if (ofNickname === undefined) return withId(peers.find(target)).id;
    if (target.includes("~")) {
      // A nickname may be chosen to look like another peer's label.
      const others = peers.peers().filter((peer) =>
        peer.label === target && peer.id !== ofNickname
      );
      const ids = others.flatMap(({ id }) => id ?? []);
      if (ids.length > 0) throw new AmbiguousPeerError(target, [ofNickname, ...ids]);
    }
    return ofNickname;
  }

  /** Who uses a nickname without being who is known by it: whom `trust` can mean. */
  #strangers(): { named(nickname: string): readonly Peer[]; peers(): Peer[] } {
    const { peers, known } = this.options;
    const isStranger = ({ nickname, id }: Peer) => {
      const holder = known.byNickname(nickname);
      const isRenamed = id !== undefined && known.byId(id) !== undefined;
      return holder?.id !== id && (holder !== undefined || isRenamed);
    };
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
