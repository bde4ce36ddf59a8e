/**
 * A peer that sends 1 GB as fast as it can, or as many MB as the first argument says: it has to wait
 * for a user who does not read, everything arrives, and memory stays bounded.
 */
import assert from "node:assert/strict";
import { flood } from "../attacks/flood.ts";

/** What the whole may take beyond its start: both sides run in this process, 185 MB is usual. */
const MAX_GROWTH = 400e6;

const megabytes = Number(Deno.args[0] ?? 1000);
const before = Deno.memoryUsage().rss;
let most = before;
const began = performance.now();
await flood(megabytes * 1e6, () => most = Math.max(most, Deno.memoryUsage().rss));
const seconds = (performance.now() - began) / 1000;
console.log(
  `${megabytes} MB in ${seconds.toFixed(0)} s, ` +
    `${((most - before) / 1e6).toFixed(0)} MB of memory beyond ${(before / 1e6).toFixed(0)} MB`,
);
assert.ok(most - before < MAX_GROWTH, `${most - before} bytes more than at the start`);
