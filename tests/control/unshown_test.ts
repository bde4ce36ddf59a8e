import assert from "node:assert/strict";
import { Listening } from "../node/fixtures.ts";
import { fates } from "../node/history_fixtures.ts";
import { SecureWorld } from "../node/secure_world.ts";
import { settle } from "../support/fake_clock.ts";
import { until } from "../ui/driven.ts";
import { own } from "./commands_fixtures.ts";

for (const showsMessages of [true, false]) {
  const what = showsMessages
    ? "shows what comes has shown it"
    : "only keeps what comes shows nothing";
  Deno.test(`a command that ${what}, as the next client finds`, async () => {
    await using secure = new SecureWorld();
    const { clock } = secure.world;
    const [ofAlice, ofBob] = [await secure.profile(), await secure.profile()];
    const alice = await secure.startWith("alice", ofAlice);
    const node = await secure.world.start("bob", ofBob);
    const release = () => secure.end(node);
    {
      await using link = own(clock, node, release, 0, "everything", showsMessages);
      void (async () => {
        for await (const _ of link.events);
      })();
      await clock.advance(250);
      await alice.node.post("bob", "while a command runs");
      await until(() => fates(alice).includes("while a command runs: delivered"), "the delivery");
      await settle();
    }
    const next = new Listening(await secure.world.start("bob", ofBob));
    await settle();
    assert.deepEqual(next.heard, showsMessages ? [] : ["alice: while a command runs"]);
    await secure.end(next.node);
  });
}
