/**
 * Measures the project and prints tables of ratios, each of figures of one run. Slow figures never
 * fail it, since other programs share the processor; it fails when something that was sent did
 * not arrive.
 *
 *     deno task bench                 all, about six minutes
 *     deno task bench latency start   some
 *
 * Uses the loopback interface only. What the figures mean stands in `docs/benchmarks.md`.
 *
 * @module
 */
import type { Bench } from "./support/bench.ts";
import { formatTable } from "./support/table.ts";
import { Workspace } from "./support/workspace.ts";
import { history } from "./history.ts";
import { latency } from "./latency.ts";
import { newcomer } from "./newcomer.ts";
import { serverLoad } from "./server_load.ts";
import { sessions } from "./sessions.ts";
import { start } from "./start.ts";
import { throughput } from "./throughput.ts";

const BENCHES: readonly Bench[] = [
  start,
  newcomer,
  latency,
  throughput,
  history,
  sessions,
  serverLoad,
];

function chosen(names: readonly string[]): readonly Bench[] {
  const unknown = names.find((name) => !BENCHES.some((bench) => bench.name === name));
  if (unknown !== undefined) {
    const known = BENCHES.map(({ name }) => name).join(", ");
    console.error(`Unknown benchmark ${JSON.stringify(unknown)}; there are ${known}`);
    Deno.exit(2);
  }
  return names.length === 0 ? BENCHES : BENCHES.filter(({ name }) => names.includes(name));
}

let failed = false;
const { runtime, cores } = { runtime: Deno.version.deno, cores: navigator.hardwareConcurrency };
const benches = chosen(Deno.args);
console.log(`Deno ${runtime}, ${Deno.build.target}, ${cores} processor cores\n`);
for (const { name, title, run } of benches) {
  console.log(`${name}: ${title}`);
  const startedAt = performance.now();
  try {
    using workspace = new Workspace();
    const rows = await run(workspace);
    if (rows.length > 0) console.log(formatTable(rows));
    failed ||= rows.some(({ lost }) => lost !== undefined);
    console.log(`  (${((performance.now() - startedAt) / 1000).toFixed(0)} s)\n`);
  } catch (error) {
    failed = true;
    console.error(`${name} FAILED:`, error, "\n");
  }
}
Deno.exit(failed ? 1 : 0);
