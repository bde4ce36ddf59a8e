import assert from "node:assert/strict";
import { silentLog } from "../../lib/base/log.ts";
import type { Clock } from "../../lib/base/clock.ts";
import type { NodeEvent, NodeHistory, Peer } from "../../lib/node.ts";
import { Store } from "../../lib/store/store.ts";
import { TemporaryDirectory } from "../identity/files_fixtures.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { dialAs, inTime, Lan, newIdentity, opening, retained } from "./fixtures.ts";

/** Content of each message, in UTF-16 units. */
const SIZE = 60_000;
/** Messages for the peer that never reads, 60 MB of them, and how many are posted together. */
const MESSAGES = 1000;
const TOGETHER = 50;

/** A history on the disk of this machine. */
async function history(stack: AsyncDisposableStack, clock: Clock): Promise<NodeHistory> {
  const { path } = stack.use(await TemporaryDirectory.make());
  return {
    store: stack.use(await Store.open({ path: `${path}/history.db`, clock, log: silentLog })),
    keepDays: Infinity,
    maxMegabytes: Infinity,
    expireDays: 30,
    queuePlain: false,
  };
}

Deno.test("what is posted to a peer that never reads waits on the disk, not in memory, and keeps nobody else waiting", async () => {
  await using stack = new AsyncDisposableStack();
  const clock = new FakeClock();
  const lan = new Lan();
  const alice = stack.use(
    await lan.start("alice", { clock, history: await history(stack, clock) }),
  );
  const carol = stack.use(await lan.start("carol"));
  await lan.announce("carol", carol.node.tcpPort, carol.identity.id);
  await lan.announce("alice", alice.node.tcpPort, alice.identity.id);
  const isUp = (id: string) => (event: NodeEvent) =>
    event.type === "peer_up" && event.peer.id === id;
  await Promise.all([alice.seen(isUp(carol.identity.id)), carol.seen(isUp(alice.identity.id))]);
  const postToCarol = async (text: string) => {
    await alice.node.post("carol", text);
    await carol.hears(`alice: ${text}`);
    await alice.seen((event) =>
      event.type === "delivery" && event.content === text && event.state === "delivered"
    );
  };
  await postToCarol("before");

  const deaf = await newIdentity();
  using raw = await dialAs(deaf, alice.node);
  await raw.write(opening("deaf", "hello"));
  await alice.hears("deaf: hello");
  const isConnected = () => alice.node.isConnected({ id: deaf.id } as Peer);
  assert.ok(isConnected());

  // What its user is told holds the texts: she has read it, and it is not what is measured.
  const told = { pending: 0, sent: 0, delivered: 0, failed: 0 };
  const read = () => {
    for (const event of alice.events.splice(0)) {
      if (event.type === "delivery" && event.content.length === SIZE) told[event.state]++;
    }
  };
  const memory = retained();
  for (let count = 0; count < MESSAGES; count += TOGETHER) {
    const posted = Array.from(
      { length: TOGETHER },
      (_, at) => alice.node.post("deaf", `${count + at}`.padEnd(SIZE, "x")),
    );
    await inTime(Promise.all(posted), "messages are accepted");
    read();
    if (count % 250 === 0) await postToCarol(`during ${count}`);
  }
  const more = retained() - memory;
  assert.ok(more < 30e6, `${more} bytes more`);
  assert.ok(told.sent > 0 && told.sent < 100, `${told.sent} messages are on their way`);
  assert.equal(told.delivered + told.failed, 0);
  const { messages } = alice.node;
  assert.equal(messages.pendingCount, MESSAGES);

  // Its silence ends the session, and everything waits on.
  assert.ok(isConnected());
  await clock.advance(12_000);
  assert.ok(!isConnected(), "cut off");
  // Those that may have arrived wait for it to come back, and then with the others.
  for (let round = 0; round < 6 && told.pending < MESSAGES; round++) {
    await clock.advance(6000);
    await postToCarol(`meanwhile ${round}`);
    read();
  }
  assert.equal(told.pending, MESSAGES, "all of it waits again");
  assert.equal(messages.pendingCount, MESSAGES);
  await carol.node.send("alice", "still here");
  await alice.hears("carol: still here");
  await postToCarol("after");
});
