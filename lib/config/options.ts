import { Command } from "@commander-js/extra-typings";
import { LOG_LEVELS, type LogLevel } from "../logging.ts";
import { pathRule, Syntax } from "./command_line.ts";
import type { Mode } from "./configuration.ts";
import {
  type IdentityCommand,
  parseIdentityOptions,
  type ProfileOptions,
} from "./identity_options.ts";
import * as rules from "./rules.ts";
import { shown } from "./shown.ts";

/** What the command line says about a run; what it leaves out is `undefined`. */
export interface RunOptions extends ProfileOptions {
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
  /** Whether messages wait for version 1 peers, too. */
  readonly queuePlain?: boolean;
  readonly logLevel?: LogLevel;
}

/** What the command line asks for. */
export type Options =
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" }
  | { readonly kind: "generate-config"; readonly path: string }
  | IdentityCommand
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
  const { program, syntax } = define();
  const text = syntax.parse(
    program,
    args,
    (argument) =>
      `Unexpected argument ${shown(JSON.stringify(argument))}; ` +
      (argument === "identity"
        ? 'it has to come first, as in "parlance identity show"'
        : "there are only options, --help lists them"),
  );
  if (text !== undefined) return { kind: "help", text };
  const { version, generateConfig, interface: interfaces, json, ...rest } = program
    .opts();
  if (version) return { kind: "version" };
  if (generateConfig !== undefined) return { kind: "generate-config", path: generateConfig };
  return {
    kind: "run",
    options: {
      ...rest,
      interfaces: interfaces && [...new Set(interfaces)],
      json: json ?? false,
    },
  };
}

function define() {
  const syntax = new Syntax();
  const add: Syntax["option"] = (flags, description, rule) =>
    syntax.option(flags, description, rule);
  const address = add(
    "--interface <address>",
    "IPv4 address of an interface to use on the LAN; repeatable; all without it",
    rules.ipv4,
  );
  const program = new Command("parlance")
    .usage("[options]\n       parlance identity [options] show|export FILE|import FILE")
    .description("Chat from peer to peer: on a LAN without any server, elsewhere with a small one.")
    .addOption(
      add("-n, --nickname <name>", "what others see, 1 to 32 bytes of UTF-8", rules.nickname),
    )
    .addOption(
      add(
        "--profile <name>",
        "where to keep the identity; without it, the nickname",
        rules.profile,
      ),
    )
    .addOption(
      add(
        "--data-dir <dir>",
        "directory of the profile instead of its usual one",
        pathRule("directory"),
      ),
    )
    .addOption(
      add(
        "-c, --config <file>",
        "configuration to read instead of ./parlance.toml",
        pathRule("file"),
      ),
    )
    .addOption(
      add(
        "--generate-config <file>",
        "write a commented default configuration and exit",
        pathRule("file"),
      ),
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
        syntax.checked(address.long!, text, rules.ipv4),
      ]),
    )
    .option("--queue-plain", "let messages wait for peers that never confirm them, too")
    .option("--json", "talk JSON lines on standard input and output")
    .addOption(
      add("--log-level <level>", `what to log: ${LOG_LEVELS.join(", ")}`, rules.oneOf(LOG_LEVELS)),
    )
    .option("--version", "print the version and exit");
  return { program, syntax };
}
