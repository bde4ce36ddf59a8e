import type { Peer } from "../discovery/peer.ts";
import {
  AmbiguousPeerError,
  InvalidInputError,
  ParlanceError,
  UnknownPeerError,
} from "../errors.ts";
import type { KnownPeers } from "../identity/known_peers.ts";
import type { PeerId } from "../wire/peer_id.ts";
import type { Introductions } from "./introductions.ts";
import { type PresentPeers, resolveTarget, typedId } from "./target.ts";

/** Targets whose safety number is remembered as shown. */
const MAX_SHOWN = 100;
/** Others that call themselves like a known peer, of whom the safety number is given, too. */
const MAX_OTHERS = 5;

/** What {@linkcode Contacts} works with. */
export interface ContactsOptions {
  readonly ownId: PeerId;
  readonly ownNickname: string;
  readonly known: KnownPeers;
  readonly introductions: Introductions;
  /** Who is here now. */
  readonly present: PresentPeers;
  /** The one peer that a target stands for. */
  readonly find: (target: string) => Peer;
  /** Ends the session with an id, since what was known of it does not hold any more. */
  readonly endSession: (id: PeerId, reason: string) => void;
  /** What may go to whom may have changed. */
  readonly onDecided: () => void;
}

/** What two users compare. */
export interface SafetyNumber {
  /** Of whom, beside this node. */
  readonly id: PeerId;
  /** 60 decimal digits in groups of five: the same on both sides. */
  readonly number: string;
  /** Whether the user has compared it before. */
  readonly verified: boolean;
}

/**
 * What the user knows and decides about who others are. Targets are nicknames, labels or ids;
 * errors say what cannot be done and what to do instead. Decisions are on the disk when the promises
 * resolve; where they reject for the disk, they hold for this run.
 */
export class Contacts {
  /** Whose safety number was shown for a target, or an id: what the user has compared. */
  readonly #shown = new Map<string, PeerId>();

  constructor(private readonly options: ContactsOptions) {}

  /**
   * Gives a nickname to an id that took it from another one: the user's answer to a changed
   * identity. Who proved its id, and was warned of, goes before who only announces one.
   *
   * @param target The nickname, or the id that is to have the one that it uses.
   * @returns The id.
   * @throws {ParlanceError} When it is unknown or unclear which id is meant, or it has none.
   */
  async trust(target: string): Promise<PeerId> {
    const { ownNickname, known, introductions } = this.options;
    const { nickname, id } = this.#stranger(target);
    if (nickname === ownNickname) {
      throw new InvalidInputError(
        `Cannot trust ${JSON.stringify(target)}: ${
          JSON.stringify(nickname)
        } is your own nickname ` +
          "and stands for nobody else; send to its label, which /peers shows",
      );
    }
    known.accept(nickname, id);
    introductions.trust(nickname, id);
    return await this.#saved(id);
  }

  /**
   * The safety number of this node and another peer, and those of others that call themselves like
   * it: proved ids, then announced ones, five at the most.
   */
  async safetyNumber(
    target: string,
  ): Promise<SafetyNumber & { readonly others: readonly SafetyNumber[] }> {
    const { ownId, known } = this.options;
    const id = this.#idOf("verify", target);
    const others = this.#othersThan(id, target);
    const { safetyNumber } = await import("../wire/safety_number.ts");
    const numberOf = async (id: PeerId) => {
      const verified = known.byId(id)?.verified ?? false;
      return { id, number: await safetyNumber(ownId, id), verified };
    };
    const [own, ...rest] = await Promise.all([id, ...others].map(numberOf));
    this.#noteShown(typedId(target) ?? target, id);
    for (const id of [own, ...rest].map(({ id }) => id)) this.#noteShown(id, id);
    return { ...own, others: rest };
  }

  /**
   * Records that the user has compared the safety number that was shown last for this target.
   *
   * @throws {ParlanceError} When none was shown, the target stands for another id since, or others
   *   call themselves so, too: then it takes the id.
   */
  async verify(target: string): Promise<PeerId> {
    const id = this.#idOf("verify", target);
    const others = this.#othersThan(id, target);
    if (others.length > 0) throw new AmbiguousPeerError(target, [id, ...others]);
    const shown = this.#shown.get(typedId(target) ?? target);
    if (shown === id) {
      this.options.known.verify(id);
      return await this.#saved(id);
    }
    const why = shown === undefined
      ? "its safety number was not shown yet"
      : "it has another identity since its safety number was shown";
    throw new ParlanceError(
      `Cannot verify ${JSON.stringify(target)}: ${why}; compare the number of now first`,
    );
  }

  /** Ends the session with a peer and refuses all others with its id. */
  async block(target: string): Promise<PeerId> {
    const { ownId, known, introductions, present } = this.options;
    const holder = known.byNickname(target)?.id;
    const strangers = introductions.warnedOf(target)
      .filter((id) => id !== holder && !known.byId(id)?.blocked);
    // After a warning it is unclear which of them is to be blocked, unless there is but one.
    if (strangers.length > 0) {
      const ids = [holder ?? [], strangers, present.named(target).flatMap(({ id }) => id ?? [])];
      const choices = [...new Set(ids.flat())].filter((id) => id !== ownId);
      if (choices.length > 1) throw new AmbiguousPeerError(target, choices);
    }
    const id = strangers[0] ?? this.#idOf("block", target);
    this.options.known.block(id);
    this.options.endSession(id, "you have blocked it");
    return await this.#saved(id);
  }

  /** Takes a block back. */
  async unblock(target: string): Promise<PeerId> {
    const id = this.#idOf("unblock", target);
    if (this.options.known.unblock(id)) return await this.#saved(id);
    throw new ParlanceError(`Cannot unblock ${JSON.stringify(target)}: it is not blocked`);
  }

  /** Forgets who a nickname, or an id, stands for. */
  async forget(target: string): Promise<PeerId> {
    const { known, introductions } = this.options;
    const forgotten = known.forget(this.#idOf("forget", target));
    if (forgotten !== undefined) {
      introductions.forget(forgotten.id);
      // The next session is a first contact again; this one would leave the nickname to anybody.
      this.options.endSession(forgotten.id, "you have forgotten who it is");
      return await this.#saved(forgotten.id);
    }
    throw new ParlanceError(
      `Cannot forget ${JSON.stringify(target)}: nobody is known by this nickname or id`,
    );
  }

  /** Once a decision is on the disk; it holds at once. */
  async #saved(id: PeerId): Promise<PeerId> {
    this.options.onDecided();
    await this.options.known.save();
    return id;
  }

  /** The id that a user means: one that is written out, a known nickname's, or a peer's. */
  #idOf(action: string, target: string): PeerId {
    const id = typedId(target) ?? this.#idNamed(target);
    if (id === this.options.ownId) throw ownIdError(action, target);
    return id;
  }

  #idNamed(target: string): PeerId {
    const { known, find, present } = this.options;
    const ofNickname = known.byNickname(target)?.id;
    if (ofNickname === undefined) return withId(find(target)).id;
    if (target.includes("~")) {
      // A nickname may be chosen to look like another peer's label.
      const others = present.peers().filter((peer) =>
        peer.label === target && peer.id !== ofNickname
      );
      const ids = others.flatMap(({ id }) => id ?? []);
      if (ids.length > 0) throw new AmbiguousPeerError(target, [ofNickname, ...ids]);
    }
    return ofNickname;
  }

  /** Ids of others that use the nickname of a known peer now, and are not blocked. */
  #othersThan(id: PeerId, target: string): PeerId[] {
    const { ownId, known, introductions, present } = this.options;
    if (known.byNickname(target)?.id !== id) return [];
    const ids = [
      ...introductions.warnedOf(target),
      ...present.named(target).flatMap(({ id }) => id ?? []),
    ];
    const isOther = (other: PeerId) =>
      other !== id && other !== ownId && !known.byId(other)?.blocked;
    return [...new Set(ids)].filter(isOther).slice(0, MAX_OTHERS);
  }

  #noteShown(target: string, id: PeerId): void {
    this.#shown.delete(target);
    if (this.#shown.size >= MAX_SHOWN) this.#shown.delete(this.#shown.keys().next().value!);
    this.#shown.set(target, id);
  }

  /** Whom `trust` means, and the nickname that it is to have. */
  #stranger(target: string): { nickname: string; id: PeerId } {
    const { ownId, known, introductions, present } = this.options;
    const id = typedId(target);
    if (id === ownId) throw ownIdError("trust", target);
    if (id === undefined) {
      const holder = known.byNickname(target)?.id;
      const warned = introductions.warnedOf(target).filter((id) => holder !== id);
      // Once the user has answered, the same words must not mean the opposite.
      if (holder !== undefined && introductions.isTrusted(target, holder)) {
        if (warned.length === 0) return { nickname: target, id: holder };
        throw new AmbiguousPeerError(target, [holder, ...warned]);
      }
      if (warned.length > 1) throw new AmbiguousPeerError(target, warned);
      if (warned.length === 1) return { nickname: target, id: warned[0] };
      return withId(this.#strangerNamed(target));
    }

    const announced = present.withId(id).filter((peer) => this.#isStranger(peer));
    const nicknames = new Set([
      ...introductions.takenBy(id).filter((nickname) => known.byNickname(nickname)?.id !== id),
      ...announced.map(({ nickname }) => nickname),
    ]);
    const [nickname] = nicknames;
    if (nicknames.size === 1) return { nickname, id };
    if (nicknames.size > 1) throw new AmbiguousPeerError(target, [...nicknames]);
    const held = known.byId(id)?.nickname;
    if (held !== undefined && introductions.isTrusted(held, id)) return { nickname: held, id };
    throw new ParlanceError(
      `Cannot trust ${
        JSON.stringify(target)
      }: it uses no nickname that is known with another id; ` +
        "/peers shows who does",
    );
  }

  /** A peer that `trust` can mean, or why there is none. */
  #strangerNamed(target: string): Peer {
    try {
      return resolveTarget(this.#strangers(), target);
    } catch (error) {
      const named = this.options.present.named(target);
      if (!(error instanceof UnknownPeerError) || named.length === 0) throw error;
      throw named.every(({ id }) => id === undefined) ? withoutId(named[0]) : error;
    }
  }

  /** Who uses a nickname without being who is known by it: whom `trust` can mean. */
  #strangers(): PresentPeers {
    const { present } = this.options;
    const strangers = (peers: readonly Peer[]) => peers.filter((peer) => this.#isStranger(peer));
    return {
      named: (nickname) => strangers(present.named(nickname)),
      withId: (id) => strangers(present.withId(id)),
      peers: () => strangers(present.peers()),
    };
  }

  #isStranger({ nickname, id }: Peer): boolean {
    const { known } = this.options;
    const holder = known.byNickname(nickname);
    const isRenamed = id !== undefined && known.byId(id) !== undefined;
    return holder?.id !== id && (holder !== undefined || isRenamed);
  }
}

function ownIdError(action: string, target: string): InvalidInputError {
  return new InvalidInputError(`Cannot ${action} ${JSON.stringify(target)}: that is your own id`);
}

function withId(peer: Peer): Peer & { id: PeerId } {
  const { id } = peer;
  if (id !== undefined) return { ...peer, id };
  throw withoutId(peer);
}

function withoutId({ label }: Peer): InvalidInputError {
  return new InvalidInputError(
    `${JSON.stringify(label)} has no id: it speaks version 1, which proves nothing`,
  );
}
