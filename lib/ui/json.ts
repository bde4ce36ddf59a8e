import type { Clock } from "../base/clock.ts";
import { messageOf, UnknownPeerError } from "../errors.ts";
import type { Node, NodeEvent } from "../node.ts";
import { StoreError } from "../store/store_error.ts";
import { DEFAULT_COUNT, HELP, parseCommand } from "./commands.ts";
import { type LeftBehind, untilEnded } from "./ending.ts";
import { EventPump } from "./event_pump.ts";
import { confirmationText } from "./history_text.ts";
import { inputLines, type Read } from "./input.ts";
import {
  type JsonCommand,
  parseJsonCommand,
  type PeerCommandName,
  type Ref,
} from "./json_command.ts";
import { describeEvent, describePeer, type JsonEvent, JsonTag } from "./json_event.ts";
import { isHistoryCommand, runHistoryCommand } from "./json_history.ts";
import type { Output } from "./output.ts";
import { PendingSends } from "./pending_sends.ts";

/** What the JSON interface works with. */
export interface JsonInterfaceOptions {
  readonly clock: Clock;
  readonly node: Node;
  /** What happens at the node; its `events` unless given, which only one interface may take. */
  readonly events?: AsyncIterable<NodeEvent>;
  /** The program's version. */
  readonly version: string;
  readonly read: Read;
  readonly output: Output;
  /**
   * Resolves when what was told until now has been seen: to whether it was. Unless given, what is
   * written is.
   */
  readonly seen?: () => Promise<boolean>;
  /** Asks to end; what is on its way still gets five seconds. */
  readonly signal: AbortSignal;
}

/** Whatever one interface works with. */
interface Running extends JsonInterfaceOptions {
  readonly sends: PendingSends;
  /** Tells the messages of this interface from those of others at the same node. */
  readonly owner: object;
}

/**
 * The interface for programs, documented in `docs/json.md`: one JSON object a line, events out,
 * commands in. Returns when the input has ended or `quit` was read, and everything has arrived that
 * can while those stay away who are, for which `quit` and a signal leave five seconds; or at once
 * when nobody reads the output any more.
 */
export async function runJsonInterface(options: JsonInterfaceOptions): Promise<void> {
  const { node, version, output } = options;
  const { nickname, tcpPort } = node;
  emit(output, { event: "ready", nickname, tcp_port: tcpPort, version, id: node.id });
  const sends = new PendingSends();
  const running = { ...options, sends, owner: {} };
  const pump = new EventPump(
    (event) => emit(output, describeEvent(event, node, running.owner)),
    () => output.ready(),
    options.seen ?? (() => output.written()),
  );
  void pump.run(options.events ?? node.events);
  const reading = readCommands(running);
  const report = ({ waiting, problem }: LeftBehind) => {
    if (problem !== undefined) emit(output, { event: "error", message: problem });
    if (waiting > 0) emit(output, { event: "remaining", count: waiting });
  };
  await untilEnded({ ...running, pump, reading, report });
}

/** @returns Whether the user asked to end. */
async function readCommands(running: Running): Promise<boolean> {
  const { read, output, signal } = running;
  for await (const lines of inputLines(read)) {
    for (const input of lines) {
      if (signal.aborted) return true;
      if ("refused" in input) {
        emit(output, { event: "error", message: `Cannot read a command: ${input.refused}` });
        continue;
      }
      const command = parseLine(input.line);
      if (command.command === "quit") return true;
      // One behind the other: what a command says holds until the next one.
      const wait = run(command, running);
      if (wait !== undefined) await wait;
      const room = output.ready();
      if (room !== undefined) await room;
    }
  }
  return false;
}

/** Objects and slash commands are both welcome; they differ in their first character. */
function parseLine(line: string): JsonCommand {
  const trimmed = line.trim();
  if (trimmed !== "" && !trimmed.startsWith("/")) return parseJsonCommand(trimmed);
  const command = parseCommand(trimmed);
  switch (command.kind) {
    case "mistake":
      return { command: "mistake", message: command.message };
    case "send":
      return { command: "send", to: command.to, content: command.content };
    case "history":
      return { command: "history", peer: command.peer, count: command.count };
    case "search":
      return { command: "search", query: command.query, count: DEFAULT_COUNT };
    case "cancel":
      return { command: "cancel", message_id: command.messageId };
    case "clear_history": {
      const message = confirmationText(command);
      if (message !== undefined) return { command: "mistake", message };
      return { command: "clear_history", peer: command.peer };
    }
    case "verify":
      return { command: command.confirmed ? "verify" : "safety_number", peer: command.peer };
    case "trust":
    case "forget":
    case "block":
    case "unblock":
      return { command: command.kind, peer: command.peer };
    default:
      return { command: command.kind };
  }
}

/** @returns When the next command may be run; `undefined` when it may at once. */
function run(command: JsonCommand, running: Running): Promise<void> | void {
  const { node, output, sends, signal } = running;
  if (isHistoryCommand(command)) {
    return runHistoryCommand(command, node, signal).then(
      (answer) => emit(output, { ...answer, ref: command.ref }),
      (error) => fail(output, error, command.ref),
    );
  }
  switch (command.command) {
    case "send": {
      const room = sends.room() ?? node.messages.pace();
      return room === undefined ? send(command, running) : room.then(() => send(command, running));
    }
    case "peers":
      return emit(output, {
        event: "peers",
        peers: node.peers().map((peer) => describePeer(node, peer)),
        ref: command.ref,
      });
    case "whoami":
      return emit(output, {
        event: "whoami",
        nickname: node.nickname,
        id: node.id,
        ref: command.ref,
      });
    case "safety_number":
    case "verify":
    case "trust":
    case "forget":
    case "block":
    case "unblock":
      return runPeerCommand(command, node).then(
        (answer) => emit(output, { ...answer, ref: command.ref }),
        (error) => fail(output, error, command.ref),
      );
    case "help":
      return emit(output, { event: "help", text: HELP });
    case "mistake":
      return emit(output, { event: "error", message: command.message, ref: command.ref });
  }
}

/** Its answers are the events about the message, unless it is not accepted. */
function send(
  { to, content, ref }: JsonCommand & { command: "send" },
  { node, output, sends, owner }: Running,
): void {
  const accepted = node.post(to, content, new JsonTag(owner, to, ref));
  const refuse = (error: unknown) =>
    fail(output, error, ref, error instanceof StoreError ? "not_stored" : undefined);
  sends.add(content.length, accepted.then(() => {}, refuse));
}

function fail(output: Output, error: unknown, ref: Ref | undefined, code?: "not_stored"): void {
  emit(output, {
    event: "error",
    message: messageOf(error),
    code: error instanceof UnknownPeerError ? "unknown_peer" : code,
    ref,
  });
}

async function runPeerCommand(
  { command, peer }: { command: PeerCommandName; peer: string },
  node: Node,
): Promise<JsonEvent> {
  if (command === "safety_number") {
    return { event: "safety_number", peer, ...await node.contacts.safetyNumber(peer) };
  }
  return { event: "done", command, peer, id: await node.contacts[command](peer) };
}

/** Writes one object; members that are `undefined` are left out. */
function emit(output: Output, object: JsonEvent): void {
  output.push(`${JSON.stringify(object)}\n`);
}
