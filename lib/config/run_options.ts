import { Command } from "@commander-js/extra-typings";
import { LOG_LEVELS, type LogLevel } from "../logging.ts";
import { pathRule, type Syntax } from "./command_line.ts";
import type { Mode } from "./configuration.ts";
import type { ProfileOptions } from "./identity_options.ts";
import * as rules from "./rules.ts";

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

/** What the parser makes of the options of a run. */
type ParsedOptions = Omit<RunOptions, "interfaces" | "json"> & {
  readonly interface?: readonly string[];
  readonly json?: boolean;
};

/** Makes them what {@linkcode RunOptions} says. */
export function toRunOptions({ interface: interfaces, json, ...rest }: ParsedOptions): RunOptions {
  return { ...rest, interfaces: interfaces && [...new Set(interfaces)], json: json ?? false };
}

/** A command with the options that everything has which starts a node. */
export function runCommand(name: string, syntax: Syntax) {
  const add: Syntax["option"] = (flags, description, rule) =>
    syntax.option(flags, description, rule);
  const address = add(
    "--interface <address>",
    "IPv4 address of an interface to use on the LAN; repeatable; all without it",
    rules.ipv4,
  );
  return new Command(name)
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
    .addOption(
      add("--log-level <level>", `what to log: ${LOG_LEVELS.join(", ")}`, rules.oneOf(LOG_LEVELS)),
    );
}
