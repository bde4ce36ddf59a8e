import {
  Command,
  type CommanderError,
  InvalidArgumentError,
  Option,
} from "@commander-js/extra-typings";
import { LOG_LEVELS, type LogLevel } from "../logging.ts";
import { DEFAULT_LIMITS, type ServerLimits } from "./limits.ts";

/** What the command line says. */
export interface ServerCommand {
  readonly host: string;
  readonly port: number;
  /** Paths of PEM files; both or neither. */
  readonly cert?: string;
  readonly key?: string;
  readonly logLevel: LogLevel;
  readonly limits: ServerLimits;
}

/** What the entry file is to do: run, or leave at once. */
export type ServerCommandLine =
  | { readonly run: ServerCommand }
  | { readonly exit: number };

/** Where the command line's own output goes. */
export interface CommandOutput {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

interface LimitOption {
  readonly limit: keyof ServerLimits;
  readonly flag: string;
  readonly text: string;
  readonly min: number;
  readonly max: number;
}

const BIG = 1_000_000;

/** The options that set limits, in the order of `--help`. */
const LIMIT_OPTIONS: readonly LimitOption[] = [
  { limit: "connections", flag: "max-connections", text: "connections", min: 1, max: BIG },
  {
    limit: "connectionsPerAddress",
    flag: "max-connections-per-address",
    text: "connections from one IPv4 address or IPv6 /64 network",
    min: 1,
    max: BIG,
  },
  { limit: "peers", flag: "max-peers", text: "registered peers", min: 1, max: BIG },
  {
    limit: "peersPerConnection",
    flag: "max-peers-per-connection",
    text: "registrations on one connection",
    min: 1,
    max: 1000,
  },
  {
    limit: "frameBytes",
    flag: "max-frame-bytes",
    text: "bytes of one message",
    min: 256,
    max: 1 << 20,
  },
  {
    limit: "messagesPerSecond",
    flag: "max-messages-per-second",
    text: "messages per second on one connection, in the long run",
    min: 1,
    max: 100_000,
  },
  {
    limit: "messageBurst",
    flag: "max-message-burst",
    text: "messages at once on one connection",
    min: 3, // register, list and heartbeat: what a client starts with
    max: 100_000,
  },
  {
    limit: "bufferedBytes",
    flag: "max-buffered-bytes",
    text: "bytes waiting for a slow reader",
    min: 1024,
    max: 1 << 30,
  },
  {
    limit: "idleSeconds",
    flag: "max-idle-seconds",
    text: "seconds that a connection may send no message",
    min: 40, // a peer expires within 40 s, and is told so only while its connection is open
    max: 86_400,
  },
  {
    limit: "nicknameBytes",
    flag: "max-nickname-bytes",
    text: "bytes of a nickname",
    min: 1,
    max: 32,
  },
  {
    limit: "addressLength",
    flag: "max-address-length",
    text: "characters of an address that a client gives",
    min: 21, // 255.255.255.255:65535
    max: 1024,
  },
];

/**
 * Reads the command line. A bad one is one line on `err` that names the option, the value and what
 * is allowed, and exit status 2.
 *
 * @param args Without the program's name.
 */
export function readServerCommand(
  args: readonly string[],
  version: string,
  { out, err }: CommandOutput,
): ServerCommandLine {
  const command = new Command("parlance-server")
    .description(
      "The Parlance bootstrap server: where peers on different networks find each other.",
    )
    .option("--host <address>", "address to listen on, IPv4 or IPv6", hostOption, "0.0.0.0")
    .option("--port <number>", "TCP port, 0 to let the system choose", integer(0, 65535), 8080)
    .option("--cert <file>", "certificate chain in PEM; with --key, serves wss://", fileOption)
    .option("--key <file>", "private key in PEM", fileOption)
    .addOption(
      new Option("--log-level <level>", "what to log on standard error")
        .choices(LOG_LEVELS).default("info" as const),
    )
    .version(version, "--version", "print the version and exit")
    .helpOption("-h, --help", "print this and exit")
    .allowExcessArguments(false)
    .configureHelp({ helpWidth: 100, showGlobalOptions: false })
    .configureOutput({
      writeOut: out,
      writeErr: err,
      outputError: (text, write) => write(`${text.trim().replaceAll(/\s*\n\s*/g, " ")}\n`),
    })
    .exitOverride();
  for (const { limit, flag, text, min, max } of LIMIT_OPTIONS) {
    command.addOption(
      new Option(`--${flag} <number>`, `limit: ${text}`)
        .argParser(integer(min, max)).default(DEFAULT_LIMITS[limit]),
    );
  }
  try {
    command.parse(args, { from: "user" });
    const values: Record<string, unknown> & ReturnType<typeof command.opts> = command.opts();
    const { host, port, cert, key, logLevel } = values;
    if ((cert === undefined) !== (key === undefined)) {
      const [given, missing] = cert === undefined ? ["--key", "--cert"] : ["--cert", "--key"];
      err(`error: option '${given}' needs '${missing}' as well: both or neither are allowed\n`);
      return { exit: 2 };
    }
    const limits = Object.fromEntries(
      LIMIT_OPTIONS.map(({ limit, flag }) => [limit, values[camelCase(flag)]]),
    ) as unknown as ServerLimits;
    return { run: { host, port, cert, key, logLevel, limits } };
  } catch (error) {
    const { exitCode } = error as CommanderError;
    if (typeof exitCode !== "number") throw error;
    return { exit: exitCode === 0 ? 0 : 2 };
  }
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Allowed is a whole number from ${min} to ${max}.`);
  };
}

function hostOption(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, "$1");
  if (/^[\w.:%-]{1,255}$/.test(host)) return host;
  throw new InvalidArgumentError("Allowed is an IP address of this machine, or its name.");
}

function fileOption(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("Allowed is the path of a file.");
}

function camelCase(flag: string): string {
  return flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
