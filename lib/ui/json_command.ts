import { nearest } from "../base/nearest.ts";
import { decodeObject } from "../wire/decoded.ts";

/** What a program gave to recognise an answer by; comes back as it is. */
export type Ref = string | number;

/** A command of the JSON interface; `docs/json.md` documents the public ones. */
export type JsonCommand =
  | { readonly command: "send"; readonly to: string; readonly content: string; readonly ref?: Ref }
  | { readonly command: "peers"; readonly ref?: Ref }
  | { readonly command: "whoami"; readonly ref?: Ref }
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

const COMMANDS = ["send", "peers", "whoami", ...PEER_COMMANDS, "quit"];

/** Reads an object; what is wrong with it becomes a `mistake` that names the remedy. */
export function parseJsonCommand(text: string): JsonCommand {
  const object = decodeObject(text);
  if (!object.ok) {
    return mistake(`Cannot read a command: it is ${object.cause}; write one JSON object a line`);
  }
  const { command, to, content, peer, ref } = object.value;
  if (ref !== undefined && !isRef(ref)) {
    return mistake('Cannot run a command: "ref" must be a string or a number of up to 2^53');
  }
  switch (command) {
    case "quit":
      return { command };
    case "peers":
    case "whoami":
      return { command, ref };
    case "safety_number":
    case "verify":
    case "trust":
    case "forget":
    case "block":
    case "unblock":
      if (typeof peer === "string") return { command, peer, ref };
      return mistake(
        `Cannot run ${command}: "peer" must be a string, a nickname, a label or an id`,
        ref,
      );
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
