import { InvalidInputError } from "../errors.ts";
import { Syntax } from "./command_line.ts";
import * as rules from "./rules.ts";
import { runCommand, type RunOptions, toRunOptions } from "./run_options.ts";
import { shown } from "./shown.ts";

/** The commands that do one thing and end. */
export const ONE_SHOT_COMMANDS = ["send", "peers", "listen", "history", "search"] as const;

/** What a command is to do. */
export type OneShot =
  | {
    readonly name: "send";
    readonly to: string;
    /** Standard input without it. */
    readonly text?: string;
    readonly timeoutMs: number;
  }
  | { readonly name: "peers" | "listen"; readonly json: boolean }
  | {
    readonly name: "history";
    readonly peer?: string;
    readonly count?: number;
    readonly json: boolean;
  }
  | { readonly name: "search"; readonly query: string; readonly json: boolean }
  | { readonly name: "history-check" }
  | { readonly name: "history-export"; readonly format: "jsonl" | "text" };

/** What the command line of such a command says. */
export interface OneShotOptions {
  readonly kind: "one-shot";
  readonly command: OneShot;
  readonly options: RunOptions;
}

/** How long `parlance send` waits unless told, in seconds. */
const DEFAULT_TIMEOUT_SECS = 10;

/**
 * Reads the command line of a one-shot command.
 *
 * @param args The arguments that follow the command's name.
 * @throws {InvalidInputError} One line that says what is wrong.
 */
export function parseOneShotOptions(
  name: typeof ONE_SHOT_COMMANDS[number],
  args: readonly string[],
): OneShotOptions | { readonly kind: "help"; readonly text: string } {
  switch (name) {
    case "send":
      return parseSend(args);
    case "peers":
    case "listen":
      return parsePlain(name, args);
    case "history":
      return parseHistory(args);
    case "search":
      return parseSearch(args);
  }
}

function parseSend(args: readonly string[]) {
  const { program, syntax } = define(
    "send",
    "[options] NICKNAME TEXT|-",
    "Sends one message and waits for its delivery: TEXT, or with - all of standard input. The " +
      "exit status is 0 when it was delivered, 3 when it is queued, 1 when it failed.",
  );
  const full = program.argument("[nickname]").argument("[text]").addOption(
    syntax.option(
      "--timeout <seconds>",
      `how long to wait for the delivery, ${DEFAULT_TIMEOUT_SECS} unless given`,
      rules.seconds,
    ),
  );
  const help = syntax.parse(
    full,
    args,
    (argument) =>
      `Unexpected argument ${quoted(argument)}; put a text of several words in quotes, as in ` +
      "parlance send bob 'lunch at twelve?'",
  );
  if (help !== undefined) return { kind: "help" as const, text: help };
  const [to, text] = full.args;
  if (to === undefined || to === "") {
    throw new InvalidInputError("Command send needs a nickname: parlance send NICKNAME TEXT|-");
  }
  if (text === undefined || text === "") {
    throw new InvalidInputError(
      `Command send needs a text for ${quoted(to)}, or - to take standard input`,
    );
  }
  const { timeout = DEFAULT_TIMEOUT_SECS, ...rest } = full.opts();
  const command = {
    name: "send",
    to,
    text: text === "-" ? undefined : text,
    timeoutMs: timeout * 1000,
  } as const;
  return { kind: "one-shot" as const, command, options: toRunOptions(rest) };
}

function parsePlain(name: "peers" | "listen", args: readonly string[]) {
  const { program, syntax } = define(
    name,
    "[options]",
    name === "peers" ? "Prints who is here." : "Prints the messages that come in, until a signal.",
  );
  const full = program.option("--json", "print objects of the JSON interface");
  const help = syntax.parse(
    full,
    args,
    (argument) => `Unexpected argument ${quoted(argument)}; command ${name} takes none`,
  );
  if (help !== undefined) return { kind: "help" as const, text: help };
  const options = toRunOptions(full.opts());
  return { kind: "one-shot" as const, command: { name, json: options.json }, options };
}

function parseHistory(args: readonly string[]) {
  const { program, syntax } = define(
    "history",
    "[options] [NICKNAME] [COUNT]\n       parlance history [options] check\n" +
      "       parlance history [options] export [--format jsonl|text]",
    "Prints the last messages, with a nickname those of one conversation. check: says whether " +
      "the stored messages are whole. export: prints all of them.",
  );
  const full = program.argument("[nickname]").argument("[count]")
    .option("--json", "print objects of the JSON interface")
    .addOption(
      syntax.option("--format <format>", "of an export: jsonl or text", FORMAT),
    );
  const help = syntax.parse(
    full,
    args,
    (argument) =>
      `Unexpected argument ${quoted(argument)}; command history takes a nickname and a number`,
  );
  if (help !== undefined) return { kind: "help" as const, text: help };
  const { format, ...rest } = full.opts();
  const options = toRunOptions(rest);
  const command = historyCommand(full.args, options.json, format);
  return { kind: "one-shot" as const, command, options };
}

const FORMAT = rules.oneOf(["jsonl", "text"]);

function historyCommand(
  [first, second]: readonly string[],
  json: boolean,
  format: "jsonl" | "text" | undefined,
): OneShot {
  if (first === "check" || first === "export") {
    if (second !== undefined) {
      throw new InvalidInputError(
        `Unexpected argument ${quoted(second)}; history ${first} takes none`,
      );
    }
    if (json) {
      throw new InvalidInputError(
        `Option --json has no meaning for history ${first}` +
          (first === "export" ? "; --format jsonl has" : ""),
      );
    }
    if (first === "export") return { name: "history-export", format: format ?? "text" };
  }
  if (format !== undefined) {
    throw new InvalidInputError("Option --format has a meaning for history export only");
  }
  if (first === "check") return { name: "history-check" };
  // A number alone is how many; nobody is likely to be called so.
  if (second === undefined && first !== undefined && /^\d+$/.test(first)) {
    return { name: "history", count: countOf(first), json };
  }
  return {
    name: "history",
    peer: first,
    count: second === undefined ? undefined : countOf(second),
    json,
  };
}

function countOf(text: string): number {
  const value = rules.count.fromText!(text);
  if (rules.count.accepts(value)) return value;
  throw new InvalidInputError(
    `The number of messages is ${quoted(text)}, but must be ${rules.count.allowed}`,
  );
}

function parseSearch(args: readonly string[]) {
  const { program, syntax } = define(
    "search",
    "[options] WORD...",
    'Prints the messages that hold all the words: "a phrase", the start of a word*, from:bob, ' +
      "before:2026-01-31.",
  );
  const full = program.argument("[words...]").option(
    "--json",
    "print objects of the JSON interface",
  );
  const help = syntax.parse(full, args, quoted);
  if (help !== undefined) return { kind: "help" as const, text: help };
  const query = full.args.join(" ").trim();
  if (query === "") throw new InvalidInputError("Command search needs at least one word");
  const options = toRunOptions(full.opts());
  const command = { name: "search", query, json: options.json } as const;
  return { kind: "one-shot" as const, command, options };
}

function define(name: string, usage: string, description: string) {
  const syntax = new Syntax();
  const program = runCommand(`parlance ${name}`, syntax).usage(usage).description(description);
  return { program, syntax };
}

function quoted(argument: string): string {
  return shown(JSON.stringify(argument));
}
