import type { Bench, Row } from "./support/bench.ts";
import type { PipedProgram } from "./support/piped_program.ts";
import { median, spread } from "./support/statistics.ts";
import { milliseconds, times } from "./support/table.ts";
import {
  clientOptions,
  type CommandLine,
  compiled,
  fromSource,
  ROOT,
  unique,
  type Workspace,
} from "./support/workspace.ts";

const ROUNDS = 10;
/** From start to banner with the original, in milliseconds. */
const ORIGINAL_MS = 60;

/** A start that is measured, until `reached` has seen what it waits for. */
interface Start {
  readonly what: string;
  readonly command: CommandLine;
  readonly reached: (program: PipedProgram) => Promise<void>;
}

/** From the start of a process to its version, and to its being ready. */
export const start: Bench = {
  name: "start",
  title: `from the start of the process, median of ${ROUNDS}`,
  run: measure,
};

async function measure(workspace: Workspace): Promise<Row[]> {
  const starts = listStarts(workspace);
  const figures = new Map<Start, number[]>(starts.map((one) => [one, []]));
  // By turns, so that what else the machine does meets all of them; the first turn fills caches.
  for (let round = -1; round < ROUNDS; round++) {
    for (const one of starts) {
      const startedAt = performance.now();
      await using program = workspace.start(one.command, one.what);
      await one.reached(program);
      const took = performance.now() - startedAt;
      if (round >= 0) figures.get(one)!.push(took);
      program.terminate();
    }
  }
  const rows = [...figures].map(([{ what }, values]) => {
    const middle = median(values);
    const { least, most } = spread(values);
    const range = `${milliseconds(least)} to ${milliseconds(most)}`;
    const original = what.includes("ready") ? `; ${times(middle, ORIGINAL_MS)} the original` : "";
    return { what, measured: milliseconds(middle), compared: `${range}${original}` };
  });
  const missing = ["parlance", "parlance-server"].filter((name) => compiled(name) === undefined);
  return [
    ...rows,
    ...missing.map((name) => ({
      what: `compiled ${name}`,
      measured: "-",
      compared: "not there; `deno task compile` makes it",
    })),
    { what: "the original, to its banner", measured: milliseconds(ORIGINAL_MS) },
  ];
}

function listStarts({ directory }: Workspace): Start[] {
  const empty = `${directory}/empty.ts`;
  Deno.writeTextFileSync(empty, "");
  const nothing: Start = {
    what: "an empty program in Deno",
    command: { command: Deno.execPath(), args: ["run", empty] },
    reached: (program) => program.ended(),
  };
  return [
    nothing,
    ...ofProgram("client", "main.ts", "parlance", clientOptions(unique("starter"))),
    ...ofProgram("server", "bootstrap_server.ts", "parlance-server", [
      "--host=127.0.0.1",
      "--port=0",
      "--log-level=warning",
    ]),
  ];
}

function ofProgram(what: string, entry: string, binary: string, options: string[]): Start[] {
  const { version } = JSON.parse(Deno.readTextFileSync(`${ROOT}/deno.json`));
  const toVersion = async (program: PipedProgram) => {
    const line = await program.line();
    if (line !== version) throw new Error(`Expected version ${version}, not ${line}`);
    await program.ended();
  };
  const toReady = async (program: PipedProgram) => {
    const line = await program.line();
    if (!/"ready"|ws:/.test(line)) throw new Error(`Expected it to be ready: ${line}`);
  };
  const age = isOlder(binary) ? ", older than the sources" : "";
  const kinds: [string, (...args: string[]) => CommandLine | undefined][] = [
    ["from source", (...args) => fromSource(entry, ...args)],
    [`compiled${age}`, (...args) => compiled(binary, ...args)],
  ];
  return kinds.flatMap(([kind, command]) => {
    const [versionCommand, readyCommand] = [command("--version"), command(...options)];
    if (versionCommand === undefined || readyCommand === undefined) return [];
    return [
      { what: `${what} --version, ${kind}`, command: versionCommand, reached: toVersion },
      { what: `${what} ready, ${kind}`, command: readyCommand, reached: toReady },
    ];
  });
}

/** Whether a source file has changed since the program was compiled. */
function isOlder(binary: string): boolean {
  const command = compiled(binary)?.command;
  if (command === undefined) return false;
  const compiledAt = changedAt(command);
  return [`${ROOT}/main.ts`, `${ROOT}/bootstrap_server.ts`, ...sourceFiles(`${ROOT}/lib`)]
    .some((file) => changedAt(file) > compiledAt);
}

function changedAt(file: string): number {
  return Deno.statSync(file).mtime?.getTime() ?? 0;
}

function sourceFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? sourceFiles(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}
