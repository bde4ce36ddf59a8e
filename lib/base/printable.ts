/**
 * Makes text from outside harmless to show: whatever could steer a terminal, break a line or
 * reorder what stands around it becomes visible as `\u{…}`.
 *
 * Escaped are the C0 and C1 controls (among them ESC, CR, LF and TAB), line and paragraph
 * separators, bidirectional controls (Unicode TR 9), the deprecated format controls U+206A to
 * U+206F, interlinear annotation, U+FEFF and lone surrogates.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/**
 * The same for a name, in which nothing may be invisible, nor look like a common space: two names
 * that look alike would be taken for one. Joiners stay between letters of scripts that are written
 * with them and between emoji, and the selectors of emoji behind these (RFC 5892, appendix A, and
 * Unicode TR 51). Letters that look like others stay as they are.
 */
export function printableName(text: string): string {
  return printable(text).replace(
    INVISIBLE,
    (match, invisible?: string) => invisible === undefined ? match : escaped(match),
  );
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

const UNPRINTABLE =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb\ufeff]/gu;

/** Scripts in which joiners change how letters look. */
const JOINED = [
  "Arabic",
  "Syriac",
  "Mongolian",
  "Devanagari",
  "Bengali",
  "Gurmukhi",
  "Gujarati",
  "Oriya",
  "Tamil",
  "Telugu",
  "Kannada",
  "Malayalam",
  "Sinhala",
  "Khmer",
  "Myanmar",
].map((script) => `\\p{Script=${script}}`).join("");

/** Signs that take the vowel from a letter: a joiner behind one chooses its form. */
const VIRAMAS = "\\u094d\\u09cd\\u0a4d\\u0acd\\u0b4d\\u0bcd\\u0c4d\\u0ccd\\u0d4d\\u0dca";

/** What stays, then what is escaped: the first alternative that fits decides. */
const INVISIBLE = new RegExp(
  `(?<=[${VIRAMAS}])\\u200d` +
    `|(?<=(?![\\u180b-\\u180f])[${JOINED}]\\p{Mn}?)(?<![\\u180b-\\u180f])[\\u200c\\u200d](?=[${JOINED}])` +
    "|(?<=\\p{Extended_Pictographic}\\ufe0f?|\\p{Emoji_Modifier})\\u200d(?=\\p{Extended_Pictographic})" +
    "|(?<=\\p{Extended_Pictographic})[\\ufe0e\\ufe0f]|(?<=[#*0-9])\\ufe0f(?=\\u20e3)" +
    "|(\\p{Default_Ignorable_Code_Point}|\\u2800|(?![ \\u3000])\\p{Zs})",
  "gu",
);
