import type { Workspace } from "./workspace.ts";

/** One line of a benchmark's table; all but the first two only where there is something to say. */
export interface Row {
  readonly what: string;
  readonly measured: string;
  /** What it is compared with, in the same run or in the original. */
  readonly compared?: string;
  /** What the project asks of it, and whether this run was within that. */
  readonly target?: Target;
  /** What did not arrive; the run then fails when all the rest is measured. */
  readonly lost?: string;
}

/** A goal. Missing it is shown and never fails a run: other programs share the processor. */
export interface Target {
  readonly text: string;
  readonly met: boolean;
}

/** Something that is measured. */
export interface Bench {
  /** As it is named on the command line. */
  readonly name: string;
  /** What is measured, for the table's heading. */
  readonly title: string;
  /**
   * Measures.
   *
   * @throws When what was sent did not arrive, whatever the figures.
   */
  readonly run: (workspace: Workspace) => Promise<readonly Row[]>;
}

/** A goal for a figure that is to be at least `limit`. */
export function atLeast(value: number, limit: number, unit: string): Target {
  return { text: `≥ ${limit} ${unit}`, met: value >= limit };
}

/** A goal for a figure that is to be below `limit`. */
export function below(value: number, limit: number, unit: string): Target {
  return { text: `< ${limit} ${unit}`, met: value < limit };
}
