/**
 * The chaos tests, without and with stores: for a minute each, or as many seconds as the first
 * argument says; with the seed of the second argument, else with one of its own in each run; and
 * with as many seeds, each one more than the last, as the third one says.
 */
import { assertRecovers, runChaos } from "../support/chaos.ts";

const seconds = Number(Deno.args[0] ?? 60);
const first = Number(Deno.args[1] ?? crypto.getRandomValues(new Uint16Array(1))[0]);
const count = Number(Deno.args[2] ?? 1);
for (let seed = first; seed < first + count; seed++) {
  for (const keeps of [false, true]) {
    console.log(`${seconds} s with seed ${seed}, ${keeps ? "with" : "without"} stores`);
    const report = await runChaos({ seed, durationMs: seconds * 1000, keeps });
    console.log(report);
    assertRecovers(report);
  }
}
