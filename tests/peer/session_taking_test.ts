import assert from "node:assert/strict";
import { settle } from "../support/fake_clock.ts";
import { addHost, memoryWorld } from "./fixtures.ts";
import { Person } from "./session_fixtures.ts";

Deno.test("what the receiver cannot take is not acknowledged, and comes again on another session", async () => {
  const world = memoryWorld();
  const heard: string[] = [];
  let takes = true;
  const alice = new Person(world.clock, addHost(world.network, "10.0.0.1"), "alice", 1);
  const bob = new Person(world.clock, addHost(world.network, "10.0.0.2"), "bob", 2, {
    onMessage: ({ content }, _session, taken) => {
      if (!takes) return false;
      heard.push(content);
      taken();
      return true;
    },
  });
  alice.meet(bob);
  const first = alice.say(bob.id, "before");
  await settle();
  assert.equal(first.state, "sent");
  takes = false;
  const second = alice.say(bob.id, "too much");
  await settle();
  assert.equal(second.state, "waiting");
  assert.equal(alice.sessions.with(bob.id), undefined);
  takes = true;
  await world.clock.advance(2000);
  assert.equal(second.state, "sent");
  assert.deepEqual(heard, ["before", "too much"]);
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});
