import { ParlanceError } from "../errors.ts";
import { aborted } from "../ui/ending.ts";
import {
  attachOrLeave,
  type CommandEnvironment,
  messageText,
  OK,
  showUnasked,
} from "./environment.ts";

/** `parlance listen`. */
export interface ListenCommand {
  readonly name: "listen";
  /** Whether to print objects of the JSON interface. */
  readonly json: boolean;
}

/**
 * Prints the messages that come in, until it is asked to end or nobody reads them any more.
 *
 * @returns The exit status.
 * @throws {ParlanceError} The client that it listens through has ended.
 */
export async function runListen(
  { json }: ListenCommand,
  environment: CommandEnvironment,
): Promise<number> {
  const { clock, signal, output } = environment;
  const left = aborted(signal);
  let isUnread = false;
  while (true) {
    await using link = await attachOrLeave(environment);
    if (link === undefined) return OK;
    const end = () => link.end();
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    void output.closed.then(() => {
      isUnread = true;
      link.cut();
    });
    try {
      for await (const event of link.events) {
        if (event.event !== "message") {
          showUnasked(event, link, environment);
          continue;
        }
        output.push(json ? `${JSON.stringify(event)}\n` : `${messageText(event, clock.now())}\n`);
        const room = output.ready();
        // Behind the signal only what was told already is left, which is not much.
        if (room !== undefined) await Promise.race([room, left]);
      }
    } finally {
      signal.removeEventListener("abort", end);
    }
    // The client is to know what was written before it ends.
    if (signal.aborted) await output.finish(clock, signal);
    if (signal.aborted || isUnread) return OK;
    // A command was the client, and has ended: the next attempt finds another, or is it.
    if (link.isOneShot) continue;
    throw new ParlanceError(
      "Cannot go on listening: the running client has ended, or this command was too slow for " +
        "it; start it again",
    );
  }
}
