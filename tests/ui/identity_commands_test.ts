import assert from "node:assert/strict";
import type { Node } from "../../lib/node.ts";
import { runJsonInterface } from "../../lib/ui/json.ts";
import { parseCommand } from "../../lib/ui/commands.ts";
import { isIdentityCommand, runIdentityCommand } from "../../lib/ui/identity_text.ts";
import { plainStyle } from "../../lib/ui/style.ts";
import { PlainInterface } from "../../lib/ui/plain.ts";
import { Listening, World } from "../node/fixtures.ts";
import { SecureWorld } from "../node/secure_world.ts";
import { settle } from "../support/fake_clock.ts";
import { Keyboard, Paper, startKeeping, startSecure, until } from "./driven.ts";

type Line = Record<string, unknown>;

/** Alice, driven by JSON. */
function driveByJson(secure: SecureWorld, node: Node) {
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
  const lines = () => paper.lines.map((line) => JSON.parse(line) as Line);
  let lastRef = 0;
  return {
    keyboard,
    running,
    lines,
    events: (name: string) => lines().filter(({ event }) => event === name),
    /** Runs a command; `ref` is left out of the answer, since it is not the same twice. */
    async answer(command: Line | string): Promise<Line> {
      const before = paper.lines.length;
      const ref = ++lastRef;
      const isText = typeof command === "string";
      keyboard.type(`${isText ? command : JSON.stringify({ ...command, ref })}\n`);
      const isAnswer = (line: Line) =>
        isText
          ? ["done", "whoami", "safety_number", "error"].includes(String(line.event))
          : line.ref === ref && !["pending", "sent"].includes(String(line.event));
      await until(
        () => lines().slice(before).some(isAnswer),
        `an answer to ${JSON.stringify(command)}`,
      );
      const { ref: _, ...answer } = lines().slice(before).find(isAnswer)!;
      return answer;
    },
    async end(): Promise<void> {
      keyboard.end();
      await running;
    },
  };
}

const ID = /^([A-Z2-7]{7}-){7}[A-Z2-7]{7}$/;

Deno.test("a program learns ids, compares safety numbers and records what it thinks of a peer", async () => {
  await using secure = new SecureWorld();
  const alice = await startSecure(secure, "alice");
  const bob = new Listening(await secure.start("bob"));
  const { answer, events, end } = driveByJson(secure, alice);
  const id = bob.node.id!;
  const trustOf = async (label: string) => {
    const { peers } = await answer({ command: "peers" });
    return (peers as Line[]).find((peer) => peer.label === label)?.trust;
  };
  assert.match(id, ID);
  await settle();
  assert.deepEqual(events("ready").map((event) => event.id), [alice.id]);
  assert.deepEqual(await answer({ command: "whoami" }), {
    event: "whoami",
    nickname: "alice",
    id: alice.id,
  });
  await until(() => events("peer_up").length === 1, "bob");
  const [{ id: announced, encrypted, trust }] = events("peer_up");
  assert.deepEqual([announced, encrypted, trust], [id, true, "new"]);
  const early = await answer({ command: "verify", peer: "bob" });
  assert.match(String(early.message), /^Cannot verify "bob": its safety number was not shown yet/);

  assert.equal((await answer({ command: "send", to: "bob", content: "hi" })).event, "delivered");
  assert.deepEqual(events("identity"), [
    { event: "identity", change: "new", nickname: "bob", id },
  ]);
  assert.equal(await trustOf("bob"), "known");
  const number = await answer({ command: "safety_number", peer: "bob" });
  assert.deepEqual(number, {
    event: "safety_number",
    peer: "bob",
    number: (await bob.node.contacts.safetyNumber("alice")).number,
    id,
    verified: false,
    others: [],
  });
  const done = (command: string, peer: string) => ({ event: "done", command, peer, id });
  assert.deepEqual(await answer({ command: "verify", peer: "bob" }), done("verify", "bob"));
  assert.equal(await trustOf("bob"), "verified");
  assert.equal((await answer({ command: "safety_number", peer: id })).verified, true);

  await bob.node.send("alice", "hello");
  await until(() => events("message").length === 1, "the message");
  const [{ address: _, timestamp: __, message_id: ___, ...message }] = events("message");
  assert.deepEqual(message, {
    event: "message",
    from: "bob",
    content: "hello",
    id,
    encrypted: true,
    trust: "verified",
  });

  assert.deepEqual(await answer({ command: "block", peer: "bob" }), done("block", "bob"));
  assert.equal(await trustOf("bob"), "blocked");
  const refused = await answer({ command: "send", to: "bob", content: "hi" });
  assert.match(String(refused.message), /you have blocked it; \/unblock it first/);
  assert.deepEqual(await answer({ command: "unblock", peer: id }), done("unblock", id));
  assert.equal(await trustOf("bob"), "verified");
  assert.deepEqual(await answer({ command: "forget", peer: "bob" }), done("forget", "bob"));
  assert.equal(await trustOf("bob"), "new");
  const again = await answer({ command: "forget", peer: "bob" });
  assert.match(String(again.message), /^Cannot forget "bob": nobody is known/);
  await end();
});

Deno.test("slash commands about identities are answered by objects, too", async () => {
  await using secure = new SecureWorld();
  const alice = await startSecure(secure, "alice");
  const bob = await secure.start("bob");
  const { answer, end } = driveByJson(secure, alice);
  await answer({ command: "send", to: "bob", content: "hi" });
  assert.equal((await answer("/whoami")).id, alice.id);
  assert.equal((await answer("/verify bob")).event, "safety_number");
  for (const command of ["verify", "block", "unblock", "forget"]) {
    const line = command === "verify" ? "/verify bob ok" : `/${command} bob`;
    assert.deepEqual(await answer(line), { event: "done", command, peer: "bob", id: bob.id });
  }
  assert.match(String((await answer("/trust nobody")).message), /"nobody"/);
  await end();
});

Deno.test("a nickname with another id gets nothing until the program trusts it", async () => {
  await using secure = new SecureWorld();
  const alice = await startSecure(secure, "alice");
  const bob = await secure.start("bob");
  const { answer, events, end } = driveByJson(secure, alice);
  await answer({ command: "send", to: "bob", content: "hi" });
  const other = await secure.start("bob");
  await other.send("alice", "it is me");
  await until(() => events("identity").length === 2, "the warning");
  assert.deepEqual(events("identity")[1], {
    event: "identity",
    change: "changed",
    nickname: "bob",
    id: other.id,
    known_id: bob.id,
  });
  await until(() => events("message").length === 1, "the message");
  assert.equal(events("message")[0].trust, "changed");
  const label = `bob~${other.id!.slice(0, 4)}`;
  const refused = await answer({ command: "send", to: label, content: "who?" });
  assert.match(String(refused.message), /its identity has changed/);
  for (const id of [bob.id, other.id]) assert.ok(String(refused.message).includes(id!));
  assert.deepEqual(await answer({ command: "trust", peer: "bob" }), {
    event: "done",
    command: "trust",
    peer: "bob",
    id: other.id,
  });
  assert.equal((await answer({ command: "send", to: "bob", content: "you" })).event, "delivered");
  await end();
});

Deno.test("a command about a peer is answered although the input has ended behind it", async () => {
  await using secure = new SecureWorld();
  const alice = await startSecure(secure, "alice");
  const bob = await secure.start("bob");
  const { keyboard, running, events } = driveByJson(secure, alice);
  keyboard.type(`{"command":"safety_number","peer":"${bob.id}"}\n{"command":"quit"}\n`);
  await running;
  assert.equal(events("safety_number").length, 1);
});

Deno.test("commands about peers are run, and answered, in the order of the input", async () => {
  await using secure = new SecureWorld();
  const alice = await startSecure(secure, "alice");
  const bob = await secure.start("bob");
  const { keyboard, running, answer, lines } = driveByJson(secure, alice);
  await answer({ command: "send", to: "bob", content: "hi" });
  const commands = ["safety_number", "verify", "safety_number", "forget", "safety_number", "block"];
  const before = lines().length;
  for (const command of commands) {
    keyboard.type(`${JSON.stringify({ command, peer: bob.id, ref: command })}\n`);
  }
  keyboard.type('{"command":"whoami"}\n');
  keyboard.end();
  await running;
  const answers = lines().slice(before).filter(({ event }) => event !== "peer_down");
  assert.deepEqual(answers.map(({ event, ref }) => ref ?? event), [...commands, "whoami"]);
  assert.deepEqual(answers.flatMap(({ verified }) => verified ?? []), [false, true, false]);
});

Deno.test("people get the answers as text", async () => {
  await using secure = new SecureWorld();
  const alice = await startSecure(secure, "alice");
  const bob = await secure.start("bob smith");
  const keyboard = new Keyboard();
  const paper = new Paper();
  const running = new PlainInterface({
    clock: secure.world.clock,
    node: alice,
    mode: "local",
    version: "1",
    announceIntervalMs: 5000,
    read: keyboard.read,
    output: paper.output,
    signal: new AbortController().signal,
  }).run();
  const said = async (line: string, pattern: RegExp): Promise<string> => {
    const before = paper.text.length;
    keyboard.type(`${line}\n`);
    await until(() => pattern.test(paper.text.slice(before)), `${pattern} after ${line}`);
    return paper.text.slice(before);
  };
  await secure.world.clock.advance(500); // from then on /peers waits for nobody
  assert.match(
    paper.text,
    /Messages are encrypted, but to and from peers that are marked \[plain\]/,
  );
  const { id } = bob;
  await said("/whoami", new RegExp(`^You are alice\\. Your id:\\n  ${alice.id}\\n`, "m"));
  await said('/send "bob smith" hi', /^✓ delivered to "bob smith"$/m);
  assert.match(paper.text, new RegExp(`^\\* bob smith is new to you: ${id}; `, "m"));
  const number = await said('/verify "bob smith"', /type \/verify "bob smith" ok\n/);
  assert.match(number, new RegExp(`Safety number of you and bob smith \\(${id}\\):`));
  const digits = number.match(/^( {2}\d{5}( \d{5}){3}\n){3}/m)![0].trim().split(/\s+/).join(" ");
  assert.equal(digits, (await bob.contacts.safetyNumber("alice")).number);
  await said('/verify "bob smith" ok', new RegExp(`^bob smith is verified: ${id}\\n`, "m"));
  await said('/verify "bob smith"', /^You have compared it before\n/m);
  await said("/peers", /^ {2}"bob smith" .* verified /m);
  await bob.send("alice", "hello");
  await until(() => /\] "bob smith" ✓: hello\n/.test(paper.text), "the message");
  await said('/block "bob smith"', new RegExp(`^Blocked bob smith: ${id}\\n`, "m"));
  await said('/send "bob smith" hi', /you have blocked it; \/unblock it first/);
  await said('/unblock "bob smith"', new RegExp(`^Unblocked bob smith: ${id}\\n`, "m"));
  await said('/forget "bob smith"', new RegExp(`^Forgot bob smith: ${id}\\n`, "m"));
  await said("/peers", /^ {2}"bob smith" .* new /m);
  await said('/trust "bob smith"', /"bob smith"/);
  keyboard.end();
  assert.equal(await running, false);
});

Deno.test("during a warning it is said whose safety number is which, and how to go on", async () => {
  await using secure = new SecureWorld();
  const alice = await startSecure(secure, "alice");
  const bob = await secure.start("bob");
  const { answer, end } = driveByJson(secure, alice);
  const text = async (line: string) => {
    const command = parseCommand(line);
    assert.ok(isIdentityCommand(command));
    return await runIdentityCommand(alice, command, plainStyle);
  };
  await alice.send("bob", "hi");
  await text("/verify bob");
  await text("/verify bob ok");
  const other = await secure.start("bob");
  await other.send("alice", "it is me");
  const known = (await bob.contacts.safetyNumber("alice")).number;
  const now = (await other.contacts.safetyNumber("alice")).number;
  const rows = (number: string) => number.replace(/((?:\d{5} ){3}\d{5}) ?/g, "  $1\n").trimEnd();
  assert.equal(
    await text("/verify bob"),
    "WARNING: who calls itself bob now is not the bob that you know\n" +
      `Safety number of you and the bob that you know (${bob.id}):\n${rows(known)}\n` +
      "You have compared this number before\n" +
      `Safety number of you and another one that calls itself bob now (${other.id}):\n` +
      `${rows(now)}\nYou have not compared this number yet\n` +
      "Ask by another way, such as a call, which number is on the other screen, and type " +
      "/verify ID ok with the id above it. If the other one is the one that you mean, " +
      "/trust ID gives it the nickname; if not, /block ID shuts it out",
  );
  assert.deepEqual(await answer({ command: "safety_number", peer: "bob" }), {
    event: "safety_number",
    peer: "bob",
    id: bob.id,
    number: known,
    verified: true,
    others: [{ id: other.id, number: now, verified: false }],
  });
  const unclear = await answer({ command: "verify", peer: "bob" });
  assert.ok([bob.id, other.id].every((id) => String(unclear.message).includes(id!)));
  await text(`/verify ${other.id} ok`);
  const { peers } = await answer({ command: "peers" });
  const trusts = (peers as Line[]).map(({ id, trust }) => [id, trust]);
  assert.deepEqual(trusts, [[bob.id, "verified"], [other.id, "changed"]]);
  assert.equal((await answer({ command: "trust", peer: other.id })).id, other.id);
  assert.equal(alice.trustOf(alice.find("bob")), "verified");
  assert.equal(alice.find("bob").id, other.id);
  await end();
});

Deno.test("a mistyped id is told with the group that is wrong, in every command", async () => {
  await using secure = new SecureWorld();
  const alice = await startSecure(secure, "alice");
  const bob = await secure.start("bob");
  const { answer, end } = driveByJson(secure, alice);
  const mistyped = bob.id!.replace(/.$/, (last) => last === "A" ? "B" : "A");
  const commands = ["safety_number", "verify", "trust", "forget", "block", "unblock"];
  for (const command of commands) {
    const { message } = await answer({ command, peer: mistyped });
    assert.match(String(message), /group 7 or 8 is mistyped/, command);
  }
  const { message } = await answer({ command: "send", to: mistyped, content: "hi" });
  assert.match(String(message), /group 7 or 8 is mistyped/);
  for (const line of ["/send ID hi", "/verify ID", "/verify ID ok", "/trust ID", "/forget ID"]) {
    const { message } = await answer(line.replace("ID", mistyped));
    assert.match(String(message), /group 7 or 8 is mistyped/, line);
  }
  assert.equal((await answer({ command: "send", to: bob.id, content: "hi" })).event, "delivered");
  const own = await answer({ command: "block", peer: alice.id });
  assert.match(String(own.message), /that is your own id/);
  await end();
});

Deno.test("without an identity the commands say so", async () => {
  const world = new World();
  const node = await startKeeping(world, "alice");
  const bob = await world.start("bob");
  await world.clock.advance(6000);
  const keyboard = new Keyboard();
  const paper = new Paper();
  const running = new PlainInterface({
    clock: world.clock,
    node,
    mode: "local",
    version: "1",
    announceIntervalMs: 5000,
    read: keyboard.read,
    output: paper.output,
    signal: new AbortController().signal,
  }).run();
  keyboard.type("/whoami\n/verify bob\n/block bob\n");
  keyboard.end();
  assert.equal(await running, false);
  assert.match(paper.text, /^You are alice, without an identity$/m);
  assert.equal(paper.text.match(/^Cannot do that without an identity$/gm)?.length, 2);
  for (const one of [node, bob]) await one[Symbol.asyncDispose]();
});
