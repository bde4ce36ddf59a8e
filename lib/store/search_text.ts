/**
 * How a text stands in the search index, on top of SQLite's `unicode61`, which knows no character
 * that Unicode got after 6.1, and takes unknown ones for letters: a smile after a word made it
 * another word. Where no spaces stand between words each character is a word of its own, and several
 * in a row are looked for as a phrase.
 *
 * All ranges are fixed: what was put into the index is taken out of it by the same words, so a text
 * must always have the same ones. After a change here every index has to be made anew.
 *
 * @module
 */

/**
 * Characters of scripts without spaces: Thai, Lao, Burmese, Khmer, Chinese characters, kana and
 * bopomofo. Korean has spaces.
 */
export const LONE_CHARACTERS = "\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u2e80-\\u312f" +
  "\\u3190-\\u31ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\uff66-\\uff9f" +
  "\\u{1aff0}-\\u{1b16f}\\u{20000}-\\u{3ffff}";
/** Signs and pictures, and what Unicode keeps free for more of them. */
const SYMBOLS = "\\u2010-\\u206f\\u20a0-\\u20cf\\u2190-\\u245f\\u2500-\\u2bff\\u2e00-\\u2e7f" +
  "\\u4dc0-\\u4dff\\ufe00-\\ufe0f\\u{1f000}-\\u{1ffff}\\u{e0000}-\\u{e0fff}";

const SPECIAL = new RegExp(`([${LONE_CHARACTERS}])|[${SYMBOLS}]`, "gu");
const HAS_SPECIAL = new RegExp(SPECIAL.source, "u");
const ENDS_ALONE = new RegExp(`[${LONE_CHARACTERS}]$`, "u");

/** A text as `unicode61` finds the right words in it; ASCII is what it was. */
export function searchText(text: string): string {
  if (!HAS_SPECIAL.test(text)) return text;
  return text.replace(SPECIAL, (_, lone?: string) => lone === undefined ? " " : ` ${lone} `);
}

/** Whether the last character is a word of its own, which cannot go on. */
export function endsWithLoneCharacter(text: string): boolean {
  return ENDS_ALONE.test(text);
}
