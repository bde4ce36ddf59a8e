import { nearest } from "../base/nearest.ts";

/** What a line of input asks for. */
export type Command =
  | { readonly kind: "nothing" }
  | { readonly kind: "peers" }
  | { readonly kind: "send"; readonly to: string; readonly content: string }
  | { readonly kind: "whoami" }
  | { readonly kind: "verify"; readonly peer: string; readonly confirmed: boolean }
  | { readonly kind: PeerCommandKind; readonly peer: string }
  | { readonly kind: "history"; readonly peer?: string; readonly count: number }
  | { readonly kind: "clear_history"; readonly peer?: string; readonly confirmed: boolean }
  | { readonly kind: "search"; readonly query: string }
  | { readonly kind: "outbox" }
  | { readonly kind: "cancel"; readonly messageId: string }
  | { readonly kind: "help" }
  | { readonly kind: "quit" }
  | { readonly kind: "mistake"; readonly message: string };

/** Commands that say something about one peer. */
export type PeerCommandKind = "trust" | "forget" | "block" | "unblock";

/** Messages that `/history` shows unless told otherwise, and at the most. */
export const DEFAULT_COUNT = 20;
export const MAX_COUNT = 1000;

/** The commands and their short forms (protocol version 1, section 4). */
const NAMES = {
  "/peers": "peers",
  "/send": "send",
  "/history": "history",
  "/search": "search",
  "/outbox": "outbox",
  "/whoami": "whoami",
  "/verify": "verify",
  "/trust": "trust",
  "/forget": "forget",
  "/block": "block",
  "/unblock": "unblock",
  "/help": "help",
  "/h": "help",
  "/quit": "quit",
  "/exit": "quit",
  "/q": "quit",
} as const satisfies Record<string, Command["kind"]>;

/** What may be typed in the place of a command, for completion. */
export const COMMAND_NAMES: readonly string[] = [
  "/peers",
  "/send",
  "/history",
  "/search",
  "/outbox",
  "/whoami",
  "/verify",
  "/trust",
  "/forget",
  "/block",
  "/unblock",
  "/help",
  "/quit",
];

/** What `/help` shows. */
export const HELP = `Commands:
  /peers                      who is here
  /send <nickname> <message>  send a message; a nickname with spaces goes in "quotes"
  /history [nickname] [count] what was said; "/history clear [nickname]" deletes it
  /search <words>             finds messages: "a phrase", prefix*, from:bob, before:2026-01-31
  /outbox                     messages that wait; "/outbox cancel <id>" takes one back
  /whoami                     your id, to give to others
  /verify <nickname>          the safety number to compare; "/verify <nickname> ok" records it
  /trust <nickname>           accept the changed identity of a nickname
  /forget <nickname>          forget who a nickname is
  /block, /unblock <nickname> take nothing from a peer; take it again
                              an id does in place of a nickname
  /help, /h                   this help
  /quit, /exit, /q            leave
Messages: … wait, → are sent, ✓ have arrived, ✗ have failed`;

const SEND_USAGE = "Usage: /send <nickname> <message>";
const HISTORY_USAGE = `Usage: /history [nickname] [count], with a count of 1 to ${MAX_COUNT}, or ` +
  "/history clear [nickname]";

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
    case "history":
      return parseHistory(rest);
    case "search":
      if (rest !== "") return { kind, query: rest };
      return {
        kind: "mistake",
        message: 'Usage: /search <words>, such as /search "at 8" from:bob',
      };
    case "outbox": {
      const [word, messageId, ...more] = rest.split(/\s+/);
      if (word === "") return { kind };
      if (word === "cancel" && messageId !== undefined && more.length === 0) {
        return { kind: "cancel", messageId };
      }
      return { kind: "mistake", message: "Usage: /outbox, or /outbox cancel <id>" };
    }
    case "verify": {
      const { peer, rest: word } = parseTarget(rest);
      if (peer === "" || !["", "ok"].includes(word.toLowerCase())) {
        return { kind: "mistake", message: "Usage: /verify <nickname> [ok]" };
      }
      return { kind, peer, confirmed: word !== "" };
    }
    case "trust":
    case "forget":
    case "block":
    case "unblock": {
      const { peer, rest: more } = parseTarget(rest);
      if (peer === "" || more !== "") {
        return { kind: "mistake", message: `Usage: ${name} <nickname>` };
      }
      return { kind, peer };
    }
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
  const { peer: to, rest: content } = parseTarget(rest);
  if (to === "" || content === "") return { kind: "mistake", message: SEND_USAGE };
  return { kind: "send", to, content };
}

/** Without quotes, `clear` is no nickname, and neither is a number that stands alone. */
function parseHistory(text: string): Command {
  const { peer, rest, isQuoted } = parseTarget(text);
  if (peer === "clear" && !isQuoted) return parseClear(rest);
  const isCountAlone = !isQuoted && rest === "" && /^\d+$/.test(peer);
  const word = isCountAlone ? peer : rest;
  const count = word === "" ? DEFAULT_COUNT : /^\d+$/.test(word) ? Number(word) : 0;
  if (count < 1 || count > MAX_COUNT) return { kind: "mistake", message: HISTORY_USAGE };
  return { kind: "history", ...(isCountAlone || peer === "" ? {} : { peer }), count };
}

function parseClear(text: string): Command {
  const kind = "clear_history";
  const { peer, rest, isQuoted } = parseTarget(text);
  const usage = 'Usage: /history clear [nickname] [yes]; a nickname "yes" goes in quotes';
  if (text === "") return { kind, confirmed: false };
  if (peer === "yes" && !isQuoted && rest === "") return { kind, confirmed: true };
  if (peer === "" || !["", "yes"].includes(rest)) return { kind: "mistake", message: usage };
  return { kind, peer, confirmed: rest === "yes" };
}

/** Cuts a target off, which stands in quotes where it has spaces. */
function parseTarget(text: string): { peer: string; rest: string; isQuoted: boolean } {
  const quoted = /^"((?:[^"\\]|\\.)+)"(?:\s+(.+))?$/s.exec(text);
  if (quoted !== null) {
    return { peer: quoted[1].replace(/\\(.)/gs, "$1"), rest: quoted[2] ?? "", isQuoted: true };
  }
  const plain = /^(\S+)(?:\s+(.+))?$/s.exec(text);
  return { peer: plain?.[1] ?? "", rest: plain?.[2] ?? "", isQuoted: false };
}

/** Writes a target as `/send` takes it. */
export function quoteTarget(target: string): string {
  return /[\s"]/.test(target) ? `"${target.replace(/["\\]/g, "\\$&")}"` : target;
}
