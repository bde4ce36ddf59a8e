/**
 * The kill test with one seed after another. Arguments: `kill`, `cut`, `both`, or nothing for all in
 * turn; and a seed for one run, or `SECONDS s`, such as `600s`, for as many runs as fit.
 */
import { runKill, type TroubleName, TROUBLES } from "../support/kill.ts";

const names = Object.keys(TROUBLES) as TroubleName[];
const chosen = names.filter((name) => Deno.args.includes(name));
const seeds = Deno.args.filter((arg) => /^\d+$/.test(arg)).map(Number);
const seconds = Number(/^(\d+)s$/.exec(Deno.args.find((arg) => arg.endsWith("s")) ?? "120s")?.[1]);
const end = performance.now() + seconds * 1000;

for (let turn = 0; seeds.length > 0 ? turn < seeds.length : performance.now() < end; turn++) {
  const seed = seeds[turn] ?? crypto.getRandomValues(new Uint32Array(1))[0];
  for (const name of chosen.length > 0 ? chosen : names) {
    console.log(`${name} with seed ${seed}`);
    const { kills, cuts, foundStored, repeated, notShown, seconds } = await runKill(name, seed);
    console.log(
      `  ${2 * TROUBLES[name].messages} messages in ${seconds.toFixed(1)} s, ${kills} kills, ` +
        `${cuts} cuts; in doubt after kills: ${foundStored} messages stored, ` +
        `${repeated} sent again, ${notShown} received but not shown`,
    );
  }
}
