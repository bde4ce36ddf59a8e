import type { Entry } from "./entry.ts";

/** Characters of id or instance in a tag, as long as no namesake begins with the same ones. */
const TAG_LENGTH = 4;
/** The same where the tag alone tells a peer from the user: 35 bits of an id. */
const LONG_TAG_LENGTH = 7;
/** The first group of an id. */
const SHORT_ID = /^[A-Z2-7]{7}(-|$)/;

/** Whether a nickname could be taken for a label or an id, and so is never shown by itself. */
export function isMisleading(nickname: string): boolean {
  return nickname.includes("~") || SHORT_ID.test(nickname);
}

/** Who has which nickname, and what to call each so that everybody is told apart. */
export class Labels {
  readonly #byNickname = new Map<string, Set<Entry>>();
  /** How many peers would have the label `nickname~tag`. */
  readonly #tagged = new Map<string, number>();

  /** @param ownNickname Another peer of this name gets a tag in its label, too. */
  constructor(private readonly ownNickname: string) {}

  /** The peers of a nickname. */
  named(nickname: string): Iterable<Entry> {
    return this.#byNickname.get(nickname) ?? [];
  }

  add(entry: Entry): void {
    const named = this.#byNickname.get(entry.nickname) ?? new Set();
    this.#byNickname.set(entry.nickname, named.add(entry));
    this.#count(entry, 1);
  }

  remove(entry: Entry): void {
    this.#count(entry, -1);
    const named = this.#byNickname.get(entry.nickname);
    named?.delete(entry);
    if (named?.size === 0) this.#byNickname.delete(entry.nickname);
  }

  /** Takes a new id or instance of an entry into account. */
  retag(entry: Entry): void {
    const name = entry.id ?? entry.instance;
    if (name === undefined || name.startsWith(entry.tag)) return;
    this.#count(entry, -1);
    const isLong = entry.nickname === this.ownNickname && entry.id !== undefined;
    entry.tag = name.slice(0, isLong ? LONG_TAG_LENGTH : TAG_LENGTH);
    this.#count(entry, 1);
  }

  /** The nickname where that is enough, else with a tag. */
  of(entry: Entry): string {
    const { nickname, tag } = entry;
    const isOnly = this.#byNickname.get(nickname)?.size === 1;
    if (isOnly && nickname !== this.ownNickname && !isMisleading(nickname)) return nickname;
    // A peer chooses its instance, and can search for an id, so the short form may be taken on
    // purpose: then the whole of it.
    const isTaken = this.#tagged.get(caseless(entry)) !== 1;
    return `${nickname}~${isTaken ? entry.id ?? entry.instance ?? tag : tag}`;
  }

  #count(entry: Entry, by: 1 | -1): void {
    const label = caseless(entry);
    const count = (this.#tagged.get(label) ?? 0) + by;
    if (count > 0) this.#tagged.set(label, count);
    else this.#tagged.delete(label);
  }
}

/** Ids may be typed in lower case, where they could be taken for instances. */
function caseless({ nickname, tag }: Entry): string {
  return `${nickname}~${tag.toLowerCase()}`;
}
