import { parseSearch } from "../store/search_query.ts";
import { LONE_CHARACTERS } from "../store/search_text.ts";
import { shortened } from "./delivery_text.ts";

/** Characters of a message that a search shows. */
const LENGTH = 200;
/** Characters before the hit. */
const LEAD = 60;
/** One that is a word of its own at the start, and characters of words, for regular expressions. */
const LONE = new RegExp(`^[${LONE_CHARACTERS}]`, "u");
const LETTER = `(?![${LONE_CHARACTERS}])[\\p{L}\\p{N}\\p{Co}]`;
/** Words, and characters of their own in a row, which are looked for so. */
const WORDS = new RegExp(`[${LONE_CHARACTERS}]+|(?:${LETTER})+`, "gu");
/** Where a word may begin: not behind a letter, unless that is a word of its own. */
const START = `(?<!${LETTER})`;
/** UTF-16 units in which the hit is looked for. */
const MAX_SEARCHED = 65_536;

/**
 * The part of a message that a search has found it by, in one line.
 *
 * @param query As the user typed it; one that cannot be read shows the beginning.
 */
export function snippet(content: string, query: string): string {
  const flat = content.slice(0, MAX_SEARCHED).replace(/\s+/g, " ").trim();
  if (flat.length <= LENGTH) return flat;
  const at = firstHit(flat, query);
  if (at <= LEAD) return shortened(flat, LENGTH);
  const space = flat.indexOf(" ", at - LEAD);
  const start = space >= 0 && space < at ? space + 1 : at;
  return `…${shortened(flat.slice(start), LENGTH)}`;
}

/** Where one of the words stands that were looked for; 0 where none is found. */
function firstHit(text: string, query: string): number {
  let words: string[];
  try {
    words = parseSearch(query).terms.flatMap((term) => folded(term.text).text.match(WORDS) ?? []);
  } catch {
    return 0;
  }
  const { text: searched, places } = folded(text);
  const starts = words.map((word) => {
    const match = new RegExp(`${LONE.test(word) ? "" : START}${word}`, "u").exec(searched);
    return match?.index ?? Infinity;
  });
  const first = Math.min(...starts);
  return first === Infinity ? 0 : places[first];
}

/** A text without case and accents, as the index has it, and where each unit of it stood. */
function folded(text: string): { text: string; places: number[] } {
  const places: number[] = [];
  let plain = "";
  let at = 0;
  for (const character of text) {
    const base = character.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    plain += base;
    for (let unit = 0; unit < base.length; unit++) places.push(at);
    at += character.length;
  }
  return { text: plain, places };
}
