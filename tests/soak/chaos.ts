/**
 * The chaos tests, without stores and with them.
 *
 * - `--seconds N`: how long each takes; 60 unless told.
 * - `--seed N`: what is random; another one in each run unless told.
 * - `--seeds N`: with this many seeds, each one more than the last; 1 unless told.
 */
import { parseArgs } from "node:util";
import { assertRecovers, runChaos } from "../support/chaos.ts";

const text = { type: "string" } as const;
const { values } = parseArgs({ options: { seconds: text, seed: text, seeds: text } });
const seconds = Number(values.seconds ?? 60);
const first = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const count = Number(values.seeds ?? 1);
for (let seed = first; seed < first + count; seed++) {
  for (const keeps of [false, true]) {
    console.log(`${seconds} s with seed ${seed}, ${keeps ? "with" : "without"} stores`);
    const report = await runChaos({ seed, durationMs: seconds * 1000, keeps });
    console.log(report);
    assertRecovers(report);
  }
}
