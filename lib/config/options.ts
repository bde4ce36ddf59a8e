import { nearest } from "../base/nearest.ts";
import { pathRule, Syntax } from "./command_line.ts";
import { type IdentityCommand, parseIdentityOptions } from "./identity_options.ts";
import { ONE_SHOT_COMMANDS, type OneShotOptions, parseOneShotOptions } from "./one_shot_options.ts";
import { runCommand, type RunOptions, toRunOptions } from "./run_options.ts";
import { shown } from "./shown.ts";

export type { RunOptions } from "./run_options.ts";

/** What the command line asks for. */
export type Options =
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" }
  | { readonly kind: "generate-config"; readonly path: string }
  | IdentityCommand
  | OneShotOptions
  | { readonly kind: "run"; readonly options: RunOptions };

/**
 * Reads the command line of the client (protocol version 1, section 4, and additions). The values
 * are checked one by one, not against one another or a configuration file.
 *
 * @param args The arguments without the program's name.
 * @throws {InvalidInputError} One line that names the option, the value and what is allowed; the
 *   exit status for it is 2.
 */
export function parseOptions(args: readonly string[]): Options {
  if (args[0] === "identity") return parseIdentityOptions(args.slice(1));
  const command = ONE_SHOT_COMMANDS.find((name) => name === args[0]);
  if (command !== undefined) return parseOneShotOptions(command, args.slice(1));
  const { program, syntax } = define();
  const text = syntax.parse(
    program,
    args,
    (argument) =>
      `Unexpected argument ${shown(JSON.stringify(argument))}; ` +
      surplusHint(argument),
  );
  if (text !== undefined) return { kind: "help", text };
  const { version, generateConfig, ...rest } = program.opts();
  if (version) return { kind: "version" };
  if (generateConfig !== undefined) return { kind: "generate-config", path: generateConfig };
  return { kind: "run", options: toRunOptions(rest) };
}

function surplusHint(argument: string): string {
  if (argument === "identity") return 'it has to come first, as in "parlance identity show"';
  if ((ONE_SHOT_COMMANDS as readonly string[]).includes(argument)) {
    return `it has to come first, as in "parlance ${argument}"`;
  }
  const [guess] = nearest(argument, ["identity", ...ONE_SHOT_COMMANDS], 1);
  if (guess !== undefined) return `did you mean the command ${guess}?`;
  return "there are only options and commands, --help lists them";
}

function define() {
  const syntax = new Syntax();
  const program = runCommand("parlance", syntax)
    .usage(`[options]\n       parlance identity [options] show|export FILE|import FILE\n${USAGES}`)
    .description("Chat from peer to peer: on a LAN without any server, elsewhere with a small one.")
    .addOption(
      syntax.option(
        "--generate-config <file>",
        "write a commented default configuration and exit",
        pathRule("file"),
      ),
    )
    .option("--json", "talk JSON lines on standard input and output")
    .option("--version", "print the version and exit");
  return { program, syntax };
}

/** The other forms of the command line, as the help shows them. */
const USAGES = [
  "send [options] NICKNAME TEXT|-",
  "peers|listen [options]",
  "history [options] [NICKNAME] [COUNT] | check | export",
  "search [options] WORD...",
].map((usage) => `       parlance ${usage}`).join("\n");
