import assert from "node:assert/strict";
import type { Node } from "../../lib/node.ts";
import { runJsonInterface } from "../../lib/ui/json.ts";
import { JsonTag } from "../../lib/ui/json_event.ts";
import { isMessageId } from "../../lib/wire/message_id.ts";
import { Listening } from "../node/fixtures.ts";
import { SecureWorld } from "../node/secure_world.ts";
import { settle } from "../support/fake_clock.ts";
import { Keyboard, Paper, startSecure, until } from "./driven.ts";

type Line = Record<string, unknown>;

/** A node that is driven by JSON. */
function drive(secure: SecureWorld, node: Node) {
  const keyboard = new Keyboard();
  const paper = new Paper();
  const running = runJsonInterface({
    clock: secure.world.clock,
    node,
    version: "1",
    read: keyboard.read,
    output: paper.output,
    signal: new AbortController().signal,
  });
  const events = (name?: string) =>
    paper.lines.map((line) => JSON.parse(line) as Line)
      .filter(({ event }) => name === undefined || event === name);
  return {
    keyboard,
    paper,
    running,
    events,
    /** Types a command and returns the first object that `isAnswer` holds for. */
    async answer(command: Line | string, isAnswer: (line: Line) => boolean): Promise<Line> {
      const before = paper.lines.length;
      keyboard.type(`${typeof command === "string" ? command : JSON.stringify(command)}\n`);
      const find = () => events().slice(before).find(isAnswer);
      await until(() => find() !== undefined, `an answer to ${JSON.stringify(command)}`);
      return find()!;
    },
  };
}

const byEvent = (name: string) => (line: Line) => line.event === name;

/** Alice, who is driven, and bob, who has heard of her and is gone. */
async function start(secure: SecureWorld) {
  const node = await startSecure(secure, "alice");
  const bob = new Listening(await startSecure(secure, "bob"));
  const id = bob.node.id!;
  const alice = drive(secure, node);
  await alice.answer(
    { command: "send", to: "bob", content: "hello", ref: 1 },
    byEvent("delivered"),
  );
  await bob.node.post("alice", "good morning");
  await until(() => alice.events("message").length === 1, "the answer");
  return { node, bob, id, ...alice };
}

async function leave(secure: SecureWorld, node: Node, left: Node): Promise<void> {
  await secure.end(left);
  for (let turn = 0; turn < 100 && node.peers().length > 0; turn++) {
    await secure.world.clock.advance(100);
  }
}

Deno.test("every state of a message comes with its id, the recipient's and the reference", async () => {
  await using secure = new SecureWorld();
  const { node, bob, id, answer, events } = await start(secure);
  const all = events().filter(({ ref }) => ref === 1);
  assert.deepEqual(all.map(({ event }) => event), ["pending", "sent", "delivered"]);
  const { message_id } = all[0];
  assert.ok(isMessageId(message_id));
  for (const { event, ...rest } of all) {
    assert.deepEqual(rest, { message_id, to: "bob", id, ref: 1 }, String(event));
  }
  assert.ok(isMessageId(events("message")[0].message_id));
  await leave(secure, node, bob.node);
  const waiting = await answer(
    { command: "send", to: id, content: "later", ref: "r" },
    byEvent("pending"),
  );
  assert.deepEqual([waiting.to, waiting.id, waiting.ref], [id, id, "r"]);
  const cancelled = await answer(
    { command: "cancel", message_id: waiting.message_id, ref: 3 },
    byEvent("done"),
  );
  assert.deepEqual(cancelled, {
    event: "done",
    command: "cancel",
    message_id: waiting.message_id,
    ref: 3,
  });
  assert.deepEqual(events("failed"), [
    { ...waiting, event: "failed", message: "cancelled" },
  ]);
});

Deno.test("messages of other interfaces at the node come without a reference", async () => {
  await using secure = new SecureWorld();
  const { node, id, events } = await start(secure);
  const { messageId } = await node.post("bob", "by another way", new JsonTag({}, "elsewhere", 7));
  await until(() => events("delivered").length === 2, "the delivery");
  assert.deepEqual(events("delivered")[1], {
    event: "delivered",
    message_id: messageId,
    to: "bob",
    id,
  });
});

Deno.test("a program reads, searches and deletes what was said", async () => {
  await using secure = new SecureWorld();
  const { node, bob, id, answer, events } = await start(secure);
  const now = Math.floor(secure.world.clock.now() / 1000);
  const common = { peer: "bob", id, timestamp: now, stored_at: now, encrypted: true };
  const [{ message_id: sent }] = events("delivered");
  const [{ message_id: received, trust }] = events("message");
  const hello = {
    message_id: sent,
    ...common,
    direction: "out",
    content: "hello",
    state: "delivered",
    trust: "new",
  };
  const morning = {
    message_id: received,
    ...common,
    direction: "in",
    content: "good morning",
    trust,
  };
  const history = await answer({ command: "history", ref: 1 }, byEvent("history"));
  assert.deepEqual(history, { event: "history", messages: [hello, morning], ref: 1 });
  for (const command of [{ peer: "bob", count: 1 }, { peer: id, count: 1 }]) {
    const { messages } = await answer({ command: "history", ...command }, byEvent("history"));
    assert.deepEqual(messages, [morning]);
  }
  const typed = await answer("/history bob 1", byEvent("history"));
  assert.deepEqual(typed.messages, [morning]);
  const found = await answer({ command: "search", query: "morn*", ref: 2 }, byEvent("search"));
  assert.deepEqual(found, { event: "search", messages: [{ ...morning, before: hello }], ref: 2 });
  const { messages } = await answer("/search hello from:me", byEvent("search"));
  assert.deepEqual(messages, [{ ...hello, after: morning }]);
  const nobody = await answer({ command: "history", peer: "carol" }, byEvent("error"));
  assert.match(String(nobody.message), /^Cannot show a history with "carol": there is none/);
  await leave(secure, node, bob.node);
  await answer({ command: "send", to: "bob", content: "later", ref: 3 }, byEvent("pending"));
  const outbox = await answer({ command: "outbox", ref: 4 }, byEvent("outbox"));
  assert.equal(outbox.count, 1);
  assert.deepEqual((outbox.messages as Line[]).map(({ content, state }) => [content, state]), [
    ["later", "pending"],
  ]);
  const done = await answer({ command: "clear_history", peer: "bob", ref: 5 }, byEvent("done"));
  assert.equal(done.command, "clear_history");
  assert.equal(done.peer, "bob");
  assert.equal(done.ref, 5);
  assert.ok(Number(done.count) >= 2);
  const left = await answer("/history", byEvent("history"));
  assert.ok((left.messages as Line[]).every(({ state }) => state === "pending"));
  assert.equal((await answer("/outbox", byEvent("outbox"))).count, 1);
});

Deno.test("at the end a program learns how many messages wait for others to come back", async () => {
  await using secure = new SecureWorld();
  const { node, bob, keyboard, running, events } = await start(secure);
  await leave(secure, node, bob.node);
  keyboard.type("/send bob one\n/send bob two\n");
  keyboard.end();
  await running;
  assert.equal(events("pending").length, 3);
  assert.deepEqual(events().at(-1), { event: "remaining", count: 2 });
  await settle();
});

Deno.test("answers about a history that cannot be opened have the problem", async () => {
  await using secure = new SecureWorld();
  const { security, history } = await secure.profile();
  const problem = "Cannot open the history";
  const alice = await secure.startWith("alice", {
    security,
    history: { ...history, isDurable: false, problem },
  });
  const { answer } = drive(secure, alice.node);
  for (
    const [command, event] of [
      [{ command: "history" }, "history"],
      [{ command: "search", query: "x" }, "search"],
      [{ command: "outbox" }, "outbox"],
    ] as const
  ) {
    assert.equal((await answer(command, byEvent(event))).problem, problem);
  }
  const { message } = await answer({ command: "history", peer: "bob" }, byEvent("error"));
  assert.match(String(message), /^Cannot show a history with "bob": .*\. Cannot open the history$/);
});
