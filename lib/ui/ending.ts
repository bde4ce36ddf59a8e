import type { Clock } from "../base/clock.ts";
import { finishWithin } from "./finish_within.ts";
import type { Output } from "./output.ts";
import type { PendingSends } from "./pending_sends.ts";

/**
 * Once the user asks to end, messages that are being sent get this long, in milliseconds: a peer
 * that takes nothing must not keep the program from ending.
 */
const LAST_SENDS_MS = 5000;

/** Resolves when `signal` asks to end. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/**
 * Waits until everything that is being sent is settled; once `signal` asks to end, five seconds
 * at the most.
 *
 * @param gone Resolves when nobody cares about the outcome any more.
 * @returns What to tell the user if messages were given up.
 */
export async function settleSends(
  clock: Clock,
  sends: PendingSends,
  signal: AbortSignal,
  gone: Promise<void> = new Promise(() => {}),
): Promise<string | undefined> {
  const settled = Promise.race([sends.settled(), gone]);
  if (await finishWithin(clock, settled, LAST_SENDS_MS, signal)) return undefined;
  const messages = sends.count === 1 ? "1 message" : `${sends.count} messages`;
  return `Gave up ${messages} on the way after waiting ${LAST_SENDS_MS / 1000} s; ` +
    "they may not have arrived";
}

/** What an interface for pipes is ended by. */
export interface PipeEnding {
  readonly clock: Clock;
  readonly output: Output;
  /** Asks to end. */
  readonly signal: AbortSignal;
  readonly sends: PendingSends;
  /** Resolves when no more commands come: to whether the user asked to end. */
  readonly reading: Promise<boolean>;
  /** Takes what there is to say about messages that were given up. */
  readonly report: (message: string) => void;
}

/**
 * Waits until no more commands come or the end is asked for, and then for what is still under way;
 * or until nobody reads the output any more. Behind the mere end of the input, which may be a
 * script's, messages have all the time that sending gives them.
 */
export async function untilEnded(
  { clock, output, signal, sends, reading, report }: PipeEnding,
): Promise<void> {
  const hasQuit = await Promise.race([reading, aborted(signal), output.closed]) === true;
  const asked = hasQuit ? AbortSignal.abort() : signal;
  const problem = await settleSends(clock, sends, asked, output.closed);
  if (problem !== undefined) report(problem);
  await output.finish(clock, signal);
}
