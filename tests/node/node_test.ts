import assert from "node:assert/strict";
import { silentLog } from "../../lib/base/log.ts";
import { ConnectError, LimitError, ParlanceError, UnknownPeerError } from "../../lib/errors.ts";
import { settle } from "../support/fake_clock.ts";
import { watched } from "../peer/fixtures.ts";
import { Listening, World } from "./fixtures.ts";

Deno.test("two nodes find each other within 250 ms, chat, and say goodbye", async () => {
  const world = new World();
  const alice = new Listening(await world.start("alice"));
  const bob = new Listening(await world.start("bob"));
  await world.clock.advance(250);
  assert.deepEqual(alice.story, ["+bob"]);
  assert.deepEqual(bob.story, ["+alice"]);
  const peer = await alice.node.send("bob", "hello");
  assert.equal(peer.nickname, "bob");
  await bob.node.send("alice", "hello yourself\nalice\u001b[2J \ud800");
  await settle();
  assert.deepEqual(bob.heard, ["alice: hello"]);
  assert.deepEqual(alice.heard, ["bob: hello yourself\nalice\u001b[2J \ufffd"]);
  const [message] = bob.events.filter((event) => event.type === "message");
  assert.equal(message.address?.hostname, "10.0.0.1");
  assert.equal(message.message.timestamp, Math.floor(world.clock.now() / 1000));
  await bob.node[Symbol.asyncDispose]();
  await bob.ended;
  await settle();
  assert.equal(alice.story.at(-1), "-bob (goodbye)");
  assert.deepEqual(alice.node.peers(), []);
  await assert.rejects(alice.node.send("bob", "still there?"), UnknownPeerError);
  await alice.node[Symbol.asyncDispose]();
  await alice.ended;
  assert.equal(world.clock.waiting, 0, "nothing is left behind");
});

Deno.test("five nodes all chat with all, everything once and in order", async () => {
  const world = new World();
  world.network.delayMs = 3;
  const names = ["ada", "ben", "cem", "dia", "eve"];
  const nodes: Listening[] = [];
  for (const name of names) {
    nodes.push(new Listening(await world.start(name)));
    await world.clock.advance(20);
  }
  await world.clock.advance(1000);
  for (const { node } of nodes) assert.equal(node.peers().length, 4);
  const sends: Promise<unknown>[] = [];
  for (let round = 0; round < 20; round++) {
    for (const { node } of nodes) {
      for (const name of names) {
        if (name !== node.nickname) sends.push(node.send(name, `${round} for ${name}`));
      }
    }
  }
  await world.clock.advance(1000);
  await Promise.all(sends);
  for (const { node, heard } of nodes) {
    assert.equal(heard.length, 80);
    for (const from of names.filter((name) => name !== node.nickname)) {
      assert.deepEqual(
        heard.filter((line) => line.startsWith(from)),
        Array.from({ length: 20 }, (_, round) => `${from}: ${round} for ${node.nickname}`),
      );
    }
  }
  const closing = Promise.all(nodes.map(({ node }) => node[Symbol.asyncDispose]()));
  await world.clock.advance(1000);
  await closing;
});

Deno.test("nodes on both sides of a partition lose each other, and find each other again", async () => {
  const world = new World();
  const [one, two] = [world.host(), world.host()];
  const alice = new Listening(await world.start("alice", { host: one }));
  const bob = new Listening(await world.start("bob", { host: two }));
  await world.clock.advance(250);
  await alice.node.send("bob", "before");
  await settle();
  world.network.partition([one], [two]);
  const meanwhile = watched(alice.node.send("bob", "meanwhile"));
  await world.clock.advance(25_000);
  assert.equal(meanwhile.state, "sent", "the network took it before the cut was known");
  assert.equal(alice.story.at(-1), "-bob (timeout)");
  assert.equal(bob.story.at(-1), "-alice (timeout)");
  world.network.heal();
  await world.clock.advance(10_000);
  assert.equal(alice.story.at(-1), "+bob");
  await alice.node.send("bob", "after");
  await settle();
  assert.equal(bob.heard[0], "alice: before");
  assert.equal(bob.heard.at(-1), "alice: after");
  assert.equal(new Set(bob.heard).size, bob.heard.length, "nothing is doubled");
  for (const { node } of [alice, bob]) await node[Symbol.asyncDispose]();
});

Deno.test("a peer that cannot be reached is told by an error, within the time-out", async () => {
  const world = new World();
  const [one, two] = [world.host(), world.host()];
  const alice = new Listening(await world.start("alice", { host: one }));
  const bob = new Listening(await world.start("bob", { host: two }));
  await world.clock.advance(250);
  world.network.partition([one], [two]);
  const send = watched(alice.node.send("bob", "hello"));
  await world.clock.advance(5001);
  assert.ok(send.state instanceof ConnectError);
  assert.match(
    send.state.message,
    /Cannot connect to "bob" at 10\.0\.0\.2:\d+ \(no answer within 5 s\)/,
  );
  world.network.heal();
  await alice.node.send("bob", "there you are");
  await settle();
  assert.deepEqual(bob.heard, ["alice: there you are"]);
  for (const { node } of [alice, bob]) await node[Symbol.asyncDispose]();
});

Deno.test("after every connection was cut messages go out on new ones", async () => {
  const world = new World();
  const host = world.host();
  const alice = new Listening(await world.start("alice", { host }));
  const bob = new Listening(await world.start("bob"));
  await world.clock.advance(250);
  for (let round = 0; round < 5; round++) {
    await alice.node.send("bob", `forth ${round}`);
    await bob.node.send("alice", `back ${round}`);
    await settle();
    world.network.cut(host);
    await settle();
  }
  assert.deepEqual(bob.heard, [0, 1, 2, 3, 4].map((round) => `alice: forth ${round}`));
  assert.deepEqual(alice.heard, [0, 1, 2, 3, 4].map((round) => `bob: back ${round}`));
  for (const { node } of [alice, bob]) await node[Symbol.asyncDispose]();
});

Deno.test("a node whose events nobody takes lets its peers wait, and loses nothing", async () => {
  const world = new World();
  const alice = new Listening(await world.start("alice"));
  const slow = await world.start("slow");
  await world.clock.advance(250);
  const content = "x".repeat(1000);
  const sends = Array.from(
    { length: 12_000 },
    (_, at) => watched(alice.node.send("slow", `${at} ${content}`)),
  );
  await settle(40);
  const sent = sends.filter(({ state }) => state === "sent").length;
  assert.ok(sent < 6000, `${sent} were taken while nobody read`);
  const late = new Listening(slow);
  for (let turn = 0; turn < 5000 && late.heard.length < 12_000; turn += 20) await settle(20);
  assert.equal(late.heard.length, 12_000);
  assert.ok(late.heard.every((line, at) => line.startsWith(`alice: ${at} `)));
  assert.ok(sends.every(({ state }) => state === "sent"));
  for (const node of [alice.node, slow]) await node[Symbol.asyncDispose]();
});

Deno.test("a node that nobody listens to ends all the same, and rejects what waits", async () => {
  const world = new World();
  const alice = new Listening(await world.start("alice"));
  const slow = await world.start("slow");
  await world.clock.advance(250);
  const content = "x".repeat(1000);
  const sends = Array.from({ length: 20_000 }, () => watched(alice.node.send("slow", content)));
  await settle(40);
  await alice.node[Symbol.asyncDispose]();
  await settle();
  assert.ok(sends.at(-1)!.state instanceof Error);
  assert.ok(sends.every(({ state }) => state !== "waiting"));
  await slow[Symbol.asyncDispose]();
  await slow[Symbol.asyncDispose]();
  await assert.rejects(slow.send("alice", "after the end"), ParlanceError);
  const rest = new Listening(slow);
  await rest.ended;
  assert.equal(world.clock.waiting, 0);
});

Deno.test("namesakes are told apart, and a nickname that stands for both is refused", async () => {
  const world = new World();
  const nodes = [];
  for (const name of ["bob", "bob", "alice"]) nodes.push(new Listening(await world.start(name)));
  const [first, second, alice] = nodes;
  await world.clock.advance(250);
  const labels = alice.node.peers().map(({ label }) => label);
  assert.equal(new Set(labels).size, 2);
  await assert.rejects(alice.node.send("bob", "which?"), (error: Error) => {
    assert.equal(error.name, "AmbiguousPeerError");
    return labels.every((label) => error.message.includes(JSON.stringify(label)));
  });
  for (const label of labels) {
    assert.equal(alice.node.find(label).label, label);
    await alice.node.send(label, `to ${label}`);
  }
  await settle();
  assert.deepEqual(
    [...first.heard, ...second.heard].sort(),
    labels.map((l) => `alice: to ${l}`).sort(),
  );
  assert.equal(first.heard.length, 1);
  // One's own nickname is no namesake's, though only one is there.
  await assert.rejects(first.node.send("bob", "me?"), { name: "AmbiguousPeerError" });
  const [namesake] = first.node.peers().filter(({ nickname }) => nickname === "bob");
  await first.node.send(namesake.label, "we have the same name");
  await settle();
  assert.equal(second.heard.at(-1), "bob: we have the same name");
  const heard = second.events.filter((event) => event.type === "message").at(-1);
  assert.equal(heard?.label, "bob~10.0.0.1");
  for (const { node } of nodes) await node[Symbol.asyncDispose]();
});

Deno.test("a message above the limit is neither sent nor taken, and the limit is in bytes", async () => {
  const world = new World();
  const alice = new Listening(await world.start("alice", { maxContentBytes: 100 }));
  const bob = new Listening(await world.start("bob", { maxContentBytes: 99 }));
  await world.clock.advance(250);
  await assert.rejects(alice.node.send("bob", "ä".repeat(51)), (error: Error) => {
    assert.ok(error instanceof LimitError);
    assert.match(error.message, /Cannot send 102 bytes to "bob": a message has at most 100/);
    return true;
  });
  await alice.node.send("bob", "ä".repeat(50));
  await alice.node.send("bob", "fits");
  await settle();
  assert.deepEqual(bob.heard, ["alice: fits"]);
  assert.deepEqual(bob.node.refusals, { "content above the limit": 1 });
  for (const { node } of [alice, bob]) await node[Symbol.asyncDispose]();
});

Deno.test("a port that is taken is an error that says so and what to do", async () => {
  const world = new World();
  const host = world.host();
  const alice = await world.start("alice", { host, port: 5000 });
  assert.equal(alice.tcpPort, 5000);
  await assert.rejects(world.start("bob", { host, port: 5000 }), (error: Error) => {
    assert.ok(error instanceof ParlanceError);
    assert.match(
      error.message,
      /^Cannot listen for messages on TCP 0\.0\.0\.0:5000: Address already in use; choose another/,
    );
    assert.ok(error.cause instanceof Error);
    return true;
  });
  await alice[Symbol.asyncDispose]();
  const again = await world.start("alice", { host, port: 5000 });
  await again[Symbol.asyncDispose]();
  assert.equal(world.clock.waiting, 0);
});

Deno.test("discovery that cannot work is told, and the node works when it can", async () => {
  const world = new World();
  const host = world.host();
  const bob = new Listening(await world.start("bob"));
  const [interface_] = host.interfaces;
  host.interfaces = [];
  const alice = new Listening(await world.start("alice", { host }));
  await world.clock.advance(1000);
  assert.equal(alice.story.length, 1);
  assert.match(alice.story[0], /^! /);
  host.interfaces = [interface_];
  await world.clock.advance(10_000);
  assert.equal(alice.story.at(-1), "+bob");
  await bob.node.send("alice", "welcome");
  await settle();
  assert.equal(alice.heard.at(-1), "bob: welcome");
  for (const { node } of [alice, bob]) await node[Symbol.asyncDispose]();
});

Deno.test("a bootstrap server out of reach is told once, and LAN discovery goes on", async () => {
  const world = new World();
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (text: string) => warnings.push(text) };
  const alice = new Listening(await world.start("alice", { mode: "both", log }));
  const bob = new Listening(await world.start("bob"));
  await world.clock.advance(60_000);
  const story = alice.story.filter((line) => line.startsWith("bootstrap"));
  assert.deepEqual(story, ["bootstrap connecting", "bootstrap disconnected"]);
  await alice.node.send("bob", "hello");
  await settle();
  assert.deepEqual(bob.heard, ["alice: hello"]);
  for (const { node } of [alice, bob]) await node[Symbol.asyncDispose]();
  assert.equal(world.clock.waiting, 0);
});

Deno.test("a bootstrap server that lists ever other peers waits for a slow user, too", async () => {
  const world = new World();
  let lists = 0;
  let closed = false;
  /** Whole lists of a thousand peers, each of them new. */
  async function* messages() {
    yield JSON.stringify({ type: "registered", peer_id: "me", public_addr: "192.0.2.1:1" });
    for (; lists < 200 && !closed; lists++) {
      const peers = Array.from({ length: 1000 }, (_, at) => ({
        peer_id: `${lists}-${at}`,
        nickname: `peer${lists}-${at}`,
        public_addr: `192.0.2.2:${at + 1}`,
        local_addr: "0.0.0.0:1",
        last_seen: 1,
      }));
      yield JSON.stringify({ type: "peer_list", peers });
      await settle(1);
    }
  }
  const node = await world.start("alice", {
    mode: "internet",
    dialTextChannel: () => {
      const close = () => Promise.resolve(void (closed = true));
      return Promise.resolve({ messages: messages(), send() {}, [Symbol.asyncDispose]: close });
    },
  });
  await settle(100);
  assert.ok(lists > 0 && lists < 20, `${lists} lists were taken`);
  await node[Symbol.asyncDispose]();
  assert.equal(world.clock.waiting, 0);
});
