import { nearest } from "../base/nearest.ts";
import { decodeObject } from "../wire/decoded.ts";
import { DEFAULT_COUNT, MAX_COUNT } from "./commands.ts";

/** Hits that a search returns at the most. */
const MAX_HITS = 200;

/** What a program gave to recognise an answer by; comes back as it is. */
export type Ref = string | number;

/** A command of the JSON interface; `docs/json.md` documents the public ones. */
export type JsonCommand =
  | { readonly command: "send"; readonly to: string; readonly content: string; readonly ref?: Ref }
  | { readonly command: "peers"; readonly ref?: Ref }
  | { readonly command: "whoami"; readonly ref?: Ref }
  | {
    readonly command: "history";
    readonly peer?: string;
    readonly count: number;
    readonly ref?: Ref;
  }
  | {
    readonly command: "search";
    readonly query: string;
    readonly count: number;
    readonly ref?: Ref;
  }
  | { readonly command: "outbox"; readonly ref?: Ref }
  | { readonly command: "cancel"; readonly message_id: string; readonly ref?: Ref }
  | { readonly command: "clear_history"; readonly peer?: string; readonly ref?: Ref }
  | { readonly command: PeerCommandName; readonly peer: string; readonly ref?: Ref }
  | { readonly command: "help" }
  | { readonly command: "quit" }
  | { readonly command: "nothing" }
  | { readonly command: "mistake"; readonly message: string; readonly ref?: Ref };

/** Commands that say or ask something about one peer. */
export type PeerCommandName = typeof PEER_COMMANDS[number];

const PEER_COMMANDS = [
  "safety_number",
  "verify",
  "trust",
  "forget",
  "block",
  "unblock",
] as const;

const COMMANDS = [
  "send",
  "history",
  "search",
  "outbox",
  "cancel",
  "clear_history",
  "peers",
  "whoami",
  ...PEER_COMMANDS,
  "quit",
];

/** Reads an object; what is wrong with it becomes a `mistake` that names the remedy. */
export function parseJsonCommand(text: string): JsonCommand {
  const object = decodeObject(text);
  if (!object.ok) {
    return mistake(`Cannot read a command: it is ${object.cause}; write one JSON object a line`);
  }
  const { command, to, content, peer, query, message_id, count = DEFAULT_COUNT, ref } =
    object.value;
  if (ref !== undefined && !isRef(ref)) {
    return mistake('Cannot run a command: "ref" must be a string or a number of up to 2^53');
  }
  switch (command) {
    case "quit":
      return { command };
    case "peers":
    case "whoami":
    case "outbox":
      return { command, ref };
    case "history":
      if (peer !== undefined && typeof peer !== "string") return mistake(noPeer(command), ref);
      if (!isCount(count, MAX_COUNT)) return mistake(badCount(command, MAX_COUNT), ref);
      return { command, peer, count, ref };
    case "clear_history":
      if (peer === undefined || typeof peer === "string") return { command, peer, ref };
      return mistake(noPeer(command), ref);
    case "search":
      if (typeof query !== "string") {
        return mistake('Cannot search: "query" must be a string, what to search for', ref);
      }
      if (!isCount(count, MAX_HITS)) return mistake(badCount(command, MAX_HITS), ref);
      return { command, query, count, ref };
    case "cancel":
      if (typeof message_id === "string") return { command, message_id, ref };
      return mistake('Cannot cancel: "message_id" must be a string, the id of a message', ref);
    case "safety_number":
    case "verify":
    case "trust":
    case "forget":
    case "block":
    case "unblock":
      if (typeof peer === "string") return { command, peer, ref };
      return mistake(noPeer(command), ref);
    case "send":
      if (typeof to !== "string") {
        return mistake('Cannot send: "to" must be a string, the nickname or label of a peer', ref);
      }
      if (typeof content !== "string") {
        return mistake('Cannot send: "content" must be a string, the text of the message', ref);
      }
      return { command, to, content, ref };
    default:
      return mistake(unknownCommand(command), ref);
  }
}

/** Beyond 2^53 a number would come back as another one. */
function isRef(value: unknown): value is Ref {
  return typeof value === "string" ||
    (typeof value === "number" && Math.abs(value) <= Number.MAX_SAFE_INTEGER);
}

function isCount(value: unknown, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most;
}

function badCount(command: string, most: number): string {
  return `Cannot run ${command}: "count" must be a whole number of 1 to ${most}`;
}

function noPeer(command: string): string {
  return `Cannot run ${command}: "peer" must be a string, a nickname, a label or an id`;
}

function mistake(message: string, ref?: Ref): JsonCommand {
  return { command: "mistake", message, ref };
}

function unknownCommand(command: unknown): string {
  const known = `must be ${COMMANDS.map((name) => JSON.stringify(name)).join(", ")}`;
  if (typeof command !== "string") return `Cannot run a command: "command" ${known}`;
  const [guess] = nearest(command, COMMANDS, 1);
  const hint = guess === undefined ? "" : `; did you mean ${JSON.stringify(guess)}?`;
  return `Cannot run the command ${
    JSON.stringify(command.slice(0, 40))
  }: "command" ${known}${hint}`;
}
