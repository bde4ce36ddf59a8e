import { below, type Bench, type Row } from "./support/bench.ts";
import { median, spread } from "./support/statistics.ts";
import { milliseconds, times } from "./support/table.ts";
import { unique, type Workspace } from "./support/workspace.ts";

const PEERS = 50;
const NEWCOMERS = 7;
/** Fewer where each waits for five seconds; and that they wait at the same time disturbs nothing. */
const NEWCOMERS_TO_V1 = 5;
const APART_MS = 1100;
/** Until a newcomer sees one peer with the original, in milliseconds; up to 5000. */
const ORIGINAL_MS = 1800;

/** How long a newcomer waited for the first peer and for all of them, in milliseconds. */
interface Wait {
  readonly first: number;
  readonly all: number;
}

/** From `ready` to knowing everybody, among peers that answer and among peers that do not. */
export const newcomer: Bench = {
  name: "newcomer",
  title: `from start to knowing ${PEERS} peers`,
  run: measure,
};

async function measure(workspace: Workspace): Promise<Row[]> {
  const answered = await amongAnswering(workspace);
  const unanswered = await amongSilent(workspace);
  const all = median(answered.map((wait) => wait.all));
  const allUnanswered = median(unanswered.map((wait) => wait.all));
  const { least, most } = spread(answered.map((wait) => wait.all));
  const first = median(answered.map((wait) => wait.first));
  return [
    {
      what: `version 2, all ${PEERS}, median of ${NEWCOMERS}`,
      measured: milliseconds(all),
      compared: `${milliseconds(least)} to ${milliseconds(most)}`,
      target: below(all, 250, "ms"),
    },
    {
      what: `version 1, all ${PEERS}, median of ${NEWCOMERS_TO_V1}`,
      measured: milliseconds(allUnanswered),
      compared: `${times(allUnanswered, all)} as long`,
    },
    {
      what: "version 2, the first of them",
      measured: milliseconds(first),
      compared: `the original, among two: ${milliseconds(ORIGINAL_MS)}; ${
        times(ORIGINAL_MS, first)
      }`,
    },
  ];
}

async function amongAnswering(workspace: Workspace): Promise<Wait[]> {
  const prefix = unique("peer-");
  await using peers = workspace.startSupport("peers.ts", `${PEERS}`, prefix);
  await peers.line();
  const waits: Wait[] = [];
  while (waits.length < NEWCOMERS) waits.push(await meet(workspace, prefix));
  return waits;
}

async function amongSilent(workspace: Workspace): Promise<Wait[]> {
  const prefix = unique("peer-");
  await using peers = workspace.startSupport("v1_peers.ts", `${PEERS}`, prefix);
  await peers.line();
  return await Promise.all(
    Array.from({ length: NEWCOMERS_TO_V1 }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, index * APART_MS));
      return await meet(workspace, prefix);
    }),
  );
}

/** Starts a newcomer, waits until it knows all whose nickname begins with `prefix`, and ends it. */
async function meet(workspace: Workspace, prefix: string): Promise<Wait> {
  await using program = workspace.startClient(unique("newcomer"));
  await program.event({ event: "ready" });
  const readyAt = performance.now();
  const known = new Set<unknown>();
  let first = 0;
  while (known.size < PEERS) {
    const { nickname } = await program.event({ event: "peer_up" });
    if (!String(nickname).startsWith(prefix)) continue;
    known.add(nickname);
    if (known.size === 1) first = performance.now() - readyAt;
  }
  const all = performance.now() - readyAt;
  await program.send({ command: "peers" });
  const { peers } = await program.event({ event: "peers" }) as { peers: { nickname: string }[] };
  const listed = peers.filter(({ nickname }) => known.has(nickname)).length;
  if (listed !== PEERS) throw new Error(`Expected ${PEERS} peers in the list, not ${listed}`);
  return { first, all };
}
