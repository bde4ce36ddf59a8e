import { below, type Bench, type Row } from "./support/bench.ts";
import { inBlocks, numberedContent } from "./support/numbered.ts";
import type { PipedProgram } from "./support/piped_program.ts";
import { median, spread } from "./support/statistics.ts";
import { grouped, milliseconds } from "./support/table.ts";
import { clientOptions, fromSource, unique, type Workspace } from "./support/workspace.ts";
import { word } from "./support/words.ts";

const MESSAGES = 1_000_000;
const STARTS = 7;
/** Answers to each question. */
const REPEATS = 7;
const PENDING = 100_000;
const DAY_MS = 86_400_000;
const COMMANDS_PER_WRITE = 500;
/** What a million stored messages may add to the start, and a search may take, in milliseconds. */
const START_TARGET_MS = 100;
const SEARCH_TARGET_MS = 100;

/** A client with a long history, and one with many messages that wait. */
export const history: Bench = {
  name: "history",
  title: `${grouped(MESSAGES)} stored messages, ${grouped(PENDING)} that wait`,
  run: measure,
};

async function measure(workspace: Workspace): Promise<Row[]> {
  const full = `${workspace.directory}/full`;
  const startedAt = performance.now();
  await using filler = workspace.startSupport("fill_history.ts", full, `${MESSAGES}`);
  const bytes = Number(await filler.line(startedAt + 600_000));
  const filled = (performance.now() - startedAt) / 1000;
  const rows: Row[] = [{
    what: "bytes on the disk per message, index included",
    measured: grouped(bytes / MESSAGES),
    compared: `written and indexed in ${filled.toFixed(0)} s`,
  }];
  rows.push(...await measureStarts(workspace, `${workspace.directory}/empty`, full));
  await using alice = startWith(workspace, full, unique("alice"));
  await alice.event({ event: "ready" });
  rows.push(...await measureQuestions(alice));
  rows.push(...await measurePending(workspace, alice));
  return rows;
}

function startWith(workspace: Workspace, directory: string, nickname: string): PipedProgram {
  const options = [...clientOptions(nickname), "--data-dir", directory];
  return workspace.start(fromSource("main.ts", ...options), `client ${nickname}`);
}

/** By turns, so that whatever else the machine does hits both. */
async function measureStarts(workspace: Workspace, empty: string, full: string): Promise<Row[]> {
  const times: Record<string, number[]> = { [empty]: [], [full]: [] };
  // The first one makes the identity and fills the caches.
  for (let turn = 0; turn <= STARTS; turn++) {
    for (const directory of [empty, full]) {
      const startedAt = performance.now();
      await using client = startWith(workspace, directory, unique("starting"));
      await client.event({ event: "ready" });
      if (turn > 0) times[directory].push(performance.now() - startedAt);
    }
  }
  const [without, with_] = [median(times[empty]), median(times[full])];
  return [{
    what: "client ready with them",
    measured: milliseconds(with_),
    compared: `${milliseconds(without)} without, ${(with_ - without).toFixed(1)} ms more`,
    target: below(with_ - without, START_TARGET_MS, "ms more"),
  }];
}

async function measureQuestions(alice: PipedProgram): Promise<Row[]> {
  const year = new Date().getFullYear();
  const frequent = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) => word(from + at)).join(" ");
  const firstDay = new Date(Date.now() - 364 * DAY_MS).toISOString().slice(0, 10);
  const questions: Record<string, (index: number) => string> = {
    "a frequent word": (index) => word(index),
    "two frequent words": (index) => frequent(index, 2),
    "eight frequent words, few of which meet": (index) => frequent(index, 8),
    "a phrase": (index) => `"${frequent(index, 2)}"`,
    "a phrase of five frequent words, which is nowhere": (index) => `"${frequent(index, 5)}"`,
    "a beginning of four letters": (index) => `${word(index).slice(0, 4)}*`,
    "a beginning of three": (index) => `${word(index).slice(0, 3)}*`,
    "a beginning of two": (index) => `${word(index).slice(0, 2)}*`,
    "two beginnings of two": (index) =>
      `${word(index).slice(0, 2)}* ${word(index + 1).slice(0, 2)}*`,
    "a phrase that ends with a letter and a star": (index) => `"${word(0)} ${word(index)[0]}"*`,
    "a rare word": (index) => index === 0 ? "xylophone" : word(40_000 + index),
    "a frequent word, from:": (index) => `${word(index)} from:contact${index}`,
    "a frequent word, from: who wrote three messages": (index) => `${word(index)} from:seldom`,
    "a beginning of two, from: who wrote three messages": (index) =>
      `${word(index).slice(0, 2)}* from:seldom`,
    "a rare word, from:": (index) => `${word(40_000 + index)} from:contact${index}`,
    "a frequent word, before:": (index) => `${word(index)} before:${year}-01-0${index + 1}`,
    "a frequent word, before: the first day": (index) => `${word(index)} before:${firstDay}`,
    "a beginning of two, before: the first day": (index) =>
      `${word(index).slice(0, 2)}* before:${firstDay}`,
    "a rare word, before:": (index) => `${word(40_000 + index)} before:${year}-01-0${index + 1}`,
  };
  const rows: Row[] = [];
  for (const [what, query] of Object.entries(questions)) {
    rows.push(
      await ask(`search: ${what}`, alice, (index) => ({ command: "search", query: query(index) })),
    );
  }
  rows.push(
    await ask("history of a contact, 100 messages", alice, (index) => ({
      command: "history",
      peer: `contact${index}`,
      count: 100,
    })),
  );
  return rows;
}

/** Asks several times, and names the middle and the longest wait for an answer. */
async function ask(
  what: string,
  client: PipedProgram,
  command: (index: number) => { command: string } & Record<string, unknown>,
): Promise<Row> {
  const times: number[] = [];
  const found: number[] = [];
  for (let index = 0; index < REPEATS; index++) {
    const question = command(index);
    const startedAt = performance.now();
    await client.send({ ...question, ref: index });
    const answer = await client.event({ ref: index });
    times.push(performance.now() - startedAt);
    if (answer.event !== question.command) throw new Error(JSON.stringify(answer));
    found.push((answer.messages as unknown[]).length);
  }
  const { most } = spread(times);
  return {
    what,
    measured: milliseconds(median(times)),
    compared: `at worst ${milliseconds(most)}; ${median(found)} messages`,
    target: below(most, SEARCH_TARGET_MS, "ms"),
  };
}

/** Messages to somebody who is known and away, and what they do to everything else. */
async function measurePending(
  workspace: Workspace,
  alice: PipedProgram,
): Promise<Row[]> {
  const [awayName, carolName] = [unique("dave"), unique("carol")];
  await using _carol = workspace.startClient(carolName);
  await alice.event({ event: "peer_up", nickname: carolName });
  {
    await using _away = workspace.startClient(awayName);
    await alice.event({ event: "peer_up", nickname: awayName });
    await deliver(alice, awayName);
  }
  await alice.event({ event: "peer_down", nickname: awayName });
  await deliver(alice, carolName);
  const before = await ask("/outbox, when nothing waits", alice, () => ({ command: "outbox" }));
  const commands = function* () {
    for (let number = 0; number < PENDING; number++) {
      const content = numberedContent(number);
      yield `${JSON.stringify({ command: "send", to: awayName, content, ref: number })}\n`;
    }
  };
  const blocks = inBlocks(commands(), COMMANDS_PER_WRITE);
  const startedAt = performance.now();
  const write = async () => {
    for (const block of blocks) await alice.write(block);
  };
  await Promise.all([alice.lines(PENDING, '{"event":"pending",'), write()]);
  const rate = PENDING / (performance.now() - startedAt) * 1000;
  const toOthers: number[] = [];
  for (let index = 0; index < REPEATS; index++) {
    toOthers.push(await deliver(alice, carolName));
  }
  const { most } = spread(toOthers);
  return [
    { what: "messages/s to somebody who is away", measured: `${grouped(rate)}/s` },
    before,
    await ask(`/outbox, when ${grouped(PENDING)} wait`, alice, () => ({ command: "outbox" })),
    {
      what: "a message to somebody else meanwhile, to the delivered mark",
      measured: milliseconds(median(toOthers)),
      compared: `at worst ${milliseconds(most)}`,
    },
  ];
}

/** Milliseconds until a message is on the other side's disk. */
async function deliver(from: PipedProgram, to: string): Promise<number> {
  const ref = crypto.randomUUID();
  const startedAt = performance.now();
  await from.send({ command: "send", to, content: "hello", ref });
  await from.event({ event: "delivered", ref });
  return performance.now() - startedAt;
}
