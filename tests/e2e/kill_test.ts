import assert from "node:assert/strict";
import { runKill } from "../support/kill.ts";
import { namespaceSessionTest, sessionTest } from "../support/sessions.ts";

const SEED = 20_261_123;
/** The network takes its time to fail; `deno task soak` has more of that. */
const PART = 0.3;

sessionTest(
  "each message is kept once, shown, in order, and marked as delivered, however often clients are killed",
  async () => {
    const { kills, repeated, notShown } = await runKill("kill", SEED);
    assert.ok(kills >= 40, `${kills} kills`);
    assert.ok(repeated > 0, "no kill has hit a command on its way");
    assert.equal(notShown, 0);
  },
);

namespaceSessionTest(
  "each message is kept and shown once, and in order, however often the network fails",
  async () => {
    const { notShown } = await runKill("cut", SEED, PART);
    assert.equal(notShown, 0);
  },
);

namespaceSessionTest(
  "each message is kept once, and in order, when clients are killed and the network fails",
  async () => {
    const { kills } = await runKill("both", SEED, PART);
    assert.ok(kills >= 6, `${kills} kills`);
  },
);

sessionTest(
  "each message is kept once, and in order, when clients and the server that joins them are killed",
  async () => {
    const { kills } = await runKill("server", SEED, PART);
    assert.ok(kills >= 6, `${kills} kills`);
  },
);
