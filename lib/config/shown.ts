/**
 * `text` for a line of an error message: on one line, with control and format characters (escape
 * sequences, bidi overrides) spelled out, and cut after `most` characters.
 */
export function shown(text: string, most = 60): string {
  const start = [...text.slice(0, 2 * most + 2)];
  const cut = start.length > most || text.length > 2 * most + 2;
  const line = start.slice(0, most).join("").replace(/\s*\n\s*/g, " ");
  const escaped = line.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
  return cut ? `${escaped}…` : escaped;
}
