import assert from "node:assert/strict";
import type { Node } from "../../lib/node.ts";
import { runJsonInterface } from "../../lib/ui/json.ts";
import { PlainInterface } from "../../lib/ui/plain.ts";
import { World } from "../node/fixtures.ts";
import { settle } from "../support/fake_clock.ts";
import { Keyboard, Paper, until } from "./driven.ts";

/** Pipes messages to "stopped", who takes nothing, "slow", who takes all within 100 ms, and "bob". */
async function start(kind: "plain" | "json") {
  const world = new World();
  const node = await world.start("alice");
  const others = [
    await world.start("bob"),
    await world.start("stopped"),
    await world.start("slow"),
  ];
  await world.clock.advance(6000);
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => {}); // where nothing was sent to it
  const send = node.send.bind(node);
  let batch: Promise<void> | undefined;
  node.send = async (to, content) => {
    if (to === "stopped") return stopped.promise;
    if (to !== "slow") return send(to, content);
    batch ??= world.clock.sleep(100).finally(() => batch = undefined);
    await batch;
    return node.find("bob");
  };
  const [keyboard, paper] = [new Keyboard(), new Paper()];
  const { read } = keyboard;
  const { output } = paper;
  const { signal } = new AbortController();
  const common = { clock: world.clock, node, version: "1", read, output, signal };
  const running = kind === "json"
    ? runJsonInterface(common)
    : new PlainInterface({ ...common, mode: "local", announceIntervalMs: 5000 }).run();
  return {
    world,
    keyboard,
    paper,
    async end(): Promise<void> {
      stopped.reject(new Error("It has gone"));
      keyboard.end();
      await running;
      await Promise.all([node, ...others].map((one: Node) => one[Symbol.asyncDispose]()));
    },
  };
}

for (const kind of ["plain", "json"] as const) {
  Deno.test(`a peer that takes nothing holds up the messages to others for 2 s, once (${kind})`, async () => {
    const { world, keyboard, paper, end } = await start(kind);
    const content = "x".repeat(2 ** 19);
    for (let number = 0; number < 20; number++) keyboard.type(`/send stopped ${content}\n`);
    keyboard.type("/send bob hello\n");
    await until(() => keyboard.taken > 8 * content.length, "the input to be read");
    await settle(20);
    const isSent = () =>
      paper.lines.some((line) => /^\* sent to bob|"event":"sent","to":"bob"/.test(line));
    await world.clock.advance(1999);
    assert.ok(!isSent(), "it is waited for");
    await world.clock.advance(1);
    await until(isSent, "the message to bob");
    const refused = paper.lines.filter((line) => line.includes("4194304 characters are waiting"));
    assert.equal(refused.length, 12);
    assert.ok(refused.every((line) => line.includes("wait until it has read them")));
    await end();
  });

  Deno.test(`a script that is faster than a peer that reads loses nothing (${kind})`, async () => {
    const { world, keyboard, paper, end } = await start(kind);
    const count = 120_000;
    const commands = "/send slow x\n".repeat(count);
    keyboard.type(commands);
    await settle(20);
    assert.ok(keyboard.taken < commands.length * 0.6, `${keyboard.taken} bytes were read`);
    const sent = () => paper.text.split(/^\* sent to|"event":"sent","to":"slow"/m).length - 1;
    for (let turn = 0; turn < 60 && sent() < count; turn++) await world.clock.advance(100);
    assert.equal(sent(), count);
    await end();
  });
}
