import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Mode, PeerTrust } from "../node.ts";
import type { Read } from "../ui/input.ts";
import type { Output } from "../ui/output.ts";
import { plainStyle } from "../ui/style.ts";
import { eventText } from "../ui/text.ts";
import { printable } from "../base/printable.ts";
import { parseAddress } from "../wire/address.ts";
import { attach, type AttachOptions } from "./attach.ts";
import type { Line, Link } from "./link.ts";

/** Exit statuses of commands; 1 is told by an error, 2 is a bad command line. */
export const OK = 0;
export const QUEUED = 3;
/** As a shell reports a program that SIGINT ended. */
export const INTERRUPTED = 130;

/** What a command works with. */
export interface CommandEnvironment extends Omit<AttachOptions<Link>, "limitMs"> {
  readonly clock: Clock;
  readonly log: Log;
  /** One's own, for what a client does not say. */
  readonly nickname: string;
  readonly mode: Mode;
  /** How often version 1 peers announce themselves, in milliseconds. */
  readonly announceIntervalMs: number;
  /** Content above this many bytes of UTF-8 is not sent. */
  readonly maxContentBytes: number;
  /** Standard input. */
  readonly read: Read;
  /** Standard output. */
  readonly output: Output;
  /** Takes a line for standard error, without its newline. */
  readonly warn: (text: string) => void;
}

/** While the profile is in use and nobody answers: a client may be busy with its end. */
const ATTACH_MS = 10_000;

/** Finds the client, or becomes it; `undefined` when the user has left meanwhile. */
export async function attachOrLeave<Own extends Link | AsyncDisposable = Link>(
  environment: Omit<CommandEnvironment, "host"> & { readonly host: () => Promise<Own> },
  limitMs = ATTACH_MS,
): Promise<Link | Own | undefined> {
  try {
    return await attach({ ...environment, limitMs });
  } catch (error) {
    if (environment.signal.aborted) return undefined;
    throw error;
  }
}

/**
 * Shows what a command did not ask for but nobody else would show while it is the client itself:
 * what does not work, and messages that are not in the history. What another client does is that
 * one's business.
 */
export function showUnasked(
  event: Line,
  link: Pick<Link, "isOwn" | "kept">,
  { clock, warn }: Pick<CommandEnvironment, "clock" | "warn">,
): void {
  if (!link.isOwn) return;
  if (event.event === "message") {
    if (link.kept !== "everything") warn(messageText(event, clock.now()));
  } else if (event.event === "error" && event.ref === undefined) {
    warn(`! ${printable(String(event.message))}`);
  } else if (event.event === "bootstrap" && event.state === "disconnected") {
    const { url, reason } = event;
    warn(`! Out of reach: the bootstrap server ${printable(`${url} (${reason})`)}`);
  }
}

/**
 * A `message` event as the interfaces for people show it.
 *
 * @param now The time in milliseconds since the Unix epoch.
 */
export function messageText(event: Line, now: number): string {
  const { from, content, timestamp, trust, encrypted, address } = event;
  return eventText(
    {
      type: "message",
      message: { from: String(from), content: String(content), timestamp: Number(timestamp) },
      address: parseAddress(String(address)) ?? { hostname: "", port: 0 },
      encrypted: encrypted === true,
      trust: trust as PeerTrust,
    },
    plainStyle,
    now,
  );
}
