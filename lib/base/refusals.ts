import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";

/** Causes that are counted apart; beyond these, everything is counted together. */
const MAX_CAUSES = 256;

interface Count {
  total: number;
  unlogged: number;
  loggedAt: number;
}

/**
 * Counts what was refused, by cause, and logs each cause at most once per second, so that a flood
 * of bad input costs neither the log nor the disk behind it.
 */
export class Refusals {
  readonly #counts = new Map<string, Count>();

  constructor(private readonly clock: Pick<Clock, "monotonic">, private readonly log: Log) {}

  /**
   * Counts one refusal.
   *
   * @param cause A fixed text: what was refused and which rule it broke. Never text from outside.
   * @param detail Who sent it, and what; called only when a line is logged. May hold text from
   *   outside: whoever prints the log sanitises it.
   */
  add(cause: string, detail?: () => string): void {
    const { key, count } = this.#add(cause);
    count.unlogged++;
    const now = this.clock.monotonic();
    if (now - count.loggedAt < 1000) return;
    const times = count.unlogged > 1 ? ` (${count.unlogged} times)` : "";
    this.log.warn(`Refused: ${key}${times}${detail ? `: ${detail()}` : ""}`);
    count.unlogged = 0;
    count.loggedAt = now;
  }

  /** Counts one refusal that the user has asked for, so that it is no news to anybody. */
  addSilently(cause: string): void {
    this.#add(cause);
  }

  /** How often something was refused for `cause`; 0 where it counts among "other causes". */
  count(cause: string): number {
    return this.#counts.get(cause)?.total ?? 0;
  }

  /** All counts so far, by cause. */
  totals(): Record<string, number> {
    return Object.fromEntries([...this.#counts].map(([cause, { total }]) => [cause, total]));
  }

  #add(cause: string): { key: string; count: Count } {
    const key = this.#counts.size < MAX_CAUSES || this.#counts.has(cause) ? cause : "other causes";
    let count = this.#counts.get(key);
    if (count === undefined) {
      count = { total: 0, unlogged: 0, loggedAt: -Infinity };
      this.#counts.set(key, count);
    }
    count.total++;
    return { key, count };
  }
}
