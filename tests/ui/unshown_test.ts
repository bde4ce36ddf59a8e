import assert from "node:assert/strict";
import { runJsonInterface } from "../../lib/ui/json.ts";
import { fates } from "../node/history_fixtures.ts";
import { SecureWorld } from "../node/secure_world.ts";
import { settle } from "../support/fake_clock.ts";
import { Keyboard, Paper, until } from "./driven.ts";

Deno.test("what nobody has read is told again by the next run, with the same id and marked", async () => {
  await using secure = new SecureWorld();
  const { clock } = secure.world;
  const [ofAlice, ofBob] = [await secure.profile(), await secure.profile()];
  const alice = await secure.startWith("alice", ofAlice);
  const run = async () => {
    const [keyboard, paper] = [new Keyboard(), new Paper()];
    const node = await secure.world.start("bob", ofBob);
    await clock.advance(250);
    const { read } = keyboard;
    const { signal } = new AbortController();
    const ended = runJsonInterface({
      ...{ clock, node, version: "1", read, output: paper.output, signal },
    });
    const end = async () => {
      keyboard.end();
      paper.tear();
      await ended;
      await secure.end(node);
    };
    const messages = () =>
      paper.lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "message");
    return { paper, messages, end };
  };
  const first = await run();
  await alice.node.post("bob", "read");
  await until(() => first.messages().length === 1, "the message");
  await settle();
  first.paper.stall();
  const { messageId } = await alice.node.post("bob", "unread");
  await until(() => fates(alice).includes("unread: delivered"), "the delivery");
  await first.end();
  assert.deepEqual(first.messages().map(({ content }) => content), ["read"]);
  const second = await run();
  await until(() => second.messages().length === 1, "the message");
  const [again] = second.messages();
  assert.equal(again.content, "unread");
  assert.equal(again.message_id, messageId);
  assert.equal(again.earlier, true);
  assert.equal("address" in again, false);
  await second.end();
});
