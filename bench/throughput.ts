import { messageOf } from "../lib/errors.ts";
import { atLeast, type Bench, type Row } from "./support/bench.ts";
import { CONTENT_BYTES, inBlocks, numberedContent } from "./support/numbered.ts";
import { type Pair, parseLines, startPair } from "./support/pair.ts";
import type { PipedProgram } from "./support/piped_program.ts";
import { median, spread } from "./support/statistics.ts";
import { grouped, times } from "./support/table.ts";
import { unique, type Workspace } from "./support/workspace.ts";

/** Messages a second between two of the original's clients, on a machine with two shared cores. */
const ORIGINAL = 6000;
/** What counts; the round before them, in which the runtime still compiles, does not. */
const ROUNDS = 3;
const MESSAGES = 200_000;
/** Messages a second that are asked for, stored on both sides and acknowledged. */
const STORED_TARGET = 20_000;
/** Fewer where each has a connection of its own. */
const CONNECTIONS = 15_000;
/** Lines in one write to standard input. */
const COMMANDS_PER_WRITE = 500;

/** Messages from one client's standard input to the other's standard output, beside other ways. */
export const throughput: Bench = {
  name: "throughput",
  title: `messages of ${CONTENT_BYTES} bytes to one peer, standard input to standard output`,
  run: measure,
};

async function measure(workspace: Workspace): Promise<Row[]> {
  await using pair = await startPair(workspace);
  await using sessionPair = await startPair(workspace, "session");
  await using plainPair = await startPair(workspace, "plain");
  await using carol = workspace.startClient(unique("carol"));
  const { tcp_port } = await carol.event({ event: "ready" });
  await using manyLines = workspace.startSupport("raw_receiver.ts", `${MESSAGES}`);
  await using fewLines = workspace.startSupport("raw_receiver.ts", `${CONNECTIONS}`);
  await using toCarol = workspace.startSupport("raw_sender.ts", `${tcp_port}`, "version-1");
  await using toManyLines = workspace.startSupport("raw_sender.ts", await manyLines.line(), "raw");
  await using toFewLines = workspace.startSupport("raw_sender.ts", await fewLines.line(), "raw");
  const rates: Rates = {
    clients: [],
    sessions: [],
    plain: [],
    connections: [],
    bare: [],
    lines: [],
    blocks: [],
  };
  let lost: string | undefined;
  for (let round = 0; round <= ROUNDS; round++) {
    if (round === 1) { for (const cold of Object.values(rates)) cold.pop(); }
    const first = round * MESSAGES;
    rates.clients.push(await throughClients(pair, first, "delivered"));
    rates.sessions.push(await throughClients(sessionPair, first, "sent"));
    rates.plain.push(await throughClients(plainPair, first, "sent"));
    if (lost === undefined) {
      try {
        rates.connections.push(await throughConnections(toCarol, carol, round * CONNECTIONS));
      } catch (error) {
        lost = messageOf(error);
      }
    }
    rates.bare.push(await throughSockets(toFewLines, fewLines, "connection", CONNECTIONS));
    rates.lines.push(await throughSockets(toManyLines, manyLines, "line", MESSAGES));
    rates.blocks.push(await throughSockets(toManyLines, manyLines, "block", MESSAGES));
  }
  return rows(rates, lost);
}

/** Messages a second in each round, by the way that they took. */
type Rates = Record<
  "clients" | "sessions" | "plain" | "connections" | "bare" | "lines" | "blocks",
  number[]
>;

function rows(rates: Rates, lost: string | undefined): Row[] {
  const stored = median(rates.clients);
  const slowest = spread(rates.clients);
  const encrypted = median(rates.sessions);
  const parlance = median(rates.plain);
  const { least, most } = spread(rates.plain);
  const row = (what: string, rate: number) => ({
    what,
    measured: Number.isNaN(rate) ? "-" : `${grouped(rate)}/s`,
    compared: `plain text is ${times(parlance, rate)}`,
  });
  const connections = rates.connections.length > 0 ? median(rates.connections) : NaN;
  const bare = median(rates.bare);
  return [
    {
      what: "Parlance: encrypted, stored on both sides, acknowledged",
      measured: `${grouped(stored)}/s`,
      compared: `${grouped(slowest.least)} to ${grouped(slowest.most)} in ${ROUNDS} rounds`,
      target: atLeast(stored, STORED_TARGET, "/s"),
    },
    {
      what: "the same, beside a connection per message",
      measured: `${grouped(stored)}/s`,
      compared: `${times(stored, bare)} to a bare receiver, ` +
        `${Number.isNaN(connections) ? "-" : times(stored, connections)} to a Parlance client`,
    },
    {
      what: "sessions alone: encrypted, acknowledged",
      measured: `${grouped(encrypted)}/s`,
      compared: `${times(encrypted, bare)} a connection per message`,
      target: atLeast(encrypted / bare, 10, "×"),
    },
    {
      what: "the same, beside plain text",
      measured: `${grouped(encrypted)}/s`,
      compared: `${times(encrypted, parlance)} plain text`,
      target: atLeast(encrypted / parlance, 0.5, "×"),
    },
    {
      what: "plain text alone",
      measured: `${grouped(parlance)}/s`,
      compared: `${grouped(least)} to ${grouped(most)} in ${ROUNDS} rounds`,
    },
    {
      ...row("a connection per message, to a bare receiver", bare),
      target: atLeast(parlance / bare, 10, "×"),
    },
    { ...row("a connection per message, to a Parlance client", connections), lost },
    { ...row("the original", ORIGINAL), target: atLeast(parlance / ORIGINAL, 15, "×") },
    row("raw Deno.Conn, one write a message", median(rates.lines)),
    row("raw Deno.Conn, 64 KiB a write", median(rates.blocks)),
  ];
}

/**
 * Messages a second from alice's standard input to bob's standard output, and to the last event
 * about each at alice.
 */
async function throughClients(
  pair: Pair,
  first: number,
  last: "sent" | "delivered",
): Promise<number> {
  const { alice, bob, aliceName, bobName } = pair;
  const commands = function* () {
    for (let number = first; number < first + MESSAGES; number++) {
      const command = {
        command: "send",
        to: bobName,
        content: numberedContent(number),
        ref: number,
      };
      yield `${JSON.stringify(command)}\n`;
    }
  };
  const blocks = inBlocks(commands(), COMMANDS_PER_WRITE);
  const startedAt = performance.now();
  const write = async () => {
    for (const block of blocks) await alice.write(block);
  };
  const isLast = (event: Event) => event.event === last;
  const [atAlice, atBob] = await Promise.all([
    linesOf(alice, MESSAGES, `{"event":"${last}",`),
    linesOf(bob, MESSAGES, '{"event":"message",'),
    write(),
  ]);
  // The clock has stopped before anything is parsed: that would keep the pipes waiting.
  const messages = await onlyWanted(bob, MESSAGES, atBob, isMessageOf(aliceName));
  checkNumbers(messages.events, first);
  const confirmations = await onlyWanted(alice, MESSAGES, atAlice, isLast);
  const refs = new Set(confirmations.events.map(({ ref }) => ref));
  if (refs.size !== MESSAGES) throw new Error(`Only ${refs.size} of ${MESSAGES} were confirmed`);
  return MESSAGES / (Math.max(messages.endedAt, confirmations.endedAt) - startedAt) * 1000;
}

/** Messages a second with a connection each, from a bare sender to the standard output of a client. */
async function throughConnections(
  sender: PipedProgram,
  receiver: PipedProgram,
  first: number,
): Promise<number> {
  await prepare(sender, "connection", first, CONNECTIONS);
  const startedAt = performance.now();
  const [lines] = await Promise.all([linesOf(receiver, CONNECTIONS), go(sender)]);
  const { events, endedAt } = await onlyWanted(
    receiver,
    CONNECTIONS,
    lines,
    isMessageOf("version-1"),
  );
  // Connections of their own may overtake one another.
  checkNumbers(events, first, (a, b) => a - b);
  return CONNECTIONS / (endedAt - startedAt) * 1000;
}

/** Messages a second between two bare programs. */
async function throughSockets(
  sender: PipedProgram,
  receiver: PipedProgram,
  way: "connection" | "line" | "block",
  count: number,
): Promise<number> {
  await prepare(sender, way, 0, count);
  const startedAt = performance.now();
  const [line] = await Promise.all([receiver.line(), go(sender)]);
  const endedAt = performance.now();
  if (line !== `received ${count}`) throw new Error(`Expected ${count} lines: ${line}`);
  return count / (endedAt - startedAt) * 1000;
}

async function prepare(
  sender: PipedProgram,
  way: string,
  first: number,
  count: number,
): Promise<void> {
  await sender.send({ way, first, count });
  await sender.line();
}

async function go(sender: PipedProgram): Promise<void> {
  await sender.send({});
  await sender.line();
}

type Event = Record<string, unknown>;

const isMessageOf = (from: string) => (event: Event) =>
  event.event === "message" && event.from === from;

/** Lines as they came, and when the last one did. */
interface Lines {
  readonly chunks: readonly Uint8Array[];
  readonly endedAt: number;
}

async function linesOf(program: PipedProgram, count: number, beginning?: string): Promise<Lines> {
  const chunks = await program.lines(count, beginning);
  return { chunks, endedAt: performance.now() };
}

/**
 * Leaves out what others on this machine caused, and reads on where wanted events are missing for
 * that.
 */
async function onlyWanted(
  program: PipedProgram,
  count: number,
  { chunks, endedAt }: Lines,
  wanted: (event: Event) => boolean,
): Promise<{ events: Event[]; endedAt: number }> {
  const events = parseLines(chunks).filter(wanted);
  if (events.length >= count) return { events, endedAt };
  const missing = count - events.length;
  const more = await onlyWanted(program, missing, await linesOf(program, missing), wanted);
  return { events: [...events, ...more.events], endedAt: more.endedAt };
}

/** Fails unless each message is there once, and, without an order of its own, in the order sent. */
function checkNumbers(
  messages: readonly Event[],
  first: number,
  order?: (a: number, b: number) => number,
): void {
  const numbers = messages.map(({ content }) => Number.parseInt(String(content)));
  if (order !== undefined) numbers.sort(order);
  for (const [index, number] of numbers.entries()) {
    if (number !== first + index) {
      throw new Error(`Expected message ${first + index} and not ${number}`);
    }
  }
  const bad = messages.find(({ content }) =>
    content !== numberedContent(Number.parseInt(String(content)))
  );
  if (bad !== undefined) throw new Error(`Expected other content than ${JSON.stringify(bad)}`);
}
