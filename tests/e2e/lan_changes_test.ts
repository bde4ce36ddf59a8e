import assert from "node:assert/strict";
import type { Child } from "../support/child.ts";
import { namespaceTest, Network, oneHost, oneLan } from "../support/namespaces.ts";
import { startClient } from "../support/program.ts";
import { namespaceSessionTest } from "../support/sessions.ts";

const OFTEN = "[peer]\nannounce_interval_secs = 1\ntimeout_secs = 5\n";

namespaceSessionTest("an interface that appears while running is joined", async () => {
  await using network = new Network();
  const lan = await network.lan();
  const [left, right] = [await network.host(), await network.host()];
  await lan.plug(right, "eth0", "10.0.0.2/24");
  await using alice = startClient("alice", { host: left, config: OFTEN });
  await alice.waitFor({ event: "ready" });
  await using bob = startClient("bob", { host: right, config: OFTEN });
  await bob.waitFor({ event: "ready" });
  await lan.plug(left, "eth0", "10.0.0.1/24");
  await alice.waitFor({ event: "peer_up", nickname: "bob" });
  await bob.waitFor({ event: "peer_up", nickname: "alice" });
  await alice.send({ command: "send", to: "bob", content: "plugged in" });
  await bob.waitFor({ event: "message", from: "alice", content: "plugged in" });
});

namespaceSessionTest("an interface that goes and comes again is joined again", async () => {
  await using network = await oneLan(2);
  const [left, right] = network.hosts;
  await using alice = startClient("alice", { host: left, config: OFTEN });
  await using bob = startClient("bob", { host: right, config: OFTEN });
  await alice.waitFor({ event: "peer_up", nickname: "bob" });
  const from = alice.mark();
  await left.ip("link", "set", "eth0", "down");
  await left.ip("addr", "flush", "dev", "eth0");
  await alice.waitFor({ event: "peer_down", nickname: "bob", reason: "timeout" }, from);
  await left.ip("addr", "add", "10.0.0.9/24", "dev", "eth0");
  await left.ip("link", "set", "eth0", "up");
  await alice.waitFor({ event: "peer_up", nickname: "bob" }, from);
  await alice.send({ command: "send", to: "bob", content: "here again" });
  await bob.waitFor({ event: "message", from: "alice", content: "here again" });
});

namespaceTest("a host without any network starts, and says what is missing", async () => {
  await using network = new Network();
  const host = await network.host();
  await host.ip("link", "set", "lo", "down");
  await using alice = startClient("alice", { host });
  await alice.waitFor({ event: "ready" });
  await alice.waitUntil(
    "a word about interfaces",
    () => /interface/i.test(alice.stderr + alice.stdout) ? true : undefined,
  );
  await alice.send({ command: "quit" });
  assert.equal((await alice.exited()).code, 0);
});

namespaceSessionTest(
  "two networks of one host are both served, and a peer on both is one",
  async () => {
    await using network = new Network();
    const [first, second] = [await network.lan(), await network.lan()];
    const [left, right] = [await network.host(), await network.host()];
    for (const [number, host] of [[1, left], [2, right]] as const) {
      await first.plug(host, "eth0", `10.0.0.${number}/24`);
      await second.plug(host, "eth1", `10.0.1.${number}/24`);
    }
    await using alice = startClient("alice", { host: left, config: OFTEN });
    await using bob = startClient("bob", { host: right, config: OFTEN });
    await alice.waitFor({ event: "peer_up", nickname: "bob" });
    await bob.waitFor({ event: "peer_up", nickname: "alice" });
    await alice.send({ command: "send", to: "bob", content: "one", ref: 1 });
    await bob.waitFor({ event: "message", content: "one" });
    await alice.send({ command: "peers", ref: 2 });
    const { peers } = await alice.waitFor({ event: "peers", ref: 2 });
    assert.equal((peers as unknown[]).length, 1, JSON.stringify(peers));
    assert.equal(alice.all({ event: "peer_up" }).length, 1);
    // One of both networks fails: the peer stays, and once the silence of its session is noticed,
    // messages take the other way.
    const from = alice.mark();
    await right.ip("link", "set", "eth0", "down");
    await alice.send({ command: "send", to: "bob", content: "two" });
    await bob.waitFor({ event: "message", content: "two" });
    await untilOnlyAt(alice, "10.0.1.2");
    assert.deepEqual(alice.all({ event: "peer_down" }, from), []);
  },
);

namespaceSessionTest("a peer that was killed, came back and left is gone at once", async () => {
  await using network = await oneLan(2);
  const [left, right] = network.hosts;
  const data = await Deno.makeTempDir({ prefix: "parlance-e2e-" });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => Deno.remove(data, { recursive: true }));
  await using alice = startClient("alice", { host: left });
  const startBob = () => startClient("bob", { host: right, args: ["--data-dir", data] });
  {
    await using bob = startBob();
    await alice.waitFor({ event: "peer_up", nickname: "bob" });
    await alice.send({ command: "send", to: "bob", content: "one", ref: 1 });
    await alice.waitFor({ event: "delivered", ref: 1 });
    bob.kill("SIGKILL");
    await bob.exited();
  }
  {
    await using bob = startBob();
    const { tcp_port: port } = await bob.waitFor({ event: "ready" });
    await bob.waitFor({ event: "peer_up", nickname: "alice" });
    await alice.send({ command: "send", to: "bob", content: "two", ref: 2 });
    await alice.waitFor({ event: "delivered", ref: 2 });
    await alice.send({ command: "peers", ref: 3 });
    const { peers } = await alice.waitFor({ event: "peers", ref: 3 });
    const [{ addresses }] = peers as { addresses: { address: string }[] }[];
    assert.deepEqual(addresses.map(({ address }) => address), [`10.0.0.2:${port}`]);
    await bob.send({ command: "quit" });
    await bob.exited();
  }
  await alice.waitFor({ event: "peer_down", nickname: "bob", reason: "goodbye" });
  const began = performance.now();
  await alice.send({ command: "send", to: "bob", content: "three", ref: 4 });
  await alice.waitFor({ event: "pending", ref: 4 });
  await alice.send({ command: "quit" });
  await alice.exited();
  assert.ok(performance.now() - began < 5000, "nobody is waited for");
});

namespaceSessionTest("a peer that moves to another address is reached there", async () => {
  await using network = await oneLan(2);
  const [left, right] = network.hosts;
  await using alice = startClient("alice", { host: left, config: OFTEN });
  await using bob = startClient("bob", { host: right, config: OFTEN });
  await alice.waitFor({ event: "peer_up", nickname: "bob" });
  await alice.send({ command: "send", to: "bob", content: "before" });
  await bob.waitFor({ event: "message", content: "before" });
  const from = alice.mark();
  await right.ip("addr", "del", "10.0.0.2/24", "dev", "eth0");
  await right.ip("addr", "add", "10.0.0.9/24", "dev", "eth0");
  await right.ip("route", "replace", "239.0.0.0/8", "dev", "eth0");
  await alice.send({ command: "send", to: "bob", content: "after" });
  await bob.waitFor({ event: "message", content: "after" });
  await untilOnlyAt(alice, "10.0.0.9");
  assert.deepEqual(alice.all({ event: "peer_down" }, from), [], "it is one peer all the time");
});

/** Waits until the only peer is known at one address and no other; no event tells that. */
async function untilOnlyAt(client: Child, ip: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const mark = client.mark();
    await client.send({ command: "peers" });
    const { peers } = await client.waitFor({ event: "peers" }, mark);
    const [{ addresses }] = peers as { addresses: { address: string }[] }[];
    if (addresses.length === 1 && addresses[0].address.startsWith(`${ip}:`)) return;
  }
  assert.fail(`the peer is not known at ${ip} alone\n${client.report()}`);
}

namespaceSessionTest("--interface narrows discovery down to one network", async () => {
  await using network = new Network();
  const [first, second] = [await network.lan(), await network.lan()];
  const [left, middle, right] = [
    await network.host(),
    await network.host(),
    await network.host(),
  ];
  await first.plug(left, "eth0", "10.0.0.1/24");
  await first.plug(middle, "eth0", "10.0.0.2/24");
  await second.plug(middle, "eth1", "10.0.1.2/24");
  await second.plug(right, "eth0", "10.0.1.3/24");
  await using alice = startClient("alice", { host: left, config: OFTEN });
  await using carol = startClient("carol", { host: right, config: OFTEN });
  await alice.waitFor({ event: "ready" });
  await carol.waitFor({ event: "ready" });
  const args = ["--interface", "10.0.1.2"];
  await using bob = startClient("bob", { host: middle, config: OFTEN, args });
  await bob.waitFor({ event: "peer_up", nickname: "carol" });
  await carol.waitFor({ event: "peer_up", nickname: "bob" });
  await carol.send({ command: "send", to: "bob", content: "hi" });
  await bob.waitFor({ event: "message", content: "hi" });
  assert.deepEqual(alice.all({ event: "peer_up" }), []);
  assert.deepEqual(bob.all({ event: "peer_up", nickname: "alice" }), []);
});

namespaceSessionTest("two peers of one nickname are told apart", async () => {
  await using network = await oneHost();
  await using alice = startClient("alice", { host: network.host0 });
  await using first = startClient("bob", { host: network.host0 });
  await using second = startClient("bob", { host: network.host0 });
  const { tcp_port: firstPort } = await first.waitFor({ event: "ready" });
  const { tcp_port: secondPort } = await second.waitFor({ event: "ready" });
  await alice.waitFor(({ event, address }) =>
    event === "peer_up" && address === `127.0.0.1:${firstPort}`
  );
  await alice.waitFor(({ event, address }) =>
    event === "peer_up" && address === `127.0.0.1:${secondPort}`
  );
  await alice.send({ command: "send", to: "bob", content: "which?", ref: 1 });
  const refusal = await alice.waitFor({ event: "error", ref: 1 });
  const labels = [...String(refusal.message).matchAll(/bob~[A-Z2-7]{4,}/g)].map(([label]) => label);
  assert.equal(new Set(labels).size, 2, String(refusal.message));
  // The first to prove its id has the nickname, until the user gives it to the other one.
  const [known, other] = labels;
  const send = (label: string) =>
    alice.send({ command: "send", to: label, content: `to ${label}`, ref: label });
  await send(known);
  await alice.waitFor({ event: "sent", ref: known });
  await send(other);
  const changed = await alice.waitFor({ event: "error", ref: other });
  assert.match(String(changed.message), /its identity has changed/);
  const from = alice.mark();
  await alice.send({ command: "trust", peer: other, ref: "trust" });
  await alice.waitFor({ event: "done", ref: "trust" });
  await send(other);
  await alice.waitFor({ event: "sent", ref: other }, from);
  const received = await Promise.all([first, second].map(async (bob) => {
    const { content } = await bob.waitFor({ event: "message" });
    return content;
  }));
  assert.deepEqual(received.sort(), labels.map((label) => `to ${label}`).sort());
  // They see each other, too.
  await first.waitFor({ event: "peer_up", address: `127.0.0.1:${secondPort}` });
  await second.waitFor({ event: "peer_up", address: `127.0.0.1:${firstPort}` });
});
