import assert from "node:assert/strict";
import { runChaos } from "../support/chaos.ts";

Deno.test("while connections are killed and nodes restarted at random, no message is lost, doubled or out of order", async () => {
  const { sent, kills, restarts } = await runChaos(20_261_123, 4000);
  assert.ok(sent > 200, `${sent} messages were sent`);
  assert.ok(kills > 30, `${kills} connections were killed`);
  assert.ok(restarts > 1, `${restarts} nodes were restarted`);
});
