import assert from "node:assert/strict";
import { ConnectError } from "../../lib/errors.ts";
import { settle } from "../support/fake_clock.ts";
import { memoryWorld } from "./fixtures.ts";
import { couple, idOf, withHand } from "./session_fixtures.ts";

/** The error that a message was reported with. */
function reported({ state }: { state: unknown }): string {
  assert.ok(state instanceof ConnectError, String(state));
  return state.message;
}

Deno.test("what a session has had before it broke may have arrived, and what none has had was not sent", async () => {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  alice.say(bob.id, "first");
  await settle();
  world.network.partition([alice.host], [bob.host]);
  const before = alice.say(bob.id, "before the break");
  await settle();
  world.network.cut(bob.host);
  await world.clock.advance(1000);
  const after = alice.say(bob.id, "after the break");
  await world.clock.advance(15_000);
  assert.match(
    reported(before),
    /^Cannot tell whether the message to "bob" arrived: the session broke and did not come back within 15 s: /,
  );
  assert.match(
    reported(after),
    /^Cannot send to "bob": the session broke and did not come back within 15 s: /,
  );
  assert.deepEqual(bob.heard, ["first"]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("at the end, or when the user wants no session any more, what was not acknowledged may have arrived", async () => {
  for (const how of ["end", "drop"]) {
    const { clock, alice, hand, id } = await withHand();
    await hand.hello();
    await settle();
    alice.meet({ id: idOf(3), nickname: "zoe", address: { hostname: "10.9.9.9", port: 9 } });
    const [sent, unsent] = [alice.say(id, "hi"), alice.say(idOf(3), "hi")];
    await settle();
    if (how === "end") await alice[Symbol.asyncDispose]();
    else for (const other of [id, idOf(3)]) await alice.sessions.drop(other, "you blocked it");
    await settle();
    const why = how === "end" ? "sending has ended" : "you blocked it";
    assert.equal(reported(sent), `Cannot tell whether the message to "hand" arrived: ${why}`);
    assert.match(reported(unsent), new RegExp(`^Cannot (send|connect) to "zoe".*${why}`));
    await alice[Symbol.asyncDispose]();
    await clock.advance(1000);
  }
});

Deno.test("what a peer had before it came back under another nickname may have arrived", async () => {
  const { alice, hand, dial, id } = await withHand();
  await hand.hello();
  await settle();
  const send = alice.say(id, "hi");
  await settle();
  hand.stream.close();
  await (await dial()).hello({ nickname: "other", ordinal: 2, instance: "00000000000000fe" });
  await settle();
  assert.match(
    reported(send),
    /^Cannot tell whether the message to "hand" arrived: who has its id calls itself "other"; /,
  );
  await alice[Symbol.asyncDispose]();
});

Deno.test("a peer that ends the session and is not announced any more lets nobody wait", async () => {
  const { clock, alice, hand, id } = await withHand();
  await hand.hello();
  await settle();
  const send = alice.say(id, "hi");
  await settle();
  alice.announced.delete(id);
  await hand.say({ type: "bye", reason: "sending has ended" });
  await settle();
  assert.equal(
    reported(send),
    'Cannot tell whether the message to "hand" arrived: ' +
      "the peer has ended the session (sending has ended)",
  );
  assert.equal(alice.dials, 0);
  await clock.advance(16_000);
  assert.equal(clock.waiting, 0);
  await alice[Symbol.asyncDispose]();
});

Deno.test("a peer whose goodbye comes behind the end of its session lets nobody wait for long", async () => {
  const { clock, alice, hand, id } = await withHand();
  await hand.hello();
  await settle();
  const send = alice.say(id, "hi");
  await hand.say({ type: "bye", reason: "sending has ended" });
  await settle();
  alice.announced.delete(id);
  await clock.advance(500);
  assert.match(reported(send), /^Cannot tell whether .* the peer has ended the session/);
  await alice[Symbol.asyncDispose]();
});

Deno.test("a peer whose session breaks without a word is waited for, though it is not announced", async () => {
  const { clock, alice, hand, dial, id } = await withHand();
  await hand.hello();
  await settle();
  const send = alice.say(id, "hi");
  await settle();
  alice.announced.delete(id);
  hand.stream.close();
  await clock.advance(10_000);
  assert.equal(send.state, "waiting");
  const again = await dial();
  await again.hello({ ordinal: 2, dialled: 1 });
  await again.say({ type: "ack", seq: 1 });
  await settle();
  assert.equal(send.state as string, "sent");
  await alice[Symbol.asyncDispose]();
});
