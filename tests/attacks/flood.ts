import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { FakeClock } from "../support/fake_clock.ts";
import { messageIdOf } from "../support/message_ids.ts";
import { dialAs, eventually, Lan, newIdentity, opening, retained } from "./fixtures.ts";

/** Content of each message, in bytes. */
const SIZE = 15_000;
/** Bytes that may be taken for a user who reads nothing: our own limits and the system's buffers. */
const MAX_TAKEN = 40e6;
/** What those bytes may take in memory here; most of it is with the system. */
const MAX_GROWTH = 20e6;
/** A sign of life each time, and nothing taken in between: then the flood has come to a halt. */
const SIGNS_OF_HALT = 5;
/** More than the 4 s after which a side that does not read gives a sign of life, in milliseconds. */
const SIGN_MS = 4000;
/** Time for bytes on their way to come in before the clock goes on, in milliseconds. */
const TURN_MS = 20;

/**
 * A session sends `bytes` bytes of messages as fast as it can, first to a user who reads nothing,
 * then to one who reads everything. Fails unless it has to wait for him, and everything arrives,
 * or when it disturbs another session.
 *
 * @param onRead Called now and then while the user reads.
 */
export async function flood(bytes: number, onRead: () => void = () => {}): Promise<void> {
  const lan = new Lan();
  const clock = new FakeClock();
  await using alice = await lan.start("alice", { reads: false, clock });
  await using carol = await lan.start("carol");
  const mallory = await newIdentity();
  // By hand: the runtime's TLS takes any number of bytes before the network does.
  using raw = await dialAs(mallory, alice.node);
  await raw.write(opening("mallory"));
  const next = async () => (await alice.node.events.next()).value;
  const nextContent = async () => {
    for (let event = await next();; event = await next()) {
      if (event.type === "message") return event.message.content;
    }
  };
  while ((await next()).type !== "identity"); // from now on there is a session
  // So there is with carol, whom alice tells something now and then.
  await lan.announce("carol", carol.node.tcpPort, carol.identity.id);
  await lan.announce("alice", alice.node.tcpPort, alice.identity.id);
  const isUp = () =>
    alice.node.peers().some(({ id }) => id === carol.identity.id) &&
    carol.node.peers().some(({ id }) => id === alice.identity.id);
  await eventually(isUp, "they find each other");
  await alice.node.send("carol", "before");
  const messages = Math.ceil(bytes / SIZE);
  const memory = retained();
  let sent = 0;
  let wake = () => {};
  const sending = (async () => {
    for (let seq = 1; seq <= messages; seq++) {
      const content = `${seq}`.padEnd(SIZE);
      const line = { type: "message", seq, id: messageIdOf(seq), timestamp: 1, content };
      await raw.write(JSON.stringify(line) + "\n");
      sent += SIZE;
      wake();
    }
  })();
  let pongs = 0;
  const listening = (async () => {
    for (let text = await raw.read(); text !== null; text = await raw.read()) {
      if (!text.includes('"pong"')) continue;
      pongs++;
      wake();
    }
  })();
  // Nobody takes alice's events, so the flood comes to a halt. Only a side that does not read gives
  // signs of life without being asked, so they tell when.
  for (let signs = 0; signs < SIGNS_OF_HALT;) {
    const [pongsBefore, sentBefore] = [pongs, sent];
    await clock.advance(SIGN_MS);
    // Neither comes of a side that stopped reading behind its clock's last tick.
    const event = new Promise<void>((resolve) => wake = resolve);
    await Promise.race([event, sending, setTimeout(TURN_MS)]);
    if (sent !== sentBefore) signs = 0;
    else if (pongs !== pongsBefore) signs++;
  }
  assert.ok(sent < Math.min(MAX_TAKEN, bytes), `${sent} bytes taken for a user who reads nothing`);
  const more = retained() - memory;
  assert.ok(more < MAX_GROWTH, `${more} bytes more`);
  // Then the user reads on, and everything is there, once and in order; what carol says and
  // confirms in between does not wait until the flood is over.
  const meanwhile = [carol.node.send("alice", "meanwhile"), alice.node.send("carol", "meanwhile")];
  let aheadOf = 0;
  for (let taken = 0; taken < messages;) {
    const content = await nextContent();
    if (content === "meanwhile") aheadOf = messages - taken;
    else assert.equal(content, `${++taken}`.padEnd(SIZE));
    if (taken % 500 === 0) onRead();
  }
  assert.ok(aheadOf > messages / 4, `carol was heard ahead of ${aheadOf} of ${messages} messages`);
  await Promise.all([...meanwhile, sending]);
  await Promise.all([
    carol.node.send("alice", "after"),
    nextContent().then((content) => assert.equal(content, "after")),
  ]);
  await alice.node.send("carol", "after");
  for (const text of ["before", "meanwhile", "after"]) await carol.hears(`alice: ${text}`);
  await alice.node[Symbol.asyncDispose]();
  await listening;
}
