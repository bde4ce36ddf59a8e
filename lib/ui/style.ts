/** Emphasis for text on a terminal. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  /** A nickname. */
  name(text: string): string;
  warning(text: string): string;
}

/** Text as it is. */
export const plainStyle: Style = {
  bold: (text) => text,
  dim: (text) => text,
  name: (text) => text,
  warning: (text) => text,
};

/** Select Graphic Rendition (ECMA-48, section 8.3.117), ended by its default. */
const sgr = (code: number) => (text: string) => `\x1b[${code}m${text}\x1b[0m`;

/** Emphasis by colours that every terminal has, readable on light and dark. */
export const colourStyle: Style = {
  bold: sgr(1),
  dim: sgr(2),
  name: sgr(36),
  warning: sgr(33),
};
