/**
 * The kill test with one seed after another. Arguments, all of which can be left out: `kill`, `cut`,
 * `both` or `server` for what goes wrong, else all in turn; seeds, else as many as fit into
 * `SECONDSs`, such as `600s`, or two minutes; and `part=0.3` for less of everything in each run.
 */
import { runKill, type TroubleName, TROUBLES } from "../support/kill.ts";

const names = Object.keys(TROUBLES) as TroubleName[];
const chosen = names.filter((name) => Deno.args.includes(name));
const matching = (pattern: RegExp) =>
  Deno.args.flatMap((argument) => pattern.exec(argument)?.[1] ?? []).map(Number);
const seeds = matching(/^(\d+)$/);
const [limit = 120] = matching(/^(\d+)s$/);
const [part = 1] = matching(/^part=([\d.]+)$/);
const end = performance.now() + limit * 1000;

for (let turn = 0; seeds.length > 0 ? turn < seeds.length : performance.now() < end; turn++) {
  const seed = seeds[turn] ?? crypto.getRandomValues(new Uint32Array(1))[0];
  for (const name of chosen.length > 0 ? chosen : names) {
    console.log(`${name} with seed ${seed}`);
    const report = await runKill(name, seed, part);
    const { messages, kills, cuts, foundStored, repeated, notShown, returned, seconds } = report;
    console.log(
      `  ${messages} messages in ${seconds.toFixed(1)} s, ${kills} kills, ${cuts} cuts, ` +
        `${returned} messages back in the outbox; ` +
        `in doubt after kills: ${foundStored} messages stored, ${repeated} sent again, ` +
        `${notShown} received but not shown`,
    );
  }
}
