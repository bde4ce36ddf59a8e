import { printableName } from "../base/printable.ts";
import { isMisleading } from "../discovery/labels.ts";
import type { Node } from "../node.ts";
import { COMMAND_NAMES, quoteTarget } from "./commands.ts";
import { SHORT_ID } from "./history_text.ts";

/** Who is away and is offered, at the most: more would only drive the conversation off the screen. */
const MAX_AWAY = 50;

/** Commands that take a nickname first. */
const NAMING =
  /^\/(?:send|history|history\s+clear|verify|trust|forget|block|unblock)\s+(\S*|"[^"]*)$/;
const SEARCHING = /^\/search\s(?:.*\s)?from:(\S*|"[^"]*)$/i;
const WAITING = /^\/outbox\s+(\S*)$/;
const CANCELLING = /^\/outbox\s+cancel\s+(\S*)$/;

/** Whom and what there is to name. */
export interface Completable {
  readonly node: Pick<Node, "nickname" | "peers" | "messages">;
  /** Nicknames of those whom the user has to do with, here or not. */
  readonly contacts: () => readonly string[];
}

/**
 * Completes commands, and behind them nicknames, of those who are here first, and ids of messages
 * that wait.
 *
 * @returns What may follow, and the part of the line that it replaces.
 */
export function complete(line: string, from: Completable): [string[], string] {
  const target = NAMING.exec(line)?.[1];
  if (target !== undefined) return completeName(target, from, quoteTarget);
  const author = SEARCHING.exec(line)?.[1];
  if (author !== undefined) return completeName(author, from, quoteAuthor, ["me"]);
  const id = CANCELLING.exec(line)?.[1];
  if (id !== undefined) {
    return [matching(id, from.node.messages.pending().map(({ id }) => id!.slice(-SHORT_ID))), id];
  }
  const word = WAITING.exec(line)?.[1];
  if (word !== undefined) return [matching(word, ["cancel"]), word];
  return [matching(line, COMMAND_NAMES), line];
}

function completeName(
  typed: string,
  { node, contacts }: Completable,
  quote: (name: string) => string | undefined,
  words: readonly string[] = [],
): [string[], string] {
  const peers = node.peers();
  const taken = new Set([node.nickname, ...peers.map(({ nickname }) => nickname)]);
  // A nickname that looks like a label or an id would stand for somebody else.
  const away = new Set(contacts().filter((name) => !taken.has(name) && !isMisleading(name)));
  const shown = (names: Iterable<string>) =>
    [...names].flatMap((name) => {
      const quoted = quote(name);
      // What cannot be shown cannot be completed: the line editor writes it to the screen.
      return quoted !== undefined && printableName(quoted) === quoted ? quoted : [];
    });
  const hits = [
    ...matching(typed, words),
    ...matching(typed, shown(peers.map(({ label }) => label))),
    ...matching(typed, shown(away)).sort().slice(0, MAX_AWAY),
  ];
  return [hits, typed];
}

/** A search has other quotes than a command, and a word of its own for the user. */
function quoteAuthor(name: string): string | undefined {
  if (name.includes('"') || name.toLowerCase() === "me") return undefined;
  return /\s/.test(name) ? `"${name}"` : name;
}

function matching(typed: string, candidates: readonly string[]): string[] {
  const wanted = typed.toLowerCase();
  return candidates.filter((candidate) => candidate.toLowerCase().startsWith(wanted))
    .map((candidate) => `${candidate} `);
}
