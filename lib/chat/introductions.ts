import type { KnownPeers } from "../identity/known_peers.ts";
import type { PeerId } from "../wire/peer_id.ts";

/** Warnings of changed identities in one run: a hostile peer can make any number of them. */
const MAX_WARNINGS = 100;
/** Ids that are told apart in one run, as many as are remembered. */
const MAX_IDS = 10_000;

/** What is to be told of somebody who has proved an id. */
export interface Introduction {
  /** Neither was known; a known peer under another name; a nickname that belongs to another id. */
  readonly change: "new" | "renamed" | "changed";
  readonly nickname: string;
  readonly id: PeerId;
  /** With `renamed`: what it was called. */
  readonly formerNickname?: string;
  /** With `changed`: the id that the nickname is known with. */
  readonly knownId?: PeerId;
  /** With `changed`: the user has never turned to the one that is known. */
  readonly isUnanswered?: true;
  /** With `changed`: further ones are not told in this run. */
  readonly isLast?: true;
}

/** Remembers whom this run meets, and what of that has to be told. */
export class Introductions {
  /** Ids that were proved under a nickname of somebody else, and warned of. */
  readonly #warned = new Map<string, Set<PeerId>>();
  /** Nicknames that the user has given to other ids. */
  readonly #trusted = new Map<string, PeerId>();
  #warnings = 0;
  /** Ids that nobody knew before this run. */
  readonly #met = new Set<PeerId>();
  /** Ids that the user has turned to. */
  readonly #answered = new Set<PeerId>();

  /** @param ownNickname Is bound to nobody else, whoever uses it. */
  constructor(
    private readonly known: KnownPeers,
    private readonly ownNickname: string,
  ) {}

  /**
   * Remembers a peer that has proved its id.
   *
   * @param host Where from.
   * @returns What to tell the user, if anything.
   */
  meet(nickname: string, id: PeerId, host?: string): Introduction | undefined {
    const isOwn = nickname === this.ownNickname;
    const { trust, formerNickname } = this.known.remember(nickname, id, isOwn, host);
    if (this.#answered.has(id)) this.known.address(id);
    if (formerNickname !== undefined) return { change: "renamed", nickname, id, formerNickname };
    if (trust === "new") {
      addBounded(this.#met, id);
      return { change: "new", nickname, id };
    }
    if (trust !== "changed") return undefined;
    const warned = this.#warned.get(nickname) ?? new Set();
    if (warned.has(id) || this.#warnings >= MAX_WARNINGS) return undefined;
    this.#warned.set(nickname, warned.add(id));
    this.#warnings++;
    const knownId = this.known.byNickname(nickname)?.id;
    return {
      change: "changed",
      nickname,
      id,
      knownId,
      ...(knownId !== undefined && !this.known.isAddressed(knownId) && { isUnanswered: true }),
      ...(this.#warnings === MAX_WARNINGS && { isLast: true }),
    };
  }

  /**
   * Whether an id was met in this run for the first time, and the user has not turned to it: what a
   * stranger says first must not look like an acquaintance's words.
   */
  isNew(id: PeerId): boolean {
    return this.#met.has(id) && !this.#answered.has(id);
  }

  /** Notes that the user has sent something to an id, or decided that it is whom he means. */
  answer(id: PeerId): void {
    addBounded(this.#answered, id);
    this.known.address(id);
  }

  /** Notes that the user has given a nickname to an id. */
  trust(nickname: string, id: PeerId): void {
    this.#trusted.delete(nickname);
    if (this.#trusted.size >= MAX_IDS) this.#trusted.delete(this.#trusted.keys().next().value!);
    this.#trusted.set(nickname, id);
    this.answer(id);
  }

  /** Whether the user has given this nickname to this id in this run. */
  isTrusted(nickname: string, id: PeerId): boolean {
    return this.#trusted.get(nickname) === id;
  }

  /** The next contact with an id is the first one again. */
  forget(id: PeerId): void {
    this.#met.delete(id);
    this.#answered.delete(id);
  }

  /** The ids that were proved under a nickname that was known with another one. */
  warnedOf(nickname: string): PeerId[] {
    return [...this.#warned.get(nickname) ?? []];
  }

  /** The nicknames of others under which an id was proved. */
  takenBy(id: PeerId): string[] {
    return [...this.#warned].flatMap(([nickname, ids]) => ids.has(id) ? nickname : []);
  }
}

function addBounded(ids: Set<PeerId>, id: PeerId): void {
  if (ids.has(id)) return;
  if (ids.size >= MAX_IDS) ids.delete(ids.values().next().value!);
  ids.add(id);
}
