import { Command, CommanderError, Option } from "@commander-js/extra-typings";
import { nearest } from "../base/nearest.ts";
import { InvalidInputError } from "../errors.ts";
import { LOG_LEVELS, type LogLevel } from "../logging.ts";
import type { Mode } from "./configuration.ts";
import * as rules from "./rules.ts";
import { shown } from "./shown.ts";

/** What the command line says about a run; what it leaves out is `undefined`. */
export interface RunOptions {
  readonly nickname?: string;
  /** Path of the configuration file. */
  readonly config?: string;
  readonly mode?: Mode;
  readonly bootstrapServer?: string;
  /** TCP port, 0 to 65535; with 0 the system chooses. */
  readonly port?: number;
  /** IPv4 addresses, without repetitions. */
  readonly interfaces?: readonly string[];
  /** Whether to talk JSON lines instead of text. */
  readonly json: boolean;
  readonly logLevel?: LogLevel;
}

/** What the command line asks for. */
export type Options =
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" }
  | { readonly kind: "generate-config"; readonly path: string }
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
  const { program, syntax } = define();
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") {
      return { kind: "help", text: program.helpInformation() };
    }
    throw new InvalidInputError(usageProblem(error, program.args, syntax), { cause: error });
  }
  const { version, generateConfig, interface: interfaces, json, ...rest } = program.opts();
  if (version) return { kind: "version" };
  if (generateConfig !== undefined) return { kind: "generate-config", path: generateConfig };
  return {
    kind: "run",
    options: { ...rest, interfaces: interfaces && [...new Set(interfaces)], json: json ?? false },
  };
}

/** What error messages need to know about the options. */
interface Syntax {
  /** Every way to write an option, such as `-n` and `--nickname`. */
  readonly flags: Set<string>;
  /** What the value of an option must be, by the option as it is defined. */
  readonly allowed: Map<string, string>;
}

function define() {
  const syntax: Syntax = { flags: new Set(["-h", "--help"]), allowed: new Map() };
  const add = <const F extends string, T>(flags: F, description: string, rule: rules.Rule<T>) => {
    syntax.allowed.set(flags, rule.allowed);
    const option = new Option(flags, description);
    return option.argParser((text: string) => checked(option.long!, text, rule, syntax));
  };
  const address = add(
    "--interface <address>",
    "IPv4 address of an interface to use on the LAN; repeatable; all without it",
    rules.ipv4,
  );
  const program = new Command("parlance")
    .description("Chat from peer to peer: on a LAN without any server, elsewhere with a small one.")
    .addOption(
      add("-n, --nickname <name>", "what others see, 1 to 32 bytes of UTF-8", rules.nickname),
    )
    .addOption(
      add("-c, --config <file>", "configuration to read instead of ./parlance.toml", fileName),
    )
    .addOption(
      add("--generate-config <file>", "write a commented default configuration and exit", fileName),
    )
    .addOption(
      add("-m, --mode <mode>", "where to look for peers: local, internet or both", rules.mode),
    )
    .addOption(
      add(
        "--bootstrap-server <url>",
        "ws:// or wss:// URL for the modes internet and both",
        rules.serverUrl,
      ),
    )
    .addOption(
      add("--port <number>", "TCP port for messages; with 0 the system chooses", rules.port),
    )
    .addOption(
      address.argParser((text, previous: readonly string[] | undefined) => [
        ...previous ?? [],
        checked(address.long!, text, rules.ipv4, syntax),
      ]),
    )
    .option("--json", "talk JSON lines on standard input and output")
    .addOption(
      add("--log-level <level>", `what to log: ${LOG_LEVELS.join(", ")}`, rules.oneOf(LOG_LEVELS)),
    )
    .option("--version", "print the version and exit")
    .helpOption("-h, --help", "print this help and exit")
    .allowExcessArguments(false)
    .exitOverride()
    // Nothing is printed from here: the caller gets the text or the error.
    .configureOutput({ writeOut() {}, writeErr() {}, getOutHelpWidth: () => 80 });
  for (const { short, long } of program.options) {
    if (short !== undefined) syntax.flags.add(short);
    if (long !== undefined) syntax.flags.add(long);
  }
  return { program, syntax };
}

const fileName: rules.Rule<string> = {
  allowed: "the name of a file",
  accepts: (value): value is string =>
    typeof value === "string" && value !== "" && !value.includes("\0"),
};

/** Checks the value of an option against a rule. */
function checked<T>(
  option: string,
  text: string,
  rule: rules.Rule<T>,
  { flags }: Syntax,
): T {
  // Any text can be a nickname or a file's name, but another option is hardly meant as one.
  if (flags.has(text)) {
    throw new InvalidInputError(
      `Option ${option} needs a value, ${rule.allowed}, but option ${text} follows`,
    );
  }
  const value = rule.fromText === undefined ? text : rule.fromText(text);
  if (rule.accepts(value)) return value;
  const reason = rule.problem?.(value);
  throw new InvalidInputError(
    `Option ${option} is ${shown(JSON.stringify(text))}${reason ? ` (${reason})` : ""}, ` +
      `but must be ${rule.allowed}`,
  );
}

/** Says in one line of ours what the parser found wrong with the command line's form. */
function usageProblem(
  error: CommanderError,
  operands: readonly string[],
  { flags, allowed }: Syntax,
): string {
  const message = error.message.replace(/^error: /, "");
  const quoted = /'(.*)'/s.exec(message)?.[1] ?? "";
  switch (error.code) {
    case "commander.unknownOption":
      return unknownOption(quoted, flags);
    case "commander.optionMissingArgument":
      return `Option ${quoted} needs a value: ${allowed.get(quoted)}`;
    case "commander.excessArguments":
      return `Unexpected argument ${shown(JSON.stringify(operands[0] ?? ""))}; ` +
        "there are only options, --help lists them";
    default:
      return `Cannot read the command line: ${shown(message, 200)}`;
  }
}

function unknownOption(written: string, flags: ReadonlySet<string>): string {
  const [flag, value] = written.split(/=(.*)/s);
  if (flags.has(flag)) {
    return `Option ${flag} takes no value, but got ${shown(JSON.stringify(value))}`;
  }
  const guesses = nearest(flag, [...flags].filter((other) => other.startsWith("--")));
  const hint = guesses.length === 0
    ? "--help lists the options"
    : `did you mean ${guesses.join(" or ")}?`;
  return `Unknown option ${shown(flag)}; ${hint}`;
}
