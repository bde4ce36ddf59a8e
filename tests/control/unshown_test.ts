import assert from "node:assert/strict";
import type { Node } from "../../lib/node.ts";
import { Listening } from "../node/fixtures.ts";
import { fates } from "../node/history_fixtures.ts";
import { SecureWorld } from "../node/secure_world.ts";
import { settle } from "../support/fake_clock.ts";
import { Paper, until } from "../ui/driven.ts";
import { own, run } from "./commands_fixtures.ts";

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
    const shown = showsMessages ? () => Promise.resolve(true) : undefined;
    {
      await using link = own(clock, node, release, 0, "everything", shown);
      const told: unknown[] = [];
      void (async () => {
        for await (const { content } of link.events) told.push(content);
      })();
      await clock.advance(250);
      await alice.node.post("bob", "while a command runs");
      await until(() => fates(alice).includes("while a command runs: delivered"), "the delivery");
      await until(() => told.includes("while a command runs"), "the message");
      await settle();
    }
    const next = new Listening(await secure.world.start("bob", ofBob));
    if (!showsMessages) await until(() => next.heard.length > 0, "the message");
    await settle();
    assert.deepEqual(next.heard, showsMessages ? [] : ["alice: while a command runs"]);
    await secure.end(next.node);
  });
}

/** A node, with a `listen` that is the client on it, whose reader takes nothing for now. */
async function stalledListen(secure: SecureWorld, release: (node: Node) => Promise<void>) {
  const { clock } = secure.world;
  const [ofAlice, ofBob] = [await secure.profile(), await secure.profile()];
  const alice = await secure.startWith("alice", ofAlice);
  const node = await secure.world.start("bob", ofBob);
  const paper = new Paper();
  paper.stall();
  const shown = () => paper.output.written();
  const link = own(clock, node, () => release(node), 0, "everything", shown);
  const host = () => Promise.resolve(link);
  const listen = run({ name: "listen", json: false }, clock, { host, output: paper.output });
  await clock.advance(250);
  for (const text of ["one", "two", "three"]) {
    await alice.node.post("bob", text);
    await until(() => fates(alice).includes(`${text}: delivered`), "the delivery");
    await settle();
  }
  return { clock, node, ofBob, paper, listen };
}

Deno.test("what listen could not write before it was killed is told by the next client", async () => {
  await using secure = new SecureWorld();
  const { clock, node, ofBob, listen } = await stalledListen(secure, () => Promise.resolve());
  await secure.end(node);
  const next = new Listening(await secure.world.start("bob", ofBob));
  await until(() => next.heard.length === 3, "the messages");
  assert.deepEqual(next.heard, ["alice: one", "alice: two", "alice: three"]);
  await secure.end(next.node);
  listen.stop.abort();
  for (let second = 0; second < 10; second++) await clock.advance(1000);
  assert.equal(await listen.running, 0);
});

Deno.test("what listen still writes at its end is not told again", async () => {
  await using secure = new SecureWorld();
  const { ofBob, paper, listen } = await stalledListen(secure, (node) => secure.end(node));
  listen.stop.abort();
  await settle();
  paper.go();
  assert.equal(await listen.running, 0);
  assert.deepEqual(paper.lines.map((line) => line.split(" ").at(-1)), ["one", "two", "three"]);
  const next = new Listening(await secure.world.start("bob", ofBob));
  await settle();
  assert.deepEqual(next.heard, []);
  await secure.end(next.node);
});

Deno.test("a client that shows nothing is not told what is left, and leaves it", async () => {
  await using secure = new SecureWorld();
  const { clock } = secure.world;
  const [ofAlice, ofBob] = [await secure.profile(), await secure.profile()];
  const { inbox } = ofBob.history.store;
  const left = { contact: { nickname: "carol" }, content: "left", timestamp: 1 };
  await inbox.receive({ ...left, encrypted: false, trust: "plain" });
  const alice = await secure.startWith("alice", ofAlice);
  const history = { ...ofBob.history, showsLeft: false };
  const bob = await secure.startWith("bob", { ...ofBob, history });
  await clock.advance(250);
  // What is taken counts as shown here; not so what was not told.
  await alice.node.post("bob", "new");
  await until(() => fates(alice).includes("new: delivered"), "the delivery");
  await settle();
  assert.deepEqual(bob.heard, ["alice: new"]);
  await secure.end(bob.node);
  const next = new Listening(await secure.world.start("bob", ofBob));
  await settle();
  assert.deepEqual(next.heard, ["carol: left", "alice: new"]);
  await secure.end(next.node);
});
