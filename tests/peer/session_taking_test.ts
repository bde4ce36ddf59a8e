import assert from "node:assert/strict";
import { settle } from "../support/fake_clock.ts";
import { addHost, memoryWorld } from "./fixtures.ts";
import { Person } from "./session_fixtures.ts";

Deno.test("what the receiver does not take, because it ends, is not acknowledged", async () => {
  const world = memoryWorld();
  const heard: string[] = [];
  let takes = true;
  const alice = new Person(world.clock, addHost(world.network, "10.0.0.1"), "alice", 1);
  const bob = new Person(world.clock, addHost(world.network, "10.0.0.2"), "bob", 2, {
    onMessage: ({ content }) => takes && heard.push(content) > 0,
  });
  alice.meet(bob);
  const first = alice.say(bob.id, "before");
  await settle();
  assert.equal(first.state, "sent");
  takes = false;
  const second = alice.say(bob.id, "at the end");
  await settle();
  assert.equal(second.state, "waiting");
  takes = true; // as the next session would find it
  world.network.cut(bob.host);
  await world.clock.advance(2000);
  assert.equal(second.state, "sent");
  assert.deepEqual(heard, ["before", "at the end"]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});
