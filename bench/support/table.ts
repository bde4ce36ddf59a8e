import type { Row } from "./bench.ts";

/** Writes rows below one another in columns that line up. */
export function formatTable(rows: readonly Row[]): string {
  const cells = rows.map(({ what, measured, compared, target, lost }) => [
    what,
    measured,
    lost === undefined ? compared ?? "" : `LOST: ${lost}`,
    target === undefined ? "" : `${target.text}: ${target.met ? "met" : "MISSED"}`,
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column].length)));
  return cells.map((row) =>
    // Figures end below one another; text begins so.
    `  ${
      row.map((cell, at) => at === 1 ? cell.padStart(widths[at]) : cell.padEnd(widths[at])).join(
        "   ",
      )
    }`
      .trimEnd()
  ).join("\n");
}

/** A whole number with its thousands apart. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** Milliseconds with as many digits as say something. */
export function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

/** How many times `base` goes into `value`. */
export function times(value: number, base: number): string {
  const ratio = value / base;
  return `${ratio.toFixed(ratio < 10 ? 2 : 1)} ×`;
}
