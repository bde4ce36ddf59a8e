import { printableName } from "../base/printable.ts";
import type { Node, NodeEvent, PeerTrust } from "../node.ts";
import { type Command, quoteTarget } from "./commands.ts";
import type { Style } from "./style.ts";

/** The commands about identities. */
export type IdentityCommand = Extract<
  Command,
  { readonly kind: "whoami" | "verify" | "trust" | "forget" | "block" | "unblock" }
>;

/** Whether a command is one about identities. */
export function isIdentityCommand(command: Command): command is IdentityCommand {
  return ["whoami", "verify", "trust", "forget", "block", "unblock"].includes(command.kind);
}

/**
 * Runs a command about identities.
 *
 * @returns What to tell the user.
 * @throws {ParlanceError} When it cannot be done.
 */
export async function runIdentityCommand(
  node: Node,
  command: IdentityCommand,
  style: Style,
): Promise<string> {
  if (command.kind === "whoami") {
    return node.id === undefined
      ? `You are ${style.name(printableName(node.nickname))}, without an identity`
      : `You are ${style.name(printableName(node.nickname))}. Your id:\n  ${node.id}`;
  }
  const name = style.name(printableName(command.peer));
  switch (command.kind) {
    case "verify": {
      if (command.confirmed) return `${name} is verified: ${node.contacts.verify(command.peer)}`;
      const { number, id, verified } = await node.contacts.safetyNumber(command.peer);
      return safetyNumberText(command.peer, number, id, verified, style);
    }
    case "trust":
      return `${name} now stands for ${node.contacts.trust(command.peer)}`;
    case "forget":
      return `Forgot ${name}: ${node.contacts.forget(command.peer)}`;
    case "block":
      return `Blocked ${name}: ${node.contacts.block(command.peer)}`;
    case "unblock":
      return `Unblocked ${name}: ${node.contacts.unblock(command.peer)}`;
  }
}

/** Three rows of four groups: short enough to read aloud without losing the place. */
function safetyNumberText(
  peer: string,
  number: string,
  id: string,
  verified: boolean,
  style: Style,
): string {
  const groups = number.split(" ");
  const rows = [0, 4, 8].map((start) => `  ${groups.slice(start, start + 4).join(" ")}`);
  return [
    `Safety number of you and ${style.name(printableName(peer))} (${id}):`,
    ...rows,
    verified
      ? "You have compared it before"
      : "Compare it by another way, such as a call; if it is the same on both screens, type " +
        `/verify ${printableName(quoteTarget(peer))} ok`,
  ].join("\n");
}

/** Marks behind a nickname: what its message or entry is worth. Nothing where all is well. */
export function trustMark(trust: PeerTrust, style: Style): string {
  switch (trust) {
    case "verified":
      return style.bold(" ✓");
    case "known":
      return "";
    case "new":
      return style.dim(" [new]");
    case "plain":
      return style.dim(" [plain]");
    case "unverified":
      return style.warning(" [plain, unverified]");
    case "changed":
      return style.warning(" [changed identity]");
    case "blocked":
      return style.warning(" [blocked]");
  }
}

/** What is said about an identity that turned up. */
export function identityText(event: NodeEvent & { type: "identity" }, style: Style): string {
  const { change, nickname, id, formerNickname, knownId } = event;
  const name = printableName(nickname);
  switch (change) {
    case "new":
      return style.dim(`* ${name} is new to you: ${id}; /verify compares a safety number`);
    case "renamed":
      return style.dim(`* ${printableName(formerNickname ?? "")} is called ${name} now: ${id}`);
    case "changed":
      return style.warning(
        `! WARNING: somebody else calls itself ${name}.\n` +
          `    known: ${knownId}\n` +
          `    now:   ${id}\n` +
          "    Nothing is sent to it. If it is the one you know with a new identity, ask by " +
          `another way, then type /trust ${printableName(quoteTarget(nickname))}`,
      );
  }
}
