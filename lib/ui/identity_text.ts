import { printableName } from "../base/printable.ts";
import { isMisleading } from "../discovery/labels.ts";
import type { Node, NodeEvent, PeerTrust, SafetyNumber } from "../node.ts";
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
      if (command.confirmed) {
        return `${name} is verified: ${await node.contacts.verify(command.peer)}`;
      }
      const { others, ...own } = await node.contacts.safetyNumber(command.peer);
      return others.length === 0
        ? safetyNumberText(command.peer, own, style)
        : safetyNumbersText(command.peer, own, others, style);
    }
    case "trust":
      return `${name} now stands for ${await node.contacts.trust(command.peer)}`;
    case "forget":
      return `Forgot ${name}: ${await node.contacts.forget(command.peer)}`;
    case "block":
      return `Blocked ${name}: ${await node.contacts.block(command.peer)}`;
    case "unblock":
      return `Unblocked ${name}: ${await node.contacts.unblock(command.peer)}`;
  }
}

function safetyNumberText(
  peer: string,
  { id, number, verified }: SafetyNumber,
  style: Style,
): string {
  return [
    `Safety number of you and ${style.name(printableName(peer))} (${id}):`,
    ...numberRows(number),
    verified
      ? "You have compared it before"
      : "Compare it by another way, such as a call; if it is the same on both screens, type " +
        `/verify ${printableName(quoteTarget(peer))} ok`,
  ].join("\n");
}

/** While a nickname is taken by others: whose number is which, and how to go on. */
function safetyNumbersText(
  peer: string,
  known: SafetyNumber,
  others: readonly SafetyNumber[],
  style: Style,
): string {
  const name = printableName(peer);
  const compared = ({ verified }: SafetyNumber) =>
    verified ? "You have compared this number before" : "You have not compared this number yet";
  return [
    style.warning(`WARNING: who calls itself ${name} now is not the ${name} that you know`),
    `Safety number of you and the ${style.name(name)} that you know (${known.id}):`,
    ...numberRows(known.number),
    compared(known),
    ...others.flatMap((other) => [
      `Safety number of you and another one that calls itself ${name} now (${other.id}):`,
      ...numberRows(other.number),
      compared(other),
    ]),
    "Ask by another way, such as a call, which number is on the other screen, and type " +
    "/verify ID ok with the id above it. If the other one is the one that you mean, " +
    "/trust ID gives it the nickname; if not, /block ID shuts it out",
  ].join("\n");
}

/** Three rows of four groups: short enough to read aloud without losing the place. */
function numberRows(number: string): string[] {
  const groups = number.split(" ");
  return [0, 4, 8].map((start) => `  ${groups.slice(start, start + 4).join(" ")}`);
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
  const { change, nickname, id, formerNickname, knownId, label, isUnanswered, isLast } = event;
  const name = printableName(isMisleading(nickname) ? label ?? nickname : nickname);
  if (label !== undefined && !isMisleading(nickname) && change !== "changed") {
    const who = formerNickname === undefined ? "somebody else" : printableName(formerNickname);
    return style.warning(
      `! WARNING: ${who} calls itself ${name}, as you do: ${id}. It is shown as ` +
        printableName(label),
    );
  }
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
          (isUnanswered
            ? "    The known one only came first: you have never written to it, and either may be " +
              "the wrong one.\n"
            : "") +
          "    Nothing is sent to it. If it is the one you know with a new identity, ask by " +
          `another way, then type /trust ${printableName(quoteTarget(nickname))}` +
          (isLast ? "\n    There are many of these: no more are shown until the next start" : ""),
      );
  }
}
