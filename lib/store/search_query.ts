import { InvalidInputError } from "../errors.ts";
import { endsWithLoneCharacter, searchText } from "./search_text.ts";

/** What a user looks for. */
export interface SearchQuery {
  /** All of them must be there. */
  readonly terms: readonly SearchTerm[];
  /** Who wrote it: a nickname, an id or its start, or `me`. */
  readonly from?: string;
  /** Only messages stored before this moment, in milliseconds since the Unix epoch. */
  readonly before?: number;
}

/** A word or several in a row, without regard to case and accents. */
export interface SearchTerm {
  readonly text: string;
  /** Whether the last word may go on. */
  readonly prefix: boolean;
}

/** Longest query, in UTF-16 units. */
const MAX_QUERY = 1_000;
const MAX_TERMS = 32;
/** A beginning stands for all words that have it, and short ones for too many to be quick. */
const MIN_PREFIX = 2;

/** What words are made of for SQLite's `unicode61`; anything else stands between them. */
const WORD = /[\p{L}\p{N}\p{Co}]/u;

/**
 * Reads what a user types: words, "phrases in quotes", beginnings with a star, `from:nickname`,
 * and `before:2026-01-31`, which is the start of that day here.
 *
 * @param midnight The start of a day in milliseconds since the Unix epoch; of the machine's time
 *   zone unless given.
 * @throws {InvalidInputError} There is nothing to search for, too much, or a bad date.
 */
export function parseSearch(
  text: string,
  midnight: (year: number, month: number, day: number) => number = localMidnight,
): SearchQuery {
  if (text.length > MAX_QUERY) {
    throw refusal(`${text.slice(0, 20)}…`, `it is longer than ${MAX_QUERY} characters`);
  }
  const terms: SearchTerm[] = [];
  let from: string | undefined;
  let before: number | undefined;
  for (const [part, key, quotedValue, value, quoted, star, word] of text.matchAll(PARTS)) {
    if (key === undefined) {
      const term = termOf(quoted ?? word, quoted !== undefined, star === "*");
      if (term !== undefined) terms.push(term);
      continue;
    }
    const given = quotedValue ?? value;
    if (given === "") throw refusal(part, `nothing stands after ${key.toLowerCase()}:`);
    if (key.toLowerCase() === "from") {
      if (from !== undefined) throw refusal(text, "it has from: twice");
      from = given;
    } else {
      if (before !== undefined) throw refusal(text, "it has before: twice");
      before = dateOf(given, midnight);
    }
  }
  if (terms.length > MAX_TERMS) throw refusal(text, `it has more than ${MAX_TERMS} words`);
  if (terms.length === 0 && from === undefined) {
    throw refusal(
      text,
      'it has no word; give one, or from:NICKNAME, like `bridge from:bob "at 8"`',
    );
  }
  return {
    terms,
    ...(from === undefined ? {} : { from }),
    ...(before === undefined ? {} : { before }),
  };
}

/** A key with its value, a phrase, or whatever else stands between spaces; an open quote is closed. */
const PARTS = /(from|before):(?:"([^"]*)(?:"|$)|(\S*))|"([^"]*)(?:"|$)(\*?)|([^\s"]+)/giu;

/**
 * The expression for FTS5. Every word is a string in quotes, in which nothing has a meaning.
 *
 * @param authors Of whom one must have written it; whoever did where missing.
 */
export function searchExpression(
  terms: readonly SearchTerm[],
  authors?: readonly string[],
): string {
  const parts: string[] = [];
  if (terms.length > 0) {
    const all = terms.map(({ text, prefix }) => `"${searchText(text)}"${prefix ? "*" : ""}`);
    parts.push(`content : (${all.join(" AND ")})`);
  }
  if (authors !== undefined) {
    parts.push(`author : (${authors.map((author) => `"${author}"`).join(" OR ")})`);
  }
  return parts.join(" AND ");
}

function termOf(raw: string, isPhrase: boolean, starred: boolean): SearchTerm | undefined {
  const text = raw.toWellFormed().replace(/["\0]/g, " ").trim().replace(/\*+$/, "").trim();
  const prefix = (starred || !isPhrase && raw.endsWith("*")) && !endsWithLoneCharacter(text);
  if (!WORD.test(text)) return undefined; // punctuation is in no index
  if (prefix && [...text.matchAll(/[\p{L}\p{N}\p{Co}]/gu)].length < MIN_PREFIX) {
    throw refusal(`${text}*`, `at least ${MIN_PREFIX} letters must stand before a star`);
  }
  return { text, prefix };
}

function dateOf(
  text: string,
  midnight: (year: number, month: number, day: number) => number,
): number {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)?.map(Number) ?? [];
  const date = new Date(Date.UTC(year, month - 1, day));
  // 0 to 99 would mean the 20th century to the constructor, and nobody wrote messages then.
  if (!(year >= 100) || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) {
    throw refusal(`before:${text}`, "that is no date; write it like before:2026-01-31");
  }
  return midnight(year, month, day);
}

function localMidnight(year: number, month: number, day: number): number {
  return new Date(year, month - 1, day).getTime();
}

function refusal(text: string, why: string): InvalidInputError {
  return new InvalidInputError(`Cannot search for ${JSON.stringify(text)}: ${why}`);
}
