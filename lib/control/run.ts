import { messageOf } from "../errors.ts";
import type { CommandEnvironment } from "./environment.ts";
import type { HistoryCommand } from "./history.ts";
import { type ListenCommand, runListen } from "./listen.ts";
import { type PeersCommand, runPeers } from "./peers.ts";
import { runSend, type SendCommand } from "./send.ts";

/** A command that does one thing, through the running client where there is one. */
export type OneShotCommand = SendCommand | PeersCommand | ListenCommand | HistoryCommand;

/**
 * Does what a command asks for.
 *
 * @returns The exit status: 0 as asked, 1 something of a history cannot be read, 3 the message is
 *   queued, 130 interrupted.
 * @throws {ParlanceError} It failed; the exit status for it is 1.
 */
export async function runOneShot(
  command: OneShotCommand,
  environment: CommandEnvironment,
): Promise<number> {
  const status = await run(command, environment);
  const { output, warn, clock, signal } = environment;
  await output.finish(clock, signal);
  try {
    output.check();
  } catch (error) {
    // What became of the message stands in the status.
    if (command.name !== "send") throw error;
    warn(messageOf(error));
  }
  return status;
}

async function run(command: OneShotCommand, environment: CommandEnvironment): Promise<number> {
  switch (command.name) {
    case "send":
      return await runSend(command, environment);
    case "peers":
      return await runPeers(command, environment);
    case "listen":
      return await runListen(command, environment);
    case "history":
    case "search":
    case "history-check":
    case "history-export": {
      const { runHistoryCommand } = await import("./history.ts");
      return await runHistoryCommand(command, environment);
    }
  }
}
