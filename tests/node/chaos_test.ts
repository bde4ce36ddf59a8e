import assert from "node:assert/strict";
import { assertRecovers, type ChaosOptions, type ChaosReport, runChaos } from "../support/chaos.ts";

/** Time-outs come so much sooner that silences, too, are noticed within the test. */
const HASTE = 5;

/** `.ci/run` does the same for a minute each, without haste. */
async function brief(options: Partial<ChaosOptions>): Promise<ChaosReport> {
  const report = await runChaos({ seed: 20_261_123, durationMs: 4000, haste: HASTE, ...options });
  assertRecovers(report);
  const { sent, closes, silences, restarts } = report;
  assert.ok(sent > 200, `${sent} messages were sent`);
  assert.ok(closes > 30, `${closes} connections were closed`);
  assert.ok(silences > 3, `${silences} connections went silent`);
  assert.ok(restarts > 1, `${restarts} nodes were restarted`);
  return report;
}

Deno.test("while connections break and go silent and nodes restart at random, no message is lost, doubled or out of order unless that is said", async () => {
  await brief({});
});

Deno.test("with stores, every message that is accepted arrives once and in order, whatever breaks and ends meanwhile", async () => {
  const { givenUp } = await brief({ keeps: true });
  assert.equal(givenUp, 0, "everything is accepted");
});
