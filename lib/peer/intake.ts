import type { Refusals } from "../base/refusals.ts";
import { HostTurns } from "./host_turns.ts";
import { UnfinishedLines } from "./unfinished_lines.ts";

/** What everybody shares who sends here, in plain text or over sessions. */
export class Intake {
  /** Who hands over messages next. */
  readonly turns: HostTurns;
  readonly unfinished: UnfinishedLines;

  /**
   * @param ready Resolves when more messages are welcome, or nobody takes them any more;
   *   `undefined` when they are now.
   */
  constructor(refusals: Refusals, ready: () => Promise<void> | undefined) {
    this.turns = new HostTurns(ready);
    this.unfinished = new UnfinishedLines(refusals);
  }
}
