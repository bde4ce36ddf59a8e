import assert from "node:assert/strict";
import type { Child, Event } from "../support/child.ts";
import { namespaceTest, oneLan, twoLans } from "../support/namespaces.ts";
import { type ProgramOptions, startClient, startServer, startSupport } from "../support/program.ts";
import { namespaceSessionTest } from "../support/sessions.ts";

const URL_OF_SERVER = "ws://10.3.0.2:8080";

function internet(nickname: string, options: ProgramOptions): Child {
  const args = ["--mode", "internet", "--bootstrap-server", URL_OF_SERVER];
  return startClient(nickname, { ...options, args });
}

async function ourServer(options: ProgramOptions): Promise<Child> {
  const server = startServer({ ...options, args: ["--host", "0.0.0.0", "--port", "8080"] });
  await server.waitForText(/ws:\/\/\S+:8080/);
  return server;
}

async function exchange(alice: Child, bob: Child): Promise<void> {
  const { tcp_port: port } = await bob.waitFor({ event: "ready" });
  const up = await alice.waitFor({ event: "peer_up", nickname: "bob" });
  assert.equal(up.via, "bootstrap");
  assert.equal(up.address, `10.2.0.2:${port}`);
  await bob.waitFor({ event: "peer_up", nickname: "alice" });
  for (const content of ["hi", "😀 second", "x".repeat(60_000)]) {
    await alice.send({ command: "send", to: "bob", content });
    await bob.waitFor({ event: "message", from: "alice", content });
    await bob.send({ command: "send", to: "alice", content });
    await alice.waitFor({ event: "message", from: "bob", content });
  }
}

/** Sends; where the peer is not listed again yet, waits for it first. */
async function sendWhenKnown(from: Child, to: string, content: string): Promise<void> {
  const mark = from.mark();
  await from.send({ command: "send", to, content, ref: "first" });
  const outcome = await from.waitFor({ ref: "first" }, mark);
  if (outcome.event !== "error") return;
  await from.waitFor({ event: "peer_up", nickname: to }, mark);
  await from.send({ command: "send", to, content });
}

namespaceSessionTest(
  "clients on two networks talk through a server, and see who leaves",
  async () => {
    await using network = await twoLans();
    await using _server = await ourServer({ host: network.server });
    await using alice = internet("alice", { host: network.left });
    const registered = await alice.waitFor({ event: "bootstrap", state: "registered" });
    assert.equal(registered.url, URL_OF_SERVER);
    await using bob = internet("bob", { host: network.right });
    await exchange(alice, bob);
    await bob.send({ command: "quit" });
    const down = await alice.waitFor({ event: "peer_down", nickname: "bob" });
    assert.equal(down.reason, "left");
    assert.equal(down.via, "bootstrap");
    assert.equal((await bob.exited()).code, 0);
    await alice.send({ command: "peers", ref: 1 });
    assert.deepEqual((await alice.waitFor({ event: "peers" })).peers, []);
  },
);

namespaceSessionTest("clients on two networks talk through a version 1 server", async () => {
  await using network = await twoLans();
  const settings = { hostname: "0.0.0.0", port: 8080 };
  await using server = startSupport("v1_bootstrap_server_main.ts", settings, network.server);
  await server.waitFor({ event: "ready" });
  await using alice = internet("alice", { host: network.left });
  await using bob = internet("bob", { host: network.right });
  await exchange(alice, bob);
  await bob.send({ command: "quit" });
  await server.waitFor({ event: "left", nickname: "bob" });
  await server.waitFor(({ frame }) => String(frame).includes("unregister"));
  assert.equal((await alice.waitFor({ event: "peer_down", nickname: "bob" })).reason, "left");
});

namespaceTest("a version 1 client talks with ours through our server", async () => {
  await using network = await twoLans();
  await using _server = await ourServer({ host: network.server });
  await using alice = internet("alice", { host: network.left });
  await alice.waitFor({ event: "bootstrap", state: "registered" });
  const settings = { nickname: "old", url: URL_OF_SERVER, listIntervalMs: 1000 };
  await using old = startSupport("v1_bootstrap_client_main.ts", settings, network.right);
  const registered = await old.waitFor({ event: "registered" });
  assert.match(String(registered.public_addr), /^10\.2\.0\.2:\d+$/);
  const up = await old.waitFor({ event: "peer_up", nickname: "alice" });
  const { tcp_port: port } = await alice.waitFor({ event: "ready" });
  assert.equal(up.address, `10.1.0.2:${port}`);
  await alice.waitFor({ event: "peer_up", nickname: "old", address: registered.public_addr });
  await old.send({ command: "send", to: "alice", content: "from version 1" });
  await alice.waitFor({ event: "message", from: "old", content: "from version 1" });
  await alice.send({ command: "send", to: "old", content: "to version 1" });
  await old.waitFor({ event: "message", from: "alice", content: "to version 1" });
  await old.send({ command: "frame", text: '{"type":"heartbeat"}' });
  await old.send({ command: "frame", text: '{"type":"nonsense"}' });
  const error = await old.waitFor({ event: "server_error" });
  assert.match(String(error.message), /^Invalid message format: /);
  assert.deepEqual(old.all({ event: "refused" }), []);
  await old.send({ command: "quit" });
  assert.equal((await alice.waitFor({ event: "peer_down", nickname: "old" })).reason, "left");
});

namespaceSessionTest(
  "a server that comes back is used again, and each change is told once",
  async () => {
    await using network = await twoLans();
    await using first = await ourServer({ host: network.server });
    await using alice = internet("alice", { host: network.left });
    await using bob = internet("bob", { host: network.right });
    await alice.waitFor({ event: "peer_up", nickname: "bob" });
    await bob.waitFor({ event: "peer_up", nickname: "alice" });
    const [from, bobFrom] = [alice.mark(), bob.mark()];
    first.kill("SIGKILL");
    await first.exited();
    await alice.waitFor({ event: "bootstrap", state: "disconnected" }, from);
    await using second = await ourServer({ host: network.server });
    await alice.waitFor({ event: "bootstrap", state: "registered" }, from);
    await bob.waitFor({ event: "bootstrap", state: "registered" }, bobFrom);
    const states = alice.all({ event: "bootstrap" }, from).map(({ state }) => state);
    assert.equal(states.filter((state) => state === "disconnected").length, 1, String(states));
    assert.equal(states.filter((state) => state === "registered").length, 1, String(states));
    await sendWhenKnown(alice, "bob", "again");
    await bob.waitFor({ event: "message", from: "alice", content: "again" });
    second.kill("SIGTERM");
    assert.equal((await second.exited()).code, 0);
  },
);

namespaceTest(
  "a server that cannot be reached keeps nobody from starting and quitting",
  async () => {
    await using network = await twoLans();
    await using alice = internet("alice", { host: network.left });
    await alice.waitFor({ event: "ready" });
    await alice.waitFor({ event: "bootstrap", state: "connecting" });
    await alice.send({ command: "quit" });
    assert.equal((await alice.exited()).code, 0);
  },
);

namespaceSessionTest("a peer that is found on the LAN and by the server is one peer", async () => {
  await using network = await oneLan(3);
  const [left, right, third] = network.hosts;
  await using server = startServer({ host: third, args: ["--port", "8080"] });
  await server.waitForText(/ws:\/\/\S+:8080/);
  const both = (nickname: string, host: typeof left) =>
    startClient(nickname, {
      host,
      args: ["--mode", "both", "--bootstrap-server", "ws://10.0.0.3:8080"],
    });
  await using alice = both("alice", left);
  await alice.waitFor({ event: "bootstrap", state: "registered" });
  await using bob = both("bob", right);
  await bob.waitFor({ event: "bootstrap", state: "registered" });
  await bob.waitFor({ event: "peer_up", nickname: "alice" });
  await alice.waitFor({ event: "peer_up", nickname: "bob" });
  // A third peer that only the server knows: once it is seen, bob was in that list, too.
  const settings = { nickname: "old", url: "ws://10.0.0.3:8080" };
  await using old = startSupport("v1_bootstrap_client_main.ts", settings, third);
  await old.waitFor({ event: "registered" });
  await alice.waitFor({ event: "peer_up", nickname: "old" });
  const ups = (child: Child, nickname: string): Event[] =>
    child.all({ event: "peer_up", nickname });
  assert.equal(ups(alice, "bob").length, 1, alice.report());
  await alice.send({ command: "peers", ref: 1 });
  const { peers } = await alice.waitFor({ event: "peers", ref: 1 });
  const names = (peers as { nickname: string }[]).map(({ nickname }) => nickname);
  assert.deepEqual(names.sort(), ["bob", "old"]);
  await alice.send({ command: "send", to: "bob", content: "one of you?", ref: 2 });
  await alice.waitFor({ event: "sent", ref: 2 });
  await bob.waitFor({ event: "message", content: "one of you?" });
  await bob.send({ command: "quit" });
  await alice.waitFor({ event: "peer_down", nickname: "bob" });
});
