import assert from "node:assert/strict";
import type { Child } from "../support/child.ts";
import type { Host } from "../support/host.ts";
import { namespaceTest, oneHost, oneLan } from "../support/namespaces.ts";
import { startClient, startSupport } from "../support/program.ts";
import { namespaceSessionTest } from "../support/sessions.ts";

/** Intervals that make silence show soon. */
const QUICK = { announceIntervalMs: 300, expiryMs: 1500, checkIntervalMs: 100 };
const QUICK_FILE = "[peer]\nannounce_interval_secs = 1\ntimeout_secs = 2\n";

async function talkBothWays(ours: Child, theirs: Child): Promise<void> {
  const { tcp_port: theirPort } = await theirs.waitFor({ event: "ready" });
  const { tcp_port: ourPort } = await ours.waitFor({ event: "ready" });
  const up = await ours.waitFor({ event: "peer_up", nickname: "old" });
  assert.ok(String(up.address).endsWith(`:${theirPort}`));
  const seen = await theirs.waitFor({ event: "peer_up", nickname: "new" });
  assert.ok(String(seen.address).endsWith(`:${ourPort}`));

  const contents = ["hi", "", 'a "quoted" \\ 😀\nsecond line', "x".repeat(60_000)];
  for (const content of contents) {
    await ours.send({ command: "send", to: "old", content, ref: "out" });
    const message = await theirs.waitFor((event) =>
      event.event === "message" && event.content === content
    );
    assert.equal(message.from, "new");
    assert.ok(Math.abs((message.timestamp as number) - Date.now() / 1000) < 60);
    await theirs.send({ command: "send", to: "new", content });
    const answer = await ours.waitFor((event) =>
      event.event === "message" && event.content === content
    );
    assert.equal(answer.from, "old");
    assert.ok(Math.abs((answer.timestamp as number) - Date.now() / 1000) < 60);
  }
  assert.equal(theirs.all({ event: "message" }).length, contents.length, "nothing twice");
  assert.equal(ours.all({ event: "message" }).length, contents.length, "nothing twice");
  assert.deepEqual(theirs.all({ event: "refused" }), [], "version 1 understands everything");
}

async function leaveBothWays(ours: Child, theirs: Child): Promise<void> {
  const from = theirs.mark();
  await ours.send({ command: "quit" });
  await theirs.waitFor({ event: "expired", nickname: "new" }, from);
  assert.equal((await ours.exited()).code, 0);
}

function pair(ourHost: Host, theirHost: Host): [Child, Child] {
  return [
    startClient("new", { host: ourHost, config: QUICK_FILE }),
    startSupport("v1_peer_main.ts", { nickname: "old", ...QUICK }, theirHost),
  ];
}

namespaceTest("a version 1 peer on the same host is found and talked with", async () => {
  await using network = await oneHost();
  const [a, b] = pair(network.host0, network.host0);
  await using ours = a;
  await using theirs = b;
  await talkBothWays(ours, theirs);
  await leaveBothWays(ours, theirs);
});

namespaceTest("a version 1 peer on another host of the LAN is found and talked with", async () => {
  await using network = await oneLan(2);
  const [a, b] = pair(network.hosts[0], network.hosts[1]);
  await using ours = a;
  await using theirs = b;
  await talkBothWays(ours, theirs);
  await leaveBothWays(ours, theirs);
});

namespaceTest("a version 1 peer that falls silent is down by time-out", async () => {
  await using network = await oneLan(2);
  const [a, b] = pair(network.hosts[0], network.hosts[1]);
  await using ours = a;
  await using theirs = b;
  await ours.waitFor({ event: "peer_up", nickname: "old" });
  await theirs.send({ command: "quit" });
  const down = await ours.waitFor({ event: "peer_down", nickname: "old" });
  assert.equal(down.reason, "timeout");
});

namespaceTest("a version 1 peer that restarts is reached at its new address", async () => {
  await using network = await oneLan(2);
  const [left, right] = network.hosts;
  await using ours = startClient("new", { host: left, config: QUICK_FILE });
  for (const round of [1, 2]) {
    const from = ours.mark();
    await using theirs = startSupport("v1_peer_main.ts", { nickname: "old", ...QUICK }, right);
    await ours.waitFor({ event: "peer_up", nickname: "old" }, from);
    for (const content of [`first of ${round}`, `second of ${round}`]) {
      await ours.send({ command: "send", to: "old", content });
      await theirs.waitFor({ event: "message", from: "new", content });
    }
    await theirs.send({ command: "quit" });
    await ours.waitFor({ event: "peer_down", nickname: "old" }, from);
  }
});

namespaceSessionTest(
  "a goodbye counts only when it comes from the peer's own address",
  async () => {
    await using network = await oneLan(3);
    const [left, right, third] = network.hosts;
    const slow = "[peer]\nannounce_interval_secs = 60\ntimeout_secs = 180\n";
    await using alice = startClient("alice", { host: left, config: slow });
    await using bob = startClient("bob", { host: right, config: slow });
    await alice.waitFor({ event: "peer_up", nickname: "bob" });
    await bob.waitFor({ event: "peer_up", nickname: "alice" });
    await using mallory = startSupport(
      "hostile_main.ts",
      { scenario: "goodbye", of: "bob" },
      third,
    );
    await mallory.waitFor({ event: "done" });
    await alice.waitFor({ event: "peer_up", nickname: "marker" });
    assert.deepEqual(alice.all({ event: "peer_down" }), []);
    await alice.send({ command: "send", to: "bob", content: "still there?" });
    await bob.waitFor({ event: "message", content: "still there?" });
  },
);
