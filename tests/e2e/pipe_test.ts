import assert from "node:assert/strict";
import { startClient, startPlainClient } from "../support/program.ts";
import { unique } from "../support/unique.ts";

const LOOPBACK = ["--interface", "127.0.0.1"];

function start(nickname: string) {
  return startPlainClient({ args: ["-n", nickname, ...LOOPBACK] });
}

Deno.test("a command from a pipe is carried out before the end of input ends the program", async () => {
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
});

Deno.test("many lines from a pipe arrive all and in their order", async () => {
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

Deno.test("a message that comes to a pipe is one plain line", async () => {
  const [alice, bob] = [unique("alice"), unique("bob")];
  await using receiver = start(bob);
  await using sender = startClient(alice, { args: LOOPBACK });
  await sender.waitFor({ event: "peer_up", nickname: bob });
  await sender.send({ command: "send", to: bob, content: "plain\u001b[2J text" });
  await receiver.waitForText(new RegExp(`${alice}: plain.*text`));
  const line = receiver.stdout.split("\n").find((text) => text.includes(`${alice}: `))!;
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

for (const json of [false, true]) {
  Deno.test(`a closed output ends the program${json ? " that speaks JSON" : ""}`, async () => {
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
