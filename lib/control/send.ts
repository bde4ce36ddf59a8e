import { printableName } from "../base/printable.ts";
import { LimitError, messageOf, ParlanceError } from "../errors.ts";
import { quoteTarget } from "../ui/commands.ts";
import { aborted } from "../ui/ending.ts";
import { shellText } from "./ask.ts";
import {
  attachOrLeave,
  type CommandEnvironment,
  INTERRUPTED,
  OK,
  QUEUED,
  showUnasked,
} from "./environment.ts";
import type { Line, Link } from "./link.ts";

/** Beyond one announce interval, time for a datagram to arrive, in milliseconds. */
const ANNOUNCE_SLACK_MS = 1000;

/** `parlance send`. */
export interface SendCommand {
  readonly name: "send";
  /** A nickname or label. */
  readonly to: string;
  /** What to send; the whole standard input without it. */
  readonly text?: string;
  /** How long to wait for the delivery, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Sends one message and waits for its delivery.
 *
 * @returns The exit status.
 * @throws {ParlanceError} The message was not sent, or nobody knows.
 */
export async function runSend(
  command: SendCommand,
  environment: CommandEnvironment,
): Promise<number> {
  const { clock, signal } = environment;
  const content = command.text ?? await readMessage(environment);
  if (content === undefined) return INTERRUPTED;
  if (content === "") {
    throw new ParlanceError(
      `Cannot send to ${JSON.stringify(command.to)}: standard input is empty`,
    );
  }
  const giveUpAt = clock.monotonic() + command.timeoutMs;
  while (true) {
    await using link = await attachOrLeave(environment, giveUpAt - clock.monotonic());
    if (link === undefined) return INTERRUPTED;
    const status = await new Sending(link, command, content, environment).run(giveUpAt);
    if (status !== undefined) return status;
    // A command that was the client has ended between: the next attempt finds another, or is it.
    if (signal.aborted) return INTERRUPTED;
  }
}

/** One attempt to send, through one client. */
class Sending {
  readonly #link: Link;
  readonly #command: SendCommand;
  readonly #content: string;
  readonly #environment: CommandEnvironment;
  /** Up to when the peer may still turn up, by the clock's monotonic time. */
  readonly #findBy: number;
  /** Why the last attempt failed that the client has answered. */
  #problem: string | undefined;
  /** How often the client was asked to send it. */
  #asked = 0;
  /** Whether the client has not answered yet. */
  #isOpen = false;
  /** Whether somebody has come since the last attempt. */
  #cameSince = false;
  /** Whom the message is for, once the client has stored it. */
  #accepted: { label: string; isPlain: boolean } | undefined;
  #end: "late" | "unknown" | "interrupted" | undefined;

  constructor(
    link: Link,
    command: SendCommand,
    content: string,
    environment: CommandEnvironment,
  ) {
    this.#link = link;
    this.#command = command;
    this.#content = content;
    this.#environment = environment;
    const windowMs = environment.announceIntervalMs + ANNOUNCE_SLACK_MS - link.ageMs;
    this.#findBy = environment.clock.monotonic() + Math.max(0, windowMs);
  }

  /** @returns The exit status, or `undefined` where another attempt does no harm. */
  async run(giveUpAt: number): Promise<number | undefined> {
    const { clock, signal } = this.#environment;
    const late = clock.after(giveUpAt - clock.monotonic(), () => this.#cut("late"));
    const unknown = clock.after(this.#findBy - clock.monotonic(), () => {
      if (!this.#isOpen) this.#cut("unknown");
    });
    const interrupt = () => this.#cut("interrupted");
    signal.addEventListener("abort", interrupt);
    if (signal.aborted) interrupt();
    try {
      this.#ask();
      for await (const event of this.#link.events) {
        const status = this.#take(event);
        if (status !== undefined) return status;
      }
      return this.#conclude();
    } finally {
      late();
      unknown();
      signal.removeEventListener("abort", interrupt);
    }
  }

  #cut(why: "late" | "unknown" | "interrupted"): void {
    this.#end ??= why;
    this.#link.cut();
  }

  #ask(): void {
    this.#asked++;
    this.#isOpen = true;
    this.#cameSince = false;
    this.#link.command({ command: "send", to: this.#command.to, content: this.#content, ref: 1 });
  }

  /** @returns The exit status, once that is clear. */
  #take(event: Line): number | undefined {
    if (event.event === "peer_up") {
      if (!this.#isOpen) this.#ask();
      else this.#cameSince = true;
    }
    if (event.event === "end" && Number(event.commands) < this.#asked) {
      this.#isOpen = false;
      this.#problem ??= `Cannot send to ${JSON.stringify(this.#command.to)}: the client has ended`;
    }
    if (event.ref !== 1) {
      showUnasked(event, this.#link, this.#environment);
      return undefined;
    }
    const label = typeof event.to === "string" ? event.to : this.#command.to;
    switch (event.event) {
      case "pending":
        this.#accepted = { label, isPlain: event.id === undefined };
        return undefined;
      case "sent":
        this.#accepted = { label, isPlain: event.id === undefined };
        // Who has no id acknowledges nothing.
        if (event.id !== undefined) return undefined;
        return this.#say(
          `sent to ${name(label)} in plain text; it runs version 1, which does not tell whether ` +
            "a message has arrived",
        );
      case "delivered":
        return this.#say(`delivered to ${name(label)}`);
      case "failed":
      case "error":
        return this.#fail(event);
    }
  }

  #fail({ event, message, code }: Line): undefined {
    const problem = shellText(String(message));
    // What cannot be kept can still go to who is there.
    const mayCome = code === "unknown_peer" || code === "not_stored";
    if (event === "failed" || !mayCome) throw new ParlanceError(problem);
    this.#isOpen = false;
    this.#problem = problem;
    if (this.#cameSince) this.#ask();
    else if (this.#environment.clock.monotonic() >= this.#findBy) this.#cut("unknown");
  }

  #say(text: string, status = OK): number {
    this.#environment.output.push(`${text}\n`);
    return status;
  }

  /** What there is to say when the client says nothing more. */
  #conclude(): number | undefined {
    const target = JSON.stringify(this.#command.to);
    const { warn } = this.#environment;
    const { timeoutMs } = this.#command;
    const queued = this.#queuedText();
    if (this.#end === "interrupted") {
      if (queued !== undefined) warn(queued);
      else if (this.#isOpen) warn(`Interrupted: the message to ${target} may have been sent`);
      return INTERRUPTED;
    }
    if (queued !== undefined) return this.#say(queued, QUEUED);
    if (!this.#isOpen && this.#problem !== undefined) {
      if (this.#end !== undefined) throw new ParlanceError(this.#problem);
      return undefined; // the client has ended, and has nothing of ours
    }
    if (this.#end === undefined) {
      throw new ParlanceError(
        `Cannot tell whether the message to ${target} was sent: the client has ended between`,
      );
    }
    throw new ParlanceError(
      this.#link.isOwn
        ? `Gave up the message to ${target} after ${timeoutMs / 1000} s: nobody has acknowledged ` +
          "it, and it may not have arrived"
        : `Cannot tell whether the message to ${target} will be delivered: it was not within ` +
          `${timeoutMs / 1000} s, and the running client goes on trying`,
    );
  }

  /** What there is to say about a message that is delivered later, without this command. */
  #queuedText(): string | undefined {
    if (this.#accepted === undefined) return undefined;
    const { label, isPlain } = this.#accepted;
    if (isPlain && !this.#link.queuesPlain) return undefined;
    if (this.#link.kept === "nothing") return undefined;
    return `queued for ${name(label)}: not delivered yet; it will be when both of you are online`;
  }
}

function name(label: string): string {
  return printableName(quoteTarget(label));
}

/**
 * All of standard input as one message, without the newline at its end; `undefined` when the user
 * has left meanwhile.
 */
async function readMessage(
  { read, signal, maxContentBytes }: CommandEnvironment,
): Promise<string | undefined> {
  const left = aborted(signal).then(() => undefined);
  // A newline of two bytes is not part of the content.
  const bytes = new Uint8Array(maxContentBytes + 2);
  let length = 0;
  while (true) {
    if (length === bytes.length) throw tooLong(maxContentBytes);
    let count: number | null | undefined;
    try {
      count = await Promise.race([read(bytes.subarray(length)), left]);
    } catch (cause) {
      throw new ParlanceError(`Cannot read standard input: ${messageOf(cause)}`, { cause });
    }
    if (count === undefined) return undefined;
    if (count === null) break;
    length += count;
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes.subarray(0, length));
  } catch (cause) {
    throw new ParlanceError("Cannot send standard input: it is not text in UTF-8", { cause });
  }
  const content = text.replace(/\r?\n$/, "");
  const newline = text.length - content.length;
  if (length - newline > maxContentBytes) throw tooLong(maxContentBytes);
  return content;
}

function tooLong(most: number): LimitError {
  return new LimitError(
    `Cannot send standard input: a message has at most ${most} bytes; send it in parts`,
  );
}
