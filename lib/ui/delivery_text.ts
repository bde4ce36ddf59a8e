import { printable, printableName } from "../base/printable.ts";
import type { DeliveryState } from "../chat/delivery.ts";
import { UnknownPeerError } from "../errors.ts";
import type { Node, NodeEvent } from "../node.ts";
import type { ContactName } from "../store/contacts.ts";
import { quoteTarget } from "./commands.ts";
import type { Style } from "./style.ts";

/** A message that was sent has come further, or waits again. */
export type Delivery = NodeEvent & { readonly type: "delivery" };

/** The reason that the outbox gives for messages that the user took back. */
const CANCELLED = "cancelled";

/** What an error says that stands for itself. */
const REPEATED = /^Cannot send to "(?:[^"\\]|\\.)*": /;

/** Characters of a message by which it is recognised. */
const EXCERPT = 40;

/** Stands for a state wherever messages are shown; legible without colours. */
export function stateMark(state: DeliveryState): string {
  return { pending: "…", sent: "→", delivered: "✓", failed: "✗" }[state];
}

/** Whether a message failed because the user wanted that. */
export function isCancelled({ state, reason }: Pick<Delivery, "state" | "reason">): boolean {
  return state === "failed" && reason === CANCELLED;
}

/** Whether nobody is here whom messages to a contact could go to. */
export function isAway(node: Pick<Node, "find">, { id, nickname }: ContactName): boolean {
  try {
    node.find(id ?? nickname);
    return false;
  } catch (error) {
    return error instanceof UnknownPeerError;
  }
}

/** What becomes of a message at last. */
export interface FinalText extends Pick<Delivery, "to" | "content" | "state" | "reason"> {
  /** What to call the recipient; its nickname unless given. */
  readonly label?: string;
  /** Whether other lines may stand between it and the command: then it says which message. */
  readonly isLate: boolean;
}

/** The line that says what has become of a message. */
export function finalText(final: FinalText, style: Style): string {
  const { to, label = to.nickname, content, state, reason, isLate } = final;
  const name = nameText(label);
  const quoted = isLate ? `: ${excerpt(content)}` : "";
  if (state === "failed") {
    if (isCancelled(final)) return style.dim(`✗ cancelled: ${excerpt(content)} to ${name}`);
    const which = isLate ? `${excerpt(content)} to ${name}` : `to ${name}`;
    return style.warning(
      `✗ not delivered ${which}: ${printable(reason?.replace(REPEATED, "") ?? "it failed")}`,
    );
  }
  return style.dim(
    state === "delivered"
      ? `✓ delivered to ${name}${quoted}`
      : `→ sent to ${name} in plain text; it does not confirm${quoted}`,
  );
}

/** The line that says how far a message has come that takes its time. */
export function interimText(label: string, state: DeliveryState, away: boolean, style: Style) {
  const name = nameText(label);
  if (state === "sent") return style.dim(`→ sent to ${name}, not confirmed yet`);
  return style.dim(
    away ? `… ${name} is away: kept until it is back` : `… on its way to ${name}`,
  );
}

/** The line about a message that was sent and waits again. */
export function returnedText(label: string, content: string, style: Style): string {
  return style.dim(
    `… not confirmed by ${nameText(label)}: ${excerpt(content)}; it is sent again by itself`,
  );
}

/** A nickname within a line; in quotes where it has spaces, so that it cannot pose as more of it. */
export function nameText(name: string): string {
  return printableName(quoteTarget(name));
}

/** The first words of a message, in quotes. */
export function excerpt(content: string): string {
  return `"${printable(shortened(content, EXCERPT))}"`;
}

/** A text in one line, with its first words and an ellipsis where it is longer than `most`. */
export function shortened(content: string, most: number): string {
  const flat = content.trimStart().slice(0, most * 10).replace(/\s+/g, " ").trimEnd();
  const characters = [...flat];
  if (characters.length <= most) return flat;
  const start = characters.slice(0, most).join("");
  const space = start.lastIndexOf(" ");
  return `${space > start.length / 2 ? start.slice(0, space) : start}…`;
}
