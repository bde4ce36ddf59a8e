import type { Clock } from "../base/clock.ts";
import { messageOf, UnknownPeerError } from "../errors.ts";
import type { Node, NodeEvent, Peer } from "../node.ts";
import { formatAddress } from "../wire/address.ts";
import { HELP, parseCommand } from "./commands.ts";
import { untilEnded } from "./ending.ts";
import { inputLines, type Read } from "./input.ts";
import {
  type JsonCommand,
  parseJsonCommand,
  type PeerCommandName,
  type Ref,
} from "./json_command.ts";
import type { Output } from "./output.ts";
import { PendingSends } from "./pending_sends.ts";

/** An object on standard output. */
type JsonEvent = { readonly event: string; readonly ref?: Ref } & Readonly<Record<string, unknown>>;

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
  /** Asks to end; what is being sent still gets five seconds. */
  readonly signal: AbortSignal;
}

/**
 * The interface for programs, documented in `docs/json.md`: one JSON object a line, events out,
 * commands in. Returns when the input has ended or `quit` was read, and everything that was being
 * sent is settled, for which `quit` and a signal leave five seconds; or at once when nobody reads
 * the output any more.
 */
export async function runJsonInterface(options: JsonInterfaceOptions): Promise<void> {
  const { node, version, output } = options;
  const { nickname, tcpPort } = node;
  emit(output, { event: "ready", nickname, tcp_port: tcpPort, version, id: node.id });
  void writeEvents(options);
  const sends = new PendingSends(options.clock);
  const reading = readCommands(options, sends);
  const report = (message: string) => emit(output, { event: "error", message });
  await untilEnded({ ...options, sends, reading, report });
}

async function writeEvents(
  { node, events = node.events, output }: JsonInterfaceOptions,
): Promise<void> {
  for await (const event of events) {
    emit(output, describe(event, node));
    const room = output.ready();
    if (room !== undefined) await room;
  }
}

/** @returns Whether the user asked to end. */
async function readCommands(options: JsonInterfaceOptions, sends: PendingSends): Promise<boolean> {
  const { read, output, signal } = options;
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
      const wait = run(command, options, sends);
      if (wait !== undefined) await wait;
      const room = output.ready();
      if (room !== undefined) await room;
    }
    const pause = sends.paced();
    if (pause !== undefined) await pause;
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
function run(
  command: JsonCommand,
  options: JsonInterfaceOptions,
  sends: PendingSends,
): Promise<void> | void {
  const { node, output } = options;
  switch (command.command) {
    case "send": {
      const room = sends.room(command.to);
      if (room === undefined) return send(command, options, sends);
      return room.then(
        () => send(command, options, sends),
        (error) => fail(output, error, command.ref),
      );
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

function send(
  { to, content, ref }: JsonCommand & { command: "send" },
  { node, output }: JsonInterfaceOptions,
  sends: PendingSends,
): void {
  sends.add(
    to,
    content.length,
    node.send(to, content).then(
      ({ id }) => {
        emit(output, { event: "sent", to, id, ref });
        // Who has an id acknowledges; of others it is not known whether the message arrived.
        if (id !== undefined) emit(output, { event: "delivered", to, id, ref });
      },
      (error) => fail(output, error, ref),
    ),
  );
}

function fail(output: Output, error: unknown, ref: Ref | undefined): void {
  const code = error instanceof UnknownPeerError ? "unknown_peer" : undefined;
  emit(output, { event: "error", message: messageOf(error), code, ref });
}

async function runPeerCommand(
  { command, peer }: { command: PeerCommandName; peer: string },
  node: Node,
): Promise<JsonEvent> {
  if (command === "safety_number") {
    return { event: "safety_number", peer, ...await node.contacts.safetyNumber(peer) };
  }
  return { event: "done", command, peer, id: node.contacts[command](peer) };
}

/** The object of an event, as it stands in `docs/json.md`. */
function describe(event: NodeEvent, node: Node): JsonEvent {
  switch (event.type) {
    case "message": {
      const { label, id, encrypted, trust, message: { from, content, timestamp } } = event;
      const address = formatAddress(event.address);
      return { event: "message", from, label, content, timestamp, address, id, encrypted, trust };
    }
    case "peer_up":
      return { event: "peer_up", ...describePlace(node, event.peer) };
    case "peer_down":
      return { event: "peer_down", ...describePlace(node, event.peer), reason: event.reason };
    case "identity": {
      const { change, nickname, id, formerNickname, knownId, label } = event;
      return {
        event: "identity",
        change,
        nickname,
        label,
        id,
        former_nickname: formerNickname,
        known_id: knownId,
      };
    }
    case "bootstrap":
      return { event: "bootstrap", state: event.state, url: event.url, reason: event.reason };
    case "problem":
      return { event: "error", message: event.message };
  }
}

function describePlace(node: Node, peer: Peer) {
  const { nickname, label, id, addresses: [{ address, via }] } = peer;
  const trust = node.trustOf(peer);
  const encrypted = id !== undefined;
  return { nickname, label, address: formatAddress(address), via, id, encrypted, trust };
}

function describePeer(node: Node, peer: Peer) {
  const addresses = peer.addresses.map(({ address, via, lastSeen }) => ({
    address: formatAddress(address),
    via,
    last_seen: Math.floor(lastSeen / 1000),
  }));
  const last_seen = Math.max(...addresses.map((address) => address.last_seen));
  return { ...describePlace(node, peer), last_seen, addresses };
}

/** Writes one object; members that are `undefined` are left out. */
function emit(output: Output, object: JsonEvent): void {
  output.push(`${JSON.stringify(object)}\n`);
}
