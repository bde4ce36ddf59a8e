import { nearest } from "../base/nearest.ts";

/** What a line of input asks for. */
export type Command =
  | { readonly kind: "nothing" }
  | { readonly kind: "peers" }
  | { readonly kind: "send"; readonly to: string; readonly content: string }
  | { readonly kind: "help" }
  | { readonly kind: "quit" }
  | { readonly kind: "mistake"; readonly message: string };

/** The commands and their short forms (protocol version 1, section 4). */
const NAMES = {
  "/peers": "peers",
  "/send": "send",
  "/help": "help",
  "/h": "help",
  "/quit": "quit",
  "/exit": "quit",
  "/q": "quit",
} as const satisfies Record<string, Command["kind"]>;

/** What may be typed in the place of a command, for completion. */
export const COMMAND_NAMES: readonly string[] = ["/peers", "/send", "/help", "/quit"];

/** What `/help` shows. */
export const HELP = `Commands:
  /peers                      who is here
  /send <nickname> <message>  send a message; a nickname with spaces goes in "quotes"
  /help, /h                   this help
  /quit, /exit, /q            leave`;

const SEND_USAGE = "Usage: /send <nickname> <message>";

/** Reads a line that a user typed; the line is trimmed first. */
export function parseCommand(input: string): Command {
  const line = input.trim();
  if (line === "") return { kind: "nothing" };
  if (!line.startsWith("/")) {
    return { kind: "mistake", message: "Commands must start with /; /help lists them" };
  }
  const [, name, rest] = /^(\S+)\s*(.*)$/s.exec(line)!;
  const kind = Object.hasOwn(NAMES, name) ? NAMES[name as keyof typeof NAMES] : undefined;
  switch (kind) {
    case undefined:
      return { kind: "mistake", message: unknownCommand(name) };
    case "send":
      return parseSend(rest);
    default:
      return { kind };
  }
}

function unknownCommand(name: string): string {
  const [guess] = nearest(name, COMMAND_NAMES, 1);
  const hint = guess === undefined ? "" : `did you mean ${guess}? `;
  const shown = name.length > 40 ? `${name.slice(0, 40)}…` : name;
  return `Unknown command ${shown}; ${hint}/help lists the commands`;
}

function parseSend(rest: string): Command {
  const quoted = /^"((?:[^"\\]|\\.)+)"\s+(.+)$/s.exec(rest);
  if (quoted !== null) {
    return { kind: "send", to: quoted[1].replace(/\\(.)/gs, "$1"), content: quoted[2] };
  }
  const plain = /^(\S+)\s+(.+)$/s.exec(rest);
  // A quoted nickname and nothing else: its parts are not nickname and message.
  const isLone = /^"(?:[^"\\]|\\.)+"$/s.test(rest);
  if (plain === null || isLone) return { kind: "mistake", message: SEND_USAGE };
  return { kind: "send", to: plain[1], content: plain[2] };
}

/** Writes a target as `/send` takes it. */
export function quoteTarget(target: string): string {
  return /[\s"]/.test(target) ? `"${target.replace(/["\\]/g, "\\$&")}"` : target;
}
