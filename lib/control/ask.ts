import { printable } from "../base/printable.ts";
import { ParlanceError } from "../errors.ts";
import { type CommandEnvironment, showUnasked } from "./environment.ts";
import type { Line, Link } from "./link.ts";

/** What a client says to a question. */
export interface Answer {
  /** Without `ref`. */
  readonly object: Line;
  /** What the client calls itself. */
  readonly nickname: string;
}

/**
 * Asks a client something; cuts the link when the answer takes too long, or the user has left.
 *
 * @param limitMs How long to wait, in milliseconds.
 * @returns `undefined` where no answer came.
 * @throws {ParlanceError} The client says that it cannot be done.
 */
export async function ask(
  link: Link,
  question: Line,
  limitMs: number,
  environment: CommandEnvironment,
): Promise<Answer | undefined> {
  const { clock, signal } = environment;
  const cut = () => link.cut();
  const late = clock.after(Math.max(0, limitMs), cut);
  signal.addEventListener("abort", cut);
  if (signal.aborted) cut();
  try {
    link.command({ ...question, ref: 1 });
    let nickname = "";
    for await (const event of link.events) {
      if (event.event === "ready") nickname = String(event.nickname);
      if (event.ref !== 1) {
        showUnasked(event, link, environment);
        continue;
      }
      if (event.event === "error") throw new ParlanceError(shellText(String(event.message)));
      const { ref: _, ...object } = event;
      return { object, nickname };
    }
    return undefined;
  } finally {
    late();
    signal.removeEventListener("abort", cut);
  }
}

/** In a shell there are no commands that begin with a slash. */
export function shellText(message: string): string {
  return printable(message).replace(/(^| )\/(peers|history)(?![\w./-])/g, "$1`parlance $2`");
}
