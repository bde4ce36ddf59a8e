import { join } from "node:path";
import { printable } from "../base/printable.ts";
import { messageOf, ParlanceError } from "../errors.ts";
import { HISTORY_FILE } from "../store/schema.ts";
import { DEFAULT_COUNT } from "../ui/commands.ts";
import { historyText, MAX_HITS, searchText } from "../ui/history_text.ts";
import { describeHit, describeMessage } from "../ui/json_history.ts";
import { plainStyle } from "../ui/style.ts";
import { ask, shellText } from "./ask.ts";
import { attachOrLeave, type CommandEnvironment, INTERRUPTED, OK } from "./environment.ts";
import { checkCommand, exportCommand, IMPERFECT } from "./history_file.ts";
import { type Line, Link } from "./link.ts";
import { hitOf, messageOfLine } from "./message_line.ts";
import { StoredHistory } from "./stored_history.ts";

/** For the answer of a client, in milliseconds: what has come last is made searchable before. */
const ANSWER_MS = 60_000;

/** `parlance history` and `parlance search`. */
export type HistoryCommand =
  | Reading
  | { readonly name: "history-check" }
  | { readonly name: "history-export"; readonly format: "jsonl" | "text" };

/** What shows a part of the history. */
type Reading =
  | {
    readonly name: "history";
    /** Whose conversation; all of them without it. */
    readonly peer?: string;
    /** How many messages. */
    readonly count?: number;
    readonly json: boolean;
  }
  | { readonly name: "search"; readonly query: string; readonly json: boolean };

/**
 * Prints what is stored.
 *
 * @returns The exit status.
 * @throws {ParlanceError} It cannot be read.
 */
export async function runHistoryCommand(
  command: HistoryCommand,
  environment: CommandEnvironment,
): Promise<number> {
  const path = join(environment.directory, HISTORY_FILE);
  switch (command.name) {
    case "history-check":
      return await checkCommand(path, environment);
    case "history-export":
      return await exportCommand(path, command.format, environment);
    default:
      return await read(command, environment);
  }
}

/** Through the client that runs on the profile, or else from the profile itself. */
async function read(command: Reading, environment: CommandEnvironment): Promise<number> {
  const { clock, signal } = environment;
  const giveUpAt = clock.monotonic() + ANSWER_MS;
  const host = () => StoredHistory.open(environment);
  while (true) {
    await using source = await attachOrLeave({ ...environment, host });
    if (source === undefined) return INTERRUPTED;
    const found = source instanceof Link
      ? await askFor(command, source, giveUpAt - clock.monotonic(), environment)
      : await lookUp(command, source, environment);
    if (signal.aborted) return INTERRUPTED;
    if (found !== undefined) {
      await print(command, found, environment);
      if (found.problem === undefined) return OK;
      environment.warn(printable(found.problem));
      return IMPERFECT;
    }
    // A client that has ended between: the next attempt finds another, or needs none.
    if (clock.monotonic() < giveUpAt) continue;
    throw new ParlanceError(
      `Cannot read the history: the running client has not answered within ${
        ANSWER_MS / 1000
      } s; try again`,
    );
  }
}

/** Messages as objects of the JSON interface, and who reads them. */
interface Found {
  readonly messages: readonly Line[];
  /** Why that is not all. */
  readonly problem?: string;
  readonly nickname: string;
}

async function askFor(
  command: Reading,
  link: Link,
  limitMs: number,
  environment: CommandEnvironment,
): Promise<Found | undefined> {
  const question = command.name === "history"
    ? { command: "history", peer: command.peer, count: command.count }
    : { command: "search", query: command.query, count: MAX_HITS };
  const answer = await ask(link, question, limitMs, environment);
  if (answer === undefined) return undefined;
  const { object: { messages, problem }, nickname } = answer;
  return {
    messages: messages as readonly Line[],
    problem: typeof problem === "string" ? problem : undefined,
    nickname,
  };
}

async function lookUp(
  command: Reading,
  stored: StoredHistory,
  { nickname, signal }: CommandEnvironment,
): Promise<Found | undefined> {
  try {
    const messages = command.name === "history"
      ? stored.history(command.peer, command.count ?? DEFAULT_COUNT).map(describeMessage)
      : (await stored.search(command.query, MAX_HITS, signal)).map(describeHit);
    const problem = command.name === "search" ? stored.searchProblem : undefined;
    return { messages, problem, nickname };
  } catch (error) {
    if (signal.aborted) return undefined;
    if (!(error instanceof ParlanceError)) throw error;
    // The same, and the same status, as through a client.
    throw new ParlanceError(shellText(messageOf(error)), { cause: error });
  }
}

async function print(
  command: Reading,
  { messages, nickname }: Found,
  { output }: CommandEnvironment,
): Promise<void> {
  if (!command.json) {
    const own = { nickname };
    const text = command.name === "history"
      ? historyText(own, messages.map(messageOfLine), plainStyle)
      : searchText(own, messages.map(hitOf), command.query, plainStyle);
    return output.push(`${text}\n`);
  }
  for (const message of messages) {
    output.push(`${JSON.stringify(message)}\n`);
    const room = output.ready();
    if (room !== undefined) await room;
  }
}
