import type { Clock } from "../base/clock.ts";
import { messageOf } from "../errors.ts";
import type { Node } from "../node.ts";
import type { EventPump } from "./event_pump.ts";
import { finishWithin } from "./finish_within.ts";
import type { Output } from "./output.ts";
import type { PendingSends } from "./pending_sends.ts";

/**
 * Once the user asks to end, messages on their way get this long, in milliseconds: a peer that takes
 * nothing must not keep the program from ending.
 */
const LAST_SENDS_MS = 5000;

/** Resolves when `signal` asks to end. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** What an interface has under way when it ends. */
export interface UnderWay {
  readonly clock: Clock;
  readonly node: Node;
  /** Commands and messages that are not accepted yet. */
  readonly sends: PendingSends;
  /** Where what becomes of the others is shown. */
  readonly pump: EventPump;
}

/** What did not come to its end. */
export interface LeftBehind {
  /** Messages in the outbox, whenever they were written; they are sent the next time. */
  readonly waiting: number;
  /** What is wrong, for the user, if something was given up. */
  readonly problem?: string;
}

/**
 * Waits until everything has arrived that can while those stay away who are, and until it is shown;
 * once `signal` asks to end, five seconds at the most.
 *
 * @param gone Resolves when nobody cares about the outcome any more.
 */
export async function settleMessages(
  { clock, node, sends, pump }: UnderWay,
  signal: AbortSignal,
  gone: Promise<void> = new Promise(() => {}),
): Promise<LeftBehind> {
  const settled = async () => {
    await sends.settled();
    await node.messages.idle();
    await pump.drained();
  };
  await finishWithin(clock, Promise.race([settled(), gone]), LAST_SENDS_MS, signal);
  let waiting = 0;
  try {
    waiting = node.messages.pendingCount;
  } catch (error) {
    return { waiting, problem: messageOf(error) };
  }
  if (sends.count === 0) return { waiting };
  const commands = sends.count === 1 ? "1 command" : `${sends.count} commands`;
  const problem = `Gave up ${commands} that could not be carried out within ` +
    `${LAST_SENDS_MS / 1000} s`;
  return { waiting, problem };
}

/** What is told about messages that stay in the outbox. */
export function remainingText(count: number): string {
  return count === 1
    ? "… 1 message remains in the outbox and is sent the next time"
    : `… ${count} messages remain in the outbox and are sent the next time`;
}

/** What an interface for pipes is ended by. */
export interface PipeEnding extends UnderWay {
  readonly output: Output;
  /** Asks to end. */
  readonly signal: AbortSignal;
  /** Resolves when no more commands come: to whether the user asked to end. */
  readonly reading: Promise<boolean>;
  /** Takes what there is to say about messages that did not arrive. */
  readonly report: (left: LeftBehind) => void;
}

/**
 * Waits until no more commands come or the end is asked for, and then for what is still under way;
 * or until nobody reads the output any more. Behind the mere end of the input, which may be a
 * script's, messages have all the time that sending takes.
 */
export async function untilEnded(ending: PipeEnding): Promise<void> {
  const { clock, output, signal, reading, report } = ending;
  const hasQuit = await Promise.race([reading, aborted(signal), output.closed]) === true;
  const asked = hasQuit ? AbortSignal.abort() : signal;
  report(await settleMessages(ending, asked, output.closed));
  await output.finish(clock, signal);
}
