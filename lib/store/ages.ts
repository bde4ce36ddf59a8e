import type { Clock } from "../base/clock.ts";
import type { KeySequence } from "./keys.ts";

/** What {@linkcode Ages} works with. */
export interface AgesOptions {
  readonly keys: KeySequence;
  readonly clock: Clock;
}

const HOUR_MS = 3_600_000;
/** How long the clock must have gone evenly before something is deleted for its age by it. */
const STEADY_MS = HOUR_MS;

/**
 * Decides which messages are old enough to be deleted, by a clock that may be wrong: a machine may
 * start in 1970 or next century, and be put right a moment later.
 *
 * - A message is no older than any stamp before it in the order of arrival, nor than the first
 *   plausible one after it where its own is from before this program.
 * - What this run has stored is no older than this run, by the clock that never jumps.
 * - A clock that has jumped by more than an hour, or that is ahead of all that earlier runs have
 *   seen by more than the age in question, must first go evenly for an hour.
 *
 * A clock that is wrong for longer, and plausibly so, is believed.
 */
export class Ages {
  readonly #start: number;
  /** The last key and the newest time of earlier runs. */
  readonly #lastKey: number;
  readonly #newest: number;
  /** How far the wall clock is ahead of the one that never jumps. */
  #offset: number;
  #steadySince: number;

  constructor(private readonly options: AgesOptions) {
    const { keys, clock } = options;
    this.#start = this.#steadySince = clock.monotonic();
    this.#offset = clock.now() - this.#start;
    this.#lastKey = keys.last;
    this.#newest = keys.newestTime(clock.now());
  }

  /**
   * Messages up to this key, and with a stamp before `before`, are old enough; 0 for none.
   *
   * @param before Milliseconds since the Unix epoch; from now on there is nothing to doubt.
   */
  oldTo(before: number): number {
    const { keys, clock } = this.options;
    const now = clock.now();
    const age = now - before;
    const steady = this.#steadyTime();
    const bound = keys.boundBefore(before);
    if (age <= 0) return bound;
    const isAhead = this.#newest > 0 && this.#newest < before;
    const hasJumped = this.#steadySince > this.#start;
    if ((isAhead || hasJumped) && steady < STEADY_MS) return 0;
    const ran = clock.monotonic() - this.#start;
    return Math.min(keys.witnessedBefore(before, now), ran < age ? this.#lastKey : Infinity);
  }

  /** For how long the clock has gone evenly, as far as anybody looked. */
  #steadyTime(): number {
    const { clock } = this.options;
    const monotonic = clock.monotonic();
    const offset = clock.now() - monotonic;
    if (Math.abs(offset - this.#offset) > HOUR_MS) {
      this.#offset = offset;
      this.#steadySince = monotonic;
    }
    return monotonic - this.#steadySince;
  }
}
