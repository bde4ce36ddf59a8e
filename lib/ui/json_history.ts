import type { Node } from "../node.ts";
import type { StoredMessage } from "../store/message.ts";
import type { SearchHit } from "../store/search.ts";
import { type HistoryProblem, tellingProblem } from "./history_text.ts";
import type { JsonCommand } from "./json_command.ts";
import type { JsonEvent } from "./json_event.ts";

/** The commands about messages that are kept. */
export type JsonHistoryCommand = JsonCommand & {
  command: "history" | "search" | "outbox" | "cancel" | "clear_history";
};

/** Whether a command is one about messages that are kept. */
export function isHistoryCommand(command: JsonCommand): command is JsonHistoryCommand {
  return ["history", "search", "outbox", "cancel", "clear_history"].includes(command.command);
}

/**
 * Runs a command about messages that are kept.
 *
 * @param signal Ends a search.
 * @returns Its answer, without `ref`.
 * @throws {ParlanceError} When it cannot be done.
 */
export async function runHistoryCommand(
  command: JsonHistoryCommand,
  node: Pick<Node, "messages"> & HistoryProblem,
  signal: AbortSignal,
): Promise<JsonEvent> {
  const answer = await tellingProblem(node, run(command, node, signal));
  if (command.command === "cancel") return answer;
  return { ...answer, problem: node.historyProblem };
}

async function run(
  command: JsonHistoryCommand,
  { messages }: Pick<Node, "messages">,
  signal: AbortSignal,
): Promise<JsonEvent> {
  switch (command.command) {
    case "history": {
      const found = messages.history(command.peer, command.count);
      return { event: "history", messages: found.map(describeMessage) };
    }
    case "search": {
      const hits = await messages.search(command.query, command.count, signal);
      return { event: "search", messages: hits.map(describeHit) };
    }
    case "outbox": {
      const waiting = messages.pending().map(describeMessage);
      return { event: "outbox", messages: waiting, count: messages.pendingCount };
    }
    case "cancel": {
      const message_id = await messages.cancel(command.message_id);
      return { event: "done", command: "cancel", message_id };
    }
    case "clear_history": {
      const count = await messages.clear(command.peer);
      return { event: "done", command: "clear_history", peer: command.peer, count };
    }
  }
}

/** A message that a search has found, as it stands in `docs/json.md`. */
export function describeHit({ message, before, after }: SearchHit): Record<string, unknown> {
  return {
    ...describeMessage(message),
    before: before && describeMessage(before),
    after: after && describeMessage(after),
  };
}

/** A message that is kept, as it stands in `docs/json.md`. */
export function describeMessage(message: StoredMessage): Record<string, unknown> {
  const { id, contact, state, content, timestamp, storedAt, encrypted, trust, reason } = message;
  return {
    message_id: id,
    peer: contact.nickname,
    id: contact.id,
    direction: state === undefined ? "in" : "out",
    content,
    timestamp,
    stored_at: Math.floor(storedAt / 1000),
    state,
    reason,
    encrypted,
    trust: trust === "none" ? undefined : trust,
  };
}
