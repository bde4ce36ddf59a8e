import assert from "node:assert/strict";
import { ParlanceError } from "../../lib/errors.ts";
import type { Peer } from "../../lib/discovery/peer.ts";
import { settle } from "../support/fake_clock.ts";
import { memoryWorld } from "./fixtures.ts";
import { chatMessage, couple } from "./session_fixtures.ts";

const refusal = new ParlanceError("Cannot send to it: its identity has changed");

/** Alice, who can stop to trust everybody, and Bob. */
function doubting() {
  const world = memoryWorld();
  let isTrusting = true;
  const admit = (_peer: Peer) => {
    if (!isTrusting) throw refusal;
  };
  return { ...world, ...couple(world, { admit }), distrust: () => isTrusting = false };
}

Deno.test("what waits for a session is not sent when the user has come to trust somebody else meanwhile", async () => {
  const { clock, network, alice, bob, distrust } = doubting();
  network.delayMs = 100;
  const send = alice.say(bob.id, "secret");
  await clock.advance(150);
  distrust();
  await clock.advance(2000);
  assert.equal(send.state, refusal);
  assert.deepEqual(bob.heard, []);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("what was sent before is not sent again to whom the user does not trust any more", async () => {
  const { clock, network, alice, bob, distrust } = doubting();
  alice.say(bob.id, "first");
  await settle();
  network.partition([alice.host], [bob.host]);
  const send = alice.say(bob.id, "second");
  await settle();
  distrust();
  network.cut(bob.host);
  network.heal();
  await clock.advance(2000);
  assert.match(String(send.state), /Cannot tell whether .*: .* its identity has changed/);
  assert.deepEqual(bob.heard, ["first"]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

Deno.test("nothing is handed to a session whose peer the sender's own check refuses", async () => {
  const { alice, bob } = doubting();
  alice.say(bob.id, "first");
  await settle();
  const to = { id: bob.id, label: "bob", nickname: undefined };
  const admit = () => {
    throw refusal;
  };
  await assert.rejects(alice.sessions.deliver({ ...to, admit }, chatMessage("secret")), refusal);
  const later = alice.sessions.deliver(to, chatMessage("harmless"));
  await settle();
  await later;
  assert.deepEqual(bob.heard, ["first", "harmless"]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});
