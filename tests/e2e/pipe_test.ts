import assert from "node:assert/strict";
import type { Child } from "../support/child.ts";
import { startClient, startPlainClient, startSupport } from "../support/program.ts";
import { unique } from "../support/unique.ts";
import { sendV1 } from "../support/v1_messages.ts";
import { sessionTest } from "../support/sessions.ts";

const LOOPBACK = ["--interface", "127.0.0.1"];

function start(nickname: string) {
  return startPlainClient({ args: ["-n", nickname, ...LOOPBACK] });
}

sessionTest(
  "a command from a pipe is carried out before the end of input ends the program",
  async () => {
    const [alice, bob] = [unique("alice"), unique("bob")];
    await using receiver = startClient(bob, { args: LOOPBACK });
    await receiver.waitFor({ event: "ready" });
    await using sender = start(alice);
    // The peer is not known yet when the line is read, and the input has ended when it is.
    await sender.write(`/send ${bob} hi there\n`);
    await sender.closeInput();
    await receiver.waitFor({ event: "message", from: alice, content: "hi there" });
    assert.equal((await sender.exited()).code, 0, sender.report());
    await receiver.waitFor({ event: "peer_down", nickname: alice, reason: "goodbye" });
  },
);

sessionTest("many lines from a pipe arrive all and in their order", async () => {
  const [alice, bob] = [unique("alice"), unique("bob")];
  await using receiver = startClient(bob, { args: LOOPBACK });
  await receiver.waitFor({ event: "ready" });
  await using sender = start(alice);
  await receiver.waitFor({ event: "peer_up", nickname: alice });
  const contents = Array.from({ length: 500 }, (_, index) => `line ${index}`);
  await sender.write(contents.map((content) => `/send ${bob} ${content}\n`).join(""));
  await sender.closeInput();
  await receiver.waitFor({ event: "message", content: "line 499" });
  const received = receiver.all({ event: "message", from: alice }).map(({ content }) => content);
  assert.deepEqual(received, contents);
  assert.equal((await sender.exited()).code, 0);
});

sessionTest("a message that comes to a pipe is one plain line", async () => {
  const [alice, bob] = [unique("alice"), unique("bob")];
  await using receiver = start(bob);
  await using sender = startClient(alice, { args: LOOPBACK });
  await sender.waitFor({ event: "peer_up", nickname: bob });
  await sender.send({ command: "send", to: bob, content: "plain\u001b[2J text" });
  await receiver.waitForText(new RegExp(`${alice} \\[new\\]: plain.*text`));
  const line = receiver.stdout.split("\n").find((text) => text.includes(`${alice} [new]: `))!;
  assert.match(line, /^\[\d\d:\d\d:\d\d\] /);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(receiver.stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});

Deno.test("the commands of version 1 work, and wrong ones are explained", async () => {
  const nickname = unique("alice");
  await using client = start(nickname);
  const said = async (line: string, pattern: RegExp) => {
    const before = client.stdout.length;
    const logged = client.stderr.length;
    await client.write(line + "\n");
    await client.waitUntil(
      `${pattern} after ${line}`,
      () =>
        pattern.test(client.stdout.slice(before) + client.stderr.slice(logged)) ? true : undefined,
    );
  };
  await said("hello", /Commands must start with \//);
  await said("/dance", /dance[^]*\/help/);
  await said("/send", /\/send <nickname> <message>/);
  await said("/send bob", /\/send <nickname> <message>/);
  await said("   /send   nobody-of-that-name   hi  ", /nobody-of-that-name/);
  await said("/help", /\/peers[^]*\/quit/);
  await said("/h", /\/peers[^]*\/quit/);
  await client.write("\n   \n");
  await said("/peers", /./);
  await client.write("/q\n");
  assert.equal((await client.exited()).code, 1, "a command failed");
});

for (const command of ["/quit", "/exit", "/q"]) {
  Deno.test(`${command} ends the program with status 0`, async () => {
    await using client = start(unique("alice"));
    await client.write(`${command}\n`);
    assert.equal((await client.exited()).code, 0);
  });
}

/** Where a client that speaks no JSON listens. */
async function addressOf(client: Child): Promise<{ hostname: string; port: number }> {
  const text = await client.waitForText(/listening on TCP port \d+\n/);
  const port = Number(/listening on TCP port (\d+)\n/.exec(text)![1]);
  return { hostname: "127.0.0.1", port };
}

Deno.test("commands from a pipe all reach a version 1 peer, each once", async () => {
  const [alice, bob] = [unique("alice"), unique("bob")];
  const settings = { nickname: bob, interface: "127.0.0.1", announceIntervalMs: 300 };
  await using receiver = startSupport("v1_peer_main.ts", settings);
  await receiver.waitFor({ event: "ready" });
  await using sender = start(alice);
  const contents = Array.from({ length: 500 }, (_, index) => `line ${index}`);
  await sender.write(contents.map((content) => `/send ${bob} ${content}\n`).join(""));
  await sender.closeInput();
  assert.equal((await sender.exited()).code, 0, sender.report());
  const received = await receiver.waitUntil("500 messages", () => {
    const messages = receiver.all({ event: "message", from: alice });
    return messages.length >= 500 ? messages.map(({ content }) => content) : undefined;
  });
  // Not in order: before it is known to read on, each message has a connection of its own.
  assert.deepEqual(received.sort(), contents.sort());
  assert.match(sender.stdout, new RegExp(`^→ sent to ${bob} in plain text`, "m"));
});

Deno.test("a version 1 message that comes to a pipe is one line that is marked", async () => {
  await using receiver = start(unique("bob"));
  await sendV1(await addressOf(receiver), "old", "plain\u001b[2J text");
  await receiver.waitForText(/old \[plain\]: plain.*text/);
  const line = receiver.stdout.split("\n").find((text) => text.includes("old "))!;
  assert.match(line, /^\[\d\d:\d\d:\d\d\] old \[plain\]: /);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(receiver.stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});

Deno.test("a closed output ends the program at the next version 1 message", async () => {
  await using reader = start(unique("alice"));
  const address = await addressOf(reader);
  await reader.closeOutput();
  await sendV1(address, "old", "anybody there?");
  const { code, signal } = await reader.exited();
  assert.ok(signal === null, `ended by ${signal} with ${code}`);
});

for (const json of [false, true]) {
  sessionTest(`a closed output ends the program${json ? " that speaks JSON" : ""}`, async () => {
    const [alice, bob] = [unique("alice"), unique("bob")];
    await using reader = json ? startClient(alice, { args: LOOPBACK }) : start(alice);
    await using writer = startClient(bob, { args: LOOPBACK });
    await writer.waitFor({ event: "peer_up", nickname: alice });
    await reader.closeOutput();
    await writer.send({ command: "send", to: alice, content: "anybody there?" });
    await writer.waitFor({ event: "peer_down", nickname: alice, reason: "goodbye" });
    const { code, signal } = await reader.exited();
    assert.ok(signal === null, `ended by ${signal} with ${code}`);
  });
}
