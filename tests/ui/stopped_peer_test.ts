import assert from "node:assert/strict";
import type { Node } from "../../lib/node.ts";
import { runJsonInterface } from "../../lib/ui/json.ts";
import { PlainInterface } from "../../lib/ui/plain.ts";
import { Listening } from "../node/fixtures.ts";
import { SecureWorld } from "../node/secure_world.ts";
import { Keyboard, Paper, startSecure, until } from "./driven.ts";

const KINDS = ["plain", "json"] as const;

/** Alice, who is driven from a pipe. */
async function drive(secure: SecureWorld, kind: typeof KINDS[number]) {
  const node = await startSecure(secure, "alice");
  const [keyboard, paper] = [new Keyboard(), new Paper()];
  const { read } = keyboard;
  const { output } = paper;
  const { signal } = new AbortController();
  const common = { clock: secure.world.clock, node, version: "1", read, output, signal };
  const running = kind === "json"
    ? runJsonInterface(common)
    : new PlainInterface({ ...common, mode: "local", announceIntervalMs: 5000 }).run();
  return { node, keyboard, paper, running };
}

/** How many messages a peer has taken, as the interface tells it. */
function deliveredTo(paper: Paper, nickname: string): number {
  const line = new RegExp(
    `^✓ delivered to ${nickname}$|"event":"delivered",.*"to":"${nickname}"`,
    "gm",
  );
  return paper.text.match(line)?.length ?? 0;
}

for (const kind of KINDS) {
  Deno.test(`a peer that takes nothing holds up no messages to others (${kind})`, async () => {
    await using secure = new SecureWorld();
    const { keyboard, paper, running } = await drive(secure, kind);
    // Nobody takes its events, so it stops reading.
    const stopped: Node = await secure.start("stopped");
    const bob = new Listening(await secure.start("bob"));
    keyboard.type("/send bob hello\n/send stopped hello\n");
    await until(() => bob.heard.length === 1, "the session");
    const content = "x".repeat(2 ** 16);
    const count = 400;
    for (let number = 0; number < count; number++) keyboard.type(`/send stopped ${content}\n`);
    keyboard.type("/send bob after all\n");
    let looks = 0;
    await until(() => {
      // Whoever writes faster than is taken waits a moment at the most.
      if (++looks % 100 === 0 && looks <= 4000) void secure.world.clock.advance(100);
      return bob.heard.length === 2;
    }, "the message to bob, without waiting");
    assert.ok(deliveredTo(paper, "stopped") < count / 2, "most are not taken yet");
    const resumed = new Listening(stopped);
    keyboard.end();
    await until(() => deliveredTo(paper, "stopped") === count + 1, "all messages");
    assert.equal(resumed.heard.length, count + 1);
    await running;
  });
}

Deno.test("a script that pipes 200,000 messages loses nothing and doubles nothing", async () => {
  await using secure = new SecureWorld();
  const { node, keyboard, running } = await drive(secure, "json");
  const bob = await secure.start("bob");
  let heard = 0;
  const counting = (async () => {
    for await (const event of bob.events) {
      if (event.type !== "message") continue;
      assert.equal(event.message.content, String(heard));
      heard++;
    }
  })();
  const count = 200_000;
  const commands = Array.from({ length: count }, (_, number) => `/send bob ${number}\n`).join("");
  keyboard.type(commands);
  keyboard.end();
  let ended = false;
  void running.then(() => ended = true);
  // By real time, since the messages take real turns of the event loop.
  for (let turn = 0; turn < 12_000 && !ended; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(ended);
  assert.equal(heard, count);
  assert.equal(node.messages.pendingCount, 0);
  await secure.end(bob);
  await counting;
});
