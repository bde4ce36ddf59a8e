import { below, type Bench, type Row } from "./support/bench.ts";
import { numberedContent } from "./support/numbered.ts";
import { type Pair, startPair } from "./support/pair.ts";
import type { PipedProgram } from "./support/piped_program.ts";
import { median, percentile } from "./support/statistics.ts";
import { milliseconds, times } from "./support/table.ts";
import type { Workspace } from "./support/workspace.ts";

/** From keyboard to peer with the original, in milliseconds, on a machine with two shared cores. */
const ORIGINAL_MS = 0.36;
/** What encrypted messages are to stay below, from keyboard to screen, in milliseconds. */
const TARGET_MS = 1.5;
/** The same to the mark that it was delivered. */
const DELIVERED_TARGET_MS = 5;
const MESSAGES = 2000;
/** Messages before the clock runs: the first ones open the connection and compile the code. */
const WARM_UP = 200;

/** One message at a time on an open connection, from standard input to standard output. */
export const latency: Bench = {
  name: "latency",
  title: "one message at a time on an open session, stored on both sides; standard input to output",
  run: measure,
};

async function measure(workspace: Workspace): Promise<Row[]> {
  await using pair = await startPair(workspace);
  await using receiver = workspace.startSupport("bare_path.ts", "receive");
  await using sender = workspace.startSupport("bare_path.ts", "send", await receiver.line());
  const parlance: number[] = [];
  const delivered: number[] = [];
  const bare: number[] = [];
  for (let number = 0; number < WARM_UP + MESSAGES; number++) {
    const throughClients = await oneMessage(pair, number);
    const throughPipes = await oneLine(sender, receiver, number);
    if (number < WARM_UP) continue;
    parlance.push(throughClients.shown);
    delivered.push(throughClients.delivered);
    bare.push(throughPipes);
  }
  const middle = median(parlance);
  return [
    {
      what: "Parlance, to the other screen, median",
      measured: milliseconds(middle),
      compared: `the original: ${milliseconds(ORIGINAL_MS)}; ${times(middle, ORIGINAL_MS)}`,
      target: below(middle, TARGET_MS, "ms"),
    },
    { what: "Parlance, to the other screen, 95 %", measured: high(parlance) },
    {
      what: "Parlance, to the delivered mark, median",
      measured: milliseconds(median(delivered)),
      target: below(median(delivered), DELIVERED_TARGET_MS, "ms"),
    },
    { what: "Parlance, to the delivered mark, 95 %", measured: high(delivered) },
    {
      what: "bare: pipe, Deno.Conn, pipe; median",
      measured: milliseconds(median(bare)),
      compared: `Parlance is ${times(middle, median(bare))}`,
    },
    { what: "bare, 95 %", measured: high(bare) },
  ];
}

function high(times: readonly number[]): string {
  return milliseconds(percentile(times, 0.95));
}

/**
 * Milliseconds from the command at alice to the event at bob, and to the one at alice that it is on
 * bob's disk.
 */
async function oneMessage(
  pair: Pair,
  number: number,
): Promise<{ shown: number; delivered: number }> {
  const { alice, bob, aliceName, bobName } = pair;
  const content = numberedContent(number);
  const line = `${JSON.stringify({ command: "send", to: bobName, content, ref: number })}\n`;
  const bytes = new TextEncoder().encode(line);
  const startedAt = performance.now();
  void alice.write(bytes);
  const since = () => performance.now() - startedAt;
  const show = async () => {
    const event = await bob.event({ event: "message", from: aliceName });
    const took = since();
    if (event.content === content) return took;
    throw new Error(`Expected message ${number}, not ${event.content}`);
  };
  const mark = async () => {
    await alice.event({ event: "delivered", ref: number });
    return since();
  };
  const [shown, delivered] = await Promise.all([show(), mark()]);
  return { shown, delivered };
}

/** The same between two programs that only copy. */
async function oneLine(
  sender: PipedProgram,
  receiver: PipedProgram,
  number: number,
): Promise<number> {
  const content = numberedContent(number);
  const bytes = new TextEncoder().encode(`${content}\n`);
  const startedAt = performance.now();
  void sender.write(bytes);
  const line = await receiver.line();
  const took = performance.now() - startedAt;
  if (line !== content) throw new Error(`Expected line ${number}, not ${line}`);
  return took;
}
