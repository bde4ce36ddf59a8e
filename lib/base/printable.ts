/**
 * Makes text from outside harmless to show: whatever could steer a terminal, break a line or
 * reorder what stands around it becomes visible as `\u{…}`.
 *
 * Escaped are the C0 and C1 controls (among them ESC, CR, LF and TAB), line and paragraph
 * separators, bidirectional controls (Unicode TR 9), the deprecated format controls U+206A to
 * U+206F, interlinear annotation, U+FEFF and lone surrogates.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}

const UNPRINTABLE =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb\ufeff]/gu;
