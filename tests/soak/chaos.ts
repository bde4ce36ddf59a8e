/**
 * The chaos test for a minute, or for as many seconds as the first argument says, with another seed
 * in each run, or that of the second argument.
 */
import { runChaos } from "../support/chaos.ts";

const seconds = Number(Deno.args[0] ?? 60);
const seed = Number(Deno.args[1] ?? crypto.getRandomValues(new Uint32Array(1))[0]);
console.log(`${seconds} s with seed ${seed}`);
const report = await runChaos(seed, seconds * 1000);
const { sent, notSent, uncertain, takenAnew, kills, restarts } = report;
console.log(
  `${sent} messages sent (${takenAnew} of them taken by two runs of their receiver), ` +
    `${notSent} reported as not sent (${uncertain} as uncertain), ` +
    `${kills} connections killed, ${restarts} nodes restarted`,
);
