/**
 * How wide text is on a terminal: a question that terminals answer differently for many characters.
 * Hence two answers, for two purposes.
 *
 * @module
 */

/** Every terminal gives these one column. Others, as `§` or Cyrillic, may take two. */
const ALWAYS_NARROW = /^[\x20-\x7e]$/;

/**
 * The columns that text takes on most terminals, on which wide East Asian characters and emoji take
 * two: for aligning, where a wrong guess only looks untidy.
 */
export function likelyColumns(text: string): number {
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    width +=
      /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u
          .test(segment)
        ? 2
        : 1;
  }
  return width;
}

/**
 * The columns that text takes at the most, whatever the terminal: for breaking rows, where a guess
 * that is too low would let the terminal break them, and text of others begin a row.
 */
export function mostColumns(text: string): number {
  let width = 0;
  for (const character of text) width += ALWAYS_NARROW.test(character) ? 1 : 2;
  return width;
}
