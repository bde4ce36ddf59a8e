import { printable } from "../base/printable.ts";
import { InvalidInputError } from "../errors.ts";
import type { Node } from "../node.ts";
import type { StoredMessage } from "../store/message.ts";
import type { SearchHit } from "../store/search.ts";
import { isMisleading } from "../discovery/labels.ts";
import { shortId } from "../wire/peer_id.ts";
import type { Command } from "./commands.ts";
import { excerpt, nameText, shortened, stateMark } from "./delivery_text.ts";
import { trustMark } from "./identity_text.ts";
import { snippet } from "./snippet.ts";
import { plainStyle, type Style } from "./style.ts";
import { contentText, dateAndTime, wholeContentText } from "./text.ts";

/** Hits that `/search` shows. */
export const MAX_HITS = 20;
/** Messages that `/outbox` shows. */
const MAX_WAITING = 50;
/** Characters of what was said before and after a hit. */
const CONTEXT = 100;
/** Characters of the end of an id that name a message. */
export const SHORT_ID = 8;
/** Messages of the last conversation that are shown at the start. */
const LAST_MESSAGES = 10;

/** The commands about what was said, and what is to be. */
export type HistoryCommand = Extract<
  Command,
  { readonly kind: "history" | "clear_history" | "search" | "outbox" | "cancel" }
>;

/** Whether a command is one about messages that are kept. */
export function isHistoryCommand(command: Command): command is HistoryCommand {
  return ["history", "clear_history", "search", "outbox", "cancel"].includes(command.kind);
}

/** What these commands ask of a node. */
export type HistoryNode = Pick<Node, "nickname" | "messages"> & HistoryProblem;

/** Why what earlier runs have kept is not available, where it is not. */
export type HistoryProblem = Partial<Pick<Node, "historyProblem">>;

/** Who reads: whoever else has the nickname is told from him. */
export type Own = Pick<Node, "nickname">;

/**
 * Runs a command about messages that are kept, and says what is missing where the file with them
 * cannot be used.
 *
 * @param signal Ends a search.
 * @returns What to tell the user; `undefined` where an event does.
 * @throws {ParlanceError} When it cannot be done.
 */
export async function runHistoryCommand(
  node: HistoryNode,
  command: HistoryCommand,
  style: Style,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { historyProblem } = node;
  const answer = await tellingProblem(node, run(node, command, style, signal));
  if (answer === undefined || historyProblem === undefined) return answer;
  return `${answer}\n${style.warning(`! ${printable(historyProblem)}`)}`;
}

/** Adds to why something was not found that not everything could be looked through. */
export async function tellingProblem<T>(
  { historyProblem }: HistoryProblem,
  running: Promise<T>,
): Promise<T> {
  try {
    return await running;
  } catch (error) {
    if (historyProblem === undefined || !(error instanceof InvalidInputError)) throw error;
    throw new InvalidInputError(`${error.message}. ${historyProblem}`, { cause: error });
  }
}

async function run(
  node: HistoryNode,
  command: HistoryCommand,
  style: Style,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { messages } = node;
  switch (command.kind) {
    case "history": {
      return historyText(node, messages.history(command.peer, command.count), style);
    }
    case "clear_history": {
      const whose = command.peer === undefined ? "" : ` with ${nameText(command.peer)}`;
      const count = await messages.clear(command.peer);
      return `Deleted ${countText(count, "message")}${whose}; what waits in the outbox stays`;
    }
    case "search":
      return searchText(
        node,
        await messages.search(command.query, MAX_HITS, signal),
        command.query,
        style,
      );
    case "outbox":
      return outboxText(messages.pending(), messages.pendingCount, style);
    case "cancel":
      await messages.cancel(command.messageId);
      return undefined;
  }
}

/** What has to be typed before a history is deleted; `undefined` once it was. */
export function confirmationText(command: Command): string | undefined {
  if (command.kind !== "clear_history" || command.confirmed) return undefined;
  const { peer } = command;
  const [whose, name] = peer === undefined ? ["everything", ""] : [
    `what was said with ${nameText(peer)}`,
    // Quotes do no harm, and keep nicknames apart from the words of the command.
    ` ${peer === "yes" ? '"yes"' : nameText(peer)}`,
  ];
  return `This deletes ${whose} for good; type /history clear${name} yes to do it`;
}

/**
 * The last messages of the conversation that the user was in last.
 *
 * @returns `undefined` where there is none.
 */
export function lastConversationText(node: HistoryNode, style: Style): string | undefined {
  const { messages } = node;
  const [newest] = messages.history(undefined, 1);
  if (newest === undefined) return undefined;
  const { contact: { key, id, nickname } } = newest;
  // A nickname may stand for others as well.
  const last = messages.history(id ?? nickname, LAST_MESSAGES)
    // What has only just come is shown as such.
    .filter((message) => message.contact.key === key && messages.isShown(message));
  if (last.length === 0) return undefined;
  const labels = labelsOf(node, last);
  const lines = last.map((message) => style.dim(messageText(message, plainStyle, labels)));
  return [style.dim(`Last messages with ${nameText(nickname)}:`), ...lines].join("\n");
}

/** Messages that are kept, each below the other. */
export function historyText(own: Own, messages: readonly StoredMessage[], style: Style): string {
  if (messages.length === 0) return "There is no history yet";
  const labels = labelsOf(own, messages);
  return messages.map((message) => messageText(message, style, labels)).join("\n");
}

/** A message that is kept, with all its lines, however many they are. */
export function wholeMessageText(own: Own, message: StoredMessage, style: Style): string {
  const labels = labelsOf(own, [message]);
  return `${headText(message, style, labels)} ${wholeContentText(message.content)}`;
}

function messageText(message: StoredMessage, style: Style, labels: Labels): string {
  return `${headText(message, style, labels)} ${contentText(message.content)}`;
}

/** Nicknames that say too little about whose message it is, of several contacts or the user's own. */
interface Labels {
  readonly own: string;
  readonly shared: ReadonlySet<string>;
}

function labelsOf({ nickname: own }: Own, messages: readonly StoredMessage[]): Labels {
  const ids = new Map<string, string>();
  const shared = new Set([own]);
  for (const { contact: { id = "", nickname } } of messages) {
    if ((ids.get(nickname) ?? id) !== id) shared.add(nickname);
    ids.set(nickname, id);
  }
  return { own, shared };
}

/** When a message was kept, by this machine's clock, and who it is from and for. */
function headText(message: StoredMessage, style: Style, { own, shared }: Labels): string {
  const { contact: { id, nickname }, state, encrypted, trust, reason } = message;
  const time = style.dim(`[${timeOf(message)}]`);
  const isNamesake = nickname === own;
  const isTagged = (shared.has(nickname) || isMisleading(nickname)) && id !== undefined;
  const label = isTagged ? `${nickname}~${shortId(id)}` : nickname;
  const name = style.name(nameText(label));
  const notYou = isNamesake ? style.warning(" [not you]") : "";
  if (state === undefined) {
    return `${time} ${name}${trust === "none" ? "" : trustMark(trust, style)}${notYou}:`;
  }
  const plain = encrypted ? "" : style.dim(" [plain]");
  const mark = state === "failed"
    ? style.warning(` ${stateMark(state)} (${printable(reason ?? "failed")})`)
    : ` ${stateMark(state)}`;
  return `${time} you → ${name}${plain}${notYou}${mark}:`;
}

/** What a search has found, each between what was said before and after. */
export function searchText(
  own: Own,
  hits: readonly SearchHit[],
  query: string,
  style: Style,
): string {
  if (hits.length === 0) return "Nothing was found";
  const labels = labelsOf(
    own,
    hits.flatMap(({ before, message, after }) => [before ?? [], message, after ?? []].flat()),
  );
  const context = (message: StoredMessage | undefined) =>
    message === undefined ? [] : [style.dim(
      `  ${headText(message, plainStyle, labels)} ${
        printable(shortened(message.content, CONTEXT))
      }`,
    )];
  const blocks = hits.map(({ message, before, after }) =>
    [
      ...context(before),
      `${headText(message, style, labels)} ${printable(snippet(message.content, query))}`,
      ...context(after),
    ].join("\n")
  );
  const head = hits.length < MAX_HITS
    ? `${countText(hits.length, "message")} found, the newest first:`
    : `The newest ${MAX_HITS} messages found; more words, or before:DATE, find others:`;
  return [head, ...blocks].join("\n\n");
}

function outboxText(waiting: readonly StoredMessage[], count: number, style: Style): string {
  if (count === 0) return "No message waits";
  const lines = waiting.slice(0, MAX_WAITING).map((message) => {
    const { id, contact: { nickname }, content } = message;
    const time = style.dim(`[${timeOf(message)}]`);
    return `  ${id!.slice(-SHORT_ID)}  ${time} to ${style.name(nameText(nickname))}: ` +
      excerpt(content);
  });
  const left = count - lines.length;
  return [
    `${countText(count, "message")} ${count === 1 ? "waits" : "wait"}; /outbox cancel <id> takes ` +
    "one back:",
    ...lines,
    ...(left > 0 ? [`  and ${left} more`] : []),
  ].join("\n");
}

function timeOf({ storedAt }: StoredMessage): string {
  return dateAndTime(Math.floor(storedAt / 1000));
}

function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
