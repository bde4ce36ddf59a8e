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
 * The same for a name, in which nothing may be invisible: two names that look alike would be taken
 * for one. Joiners and variation selectors stay, since scripts and emoji need them.
 */
export function printableName(text: string): string {
  return printable(text).replace(INVISIBLE, escaped);
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

const UNPRINTABLE =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb\ufeff]/gu;

const INVISIBLE = /(?![\u200c\u200d\ufe00-\ufe0f])\p{Default_Ignorable_Code_Point}/gu;
