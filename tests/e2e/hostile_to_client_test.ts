import assert from "node:assert/strict";
import type { Child } from "../support/child.ts";
import { badDatagrams } from "../support/hostile_datagrams.ts";
import { badLines } from "../support/hostile_lines.ts";
import { namespaceTest, oneLan } from "../support/namespaces.ts";
import { startClient, startSupport } from "../support/program.ts";
import { plainOnly } from "../support/sessions.ts";

/** What a client may hold while it is attacked; at rest it holds about 100 MB from source. */
const MEMORY_LIMIT = 400 * 1024 * 1024;

const SELDOM = "[peer]\nannounce_interval_secs = 60\ntimeout_secs = 180\n";

/**
 * Two clients that know each other, and a third host that means harm. Where the program under test
 * cannot open sessions, the second client is a version 1 peer.
 */
async function victims() {
  const network = await oneLan(3);
  const [left, right, third] = network.hosts;
  const alice = startClient("alice", { host: left, config: SELDOM });
  const bob = plainOnly
    ? startSupport("v1_peer_main.ts", { nickname: "bob", expiryMs: 180_000 }, right)
    : startClient("bob", { host: right, config: SELDOM });
  const end = async () => {
    await alice[Symbol.asyncDispose]();
    await bob[Symbol.asyncDispose]();
    await network[Symbol.asyncDispose]();
  };
  try {
    const { tcp_port: port } = await alice.waitFor({ event: "ready" });
    await alice.waitFor({ event: "peer_up", nickname: "bob" });
    await bob.waitFor({ event: "peer_up", nickname: "alice" });
    return {
      alice,
      bob,
      left,
      right,
      third,
      target: `10.0.0.1:${port}`,
      [Symbol.asyncDispose]: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Both still hear each other, nobody was lost, and memory is within its bound. */
async function stillServed(alice: Child, bob: Child, word: string): Promise<void> {
  await bob.send({ command: "send", to: "alice", content: `to alice ${word}`, ref: word });
  await bob.waitFor({ event: "sent", ...(plainOnly ? {} : { ref: word }) });
  await alice.waitFor({ event: "message", from: "bob", content: `to alice ${word}` });
  await alice.send({ command: "send", to: "bob", content: `to bob ${word}`, ref: word });
  await bob.waitFor({ event: "message", from: "alice", content: `to bob ${word}` });
  assert.deepEqual(alice.all({ event: "peer_down", nickname: "bob" }), []);
  const held = alice.residentBytes();
  assert.ok(held < MEMORY_LIMIT, `${held} bytes of memory, ${word}`);
}

namespaceTest("bad datagrams are refused, and the good one after them is heard", async () => {
  await using all = await victims();
  await using hostile = startSupport("hostile_main.ts", { scenario: "datagrams" }, all.third);
  const { count } = await hostile.waitFor({ event: "done" });
  assert.equal(count, badDatagrams().length);
  await all.alice.waitFor({ event: "peer_up", nickname: "marker" });
  const seen = all.alice.all({ event: "peer_up" }).map(({ nickname }) => nickname);
  assert.deepEqual(seen.sort(), ["bob", "marker"]);
  await all.alice.waitForLog(/refused/i);
  await stillServed(all.alice, all.bob, "after");
});

namespaceTest("10,000 bad datagrams a second cost nobody else anything", async () => {
  await using all = await victims();
  await using hostile = startSupport("hostile_main.ts", { scenario: "flood" }, all.third);
  await stillServed(all.alice, all.bob, "in between");
  const { count } = await hostile.waitFor({ event: "done" });
  assert.equal(count, 20_000);
  await all.alice.waitForLog(/refused/i);
  await stillServed(all.alice, all.bob, "after");
  const logged = all.alice.stderr.split("\n").length;
  assert.ok(logged < 500, `${logged} lines of log for ${count} datagrams`);
});

namespaceTest(
  "100,000 nicknames from many addresses fill no memory and push nobody out",
  async () => {
    await using all = await victims();
    const add = "for n in $(seq 130 179); do ip addr add 10.0.0.$n/24 dev eth0; done";
    await all.third.run("sh", "-c", add);
    const sources = Array.from({ length: 50 }, (_, index) => `10.0.0.${130 + index}`);
    const settings = { scenario: "nicknames", sources, perSource: 2000 };
    await using hostile = startSupport("hostile_main.ts", settings, all.third);
    await stillServed(all.alice, all.bob, "in between");
    const { count } = await hostile.waitFor({ event: "done" });
    assert.equal(count, 100_000);
    await stillServed(all.alice, all.bob, "after");
    await all.alice.send({ command: "peers", ref: "all" });
    const { peers } = await all.alice.waitFor({ event: "peers", ref: "all" });
    const listed = peers as { nickname: string }[];
    assert.ok(listed.length > 1, `the flood did not arrive\n${all.alice.report()}`);
    assert.ok(listed.length <= 10_000, `${listed.length} peers are kept`);
    assert.ok(listed.some(({ nickname }) => nickname === "bob"));
  },
);

namespaceTest("bad lines are refused, and the good ones after them are shown", async () => {
  await using all = await victims();
  const settings = { scenario: "lines", target: all.target };
  await using hostile = startSupport("hostile_main.ts", settings, all.third);
  await hostile.waitFor({ event: "done" });
  for (const [cause] of badLines()) {
    await all.alice.waitFor({ event: "message", from: "good", content: `after ${cause}` });
  }
  assert.deepEqual(
    all.alice.all((event) => event.event === "message" && event.from !== "good"),
    [],
  );
  await all.alice.waitForLog(/refused/i);
  await stillServed(all.alice, all.bob, "after");
});

namespaceTest("a line that arrives byte by byte is read whole", async () => {
  await using all = await victims();
  const content = "příliš 你好 😀";
  const settings = { scenario: "parts", target: all.target, content };
  await using hostile = startSupport("hostile_main.ts", settings, all.third);
  await hostile.waitFor({ event: "done" });
  await all.alice.waitFor({ event: "message", from: "good", content });
});

namespaceTest("1,000 idle connections and one byte a second keep nobody out", async () => {
  await using all = await victims();
  const settings = { scenario: "idle", target: all.target, count: 1000 };
  await using hostile = startSupport("hostile_main.ts", settings, all.third);
  await hostile.waitFor({ event: "done" });
  await stillServed(all.alice, all.bob, "beside them");
  // Somebody who has no connection yet gets one.
  const text = JSON.stringify({ from: "old", content: "room for me?", timestamp: 1 }) + "\n";
  const raw = { scenario: "raw", target: all.target, text };
  await using _old = startSupport("hostile_main.ts", raw, all.right);
  await all.alice.waitFor({ event: "message", from: "old", content: "room for me?" });
  if (plainOnly) return;
  await using carol = startClient("carol", { host: all.left, config: SELDOM });
  await carol.waitFor({ event: "peer_up", nickname: "alice" });
  await carol.send({ command: "send", to: "alice", content: "and me?" });
  await all.alice.waitFor({ event: "message", from: "carol", content: "and me?" });
});

namespaceTest("text from outside is passed through JSON unchanged", async () => {
  await using all = await victims();
  const content = "\u001b]52;c;aGk=\u0007\u001b[2J\u009b2J\u202egnp.exe\r\u0000\u2028";
  const text = JSON.stringify({ from: "mal\u202elory", content, timestamp: 1 }) + "\n";
  const settings = { scenario: "raw", target: all.target, text };
  await using hostile = startSupport("hostile_main.ts", settings, all.third);
  await hostile.waitFor({ event: "done" });
  const message = await all.alice.waitFor({ event: "message", content });
  assert.equal(message.from, "mal\u202elory");
  assert.equal(message.timestamp, 1);
  // Escaped, so that even whoever prints the line as it is comes to no harm.
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(all.alice.stdout, /[\u0000-\u0009\u000b-\u001f]/);
});
