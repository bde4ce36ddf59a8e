import assert from "node:assert/strict";
import type { PeerRegistry } from "../../lib/discovery/registry.ts";
import { brief, instanceOf, lan, listing, makeRegistry } from "./registry_fixtures.ts";

function known(registry: PeerRegistry): string[] {
  return registry.peers().map(brief);
}

Deno.test("peer seen on several interfaces is one peer with several addresses", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  registry.sawOnLan(lan("bob", "10.0.1.2:5000", "b1"));
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  assert.deepEqual(known(registry), ["bob 10.0.0.2:5000/lan 10.0.1.2:5000/lan"]);
  assert.deepEqual(events(), ["up bob"]);
});

Deno.test("version 1 peers are told apart by address, and renamed at it", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000"));
  registry.sawOnLan(lan("carol", "10.0.0.2:5001"));
  registry.sawOnLan(lan("bobby", "10.0.0.2:5000"));
  assert.deepEqual(known(registry), ["carol 10.0.0.2:5001/lan", "bobby 10.0.0.2:5000/lan"]);
  assert.deepEqual(events(), ["up bob", "up carol", "down bob left", "up bobby"]);
});

Deno.test("two peers of one nickname get labels, and one of them alone gets none", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "0f3a"));
  registry.sawOnLan(lan("bob", "10.0.0.3:5000", "77aa"));
  registry.sawOnLan(lan("bob", "10.0.0.4:5000"));
  assert.deepEqual(registry.named("bob").map(({ label }) => label), [
    "bob~0f3a",
    "bob~77aa",
    "bob~10.0.0.4:5000",
  ]);
  registry.saidGoodbye({ nickname: "bob", instance: instanceOf("0f3a") }, "10.0.0.2");
  registry.saidGoodbye({ nickname: "bob" }, "10.0.0.4");
  assert.deepEqual(known(registry), ["bob 10.0.0.3:5000/lan"]);
  assert.deepEqual(events(), [
    "up bob",
    "up bob~77aa",
    "up bob~10.0.0.4:5000",
    "down bob~0f3a goodbye",
    "down bob~10.0.0.4:5000 goodbye",
  ]);
});

Deno.test("peer of the own nickname always has a tag in its label", () => {
  const { registry } = makeRegistry("me");
  registry.sawOnLan(lan("me", "10.0.0.2:5000", "0f3a"));
  assert.deepEqual(known(registry), ["me~0f3a 10.0.0.2:5000/lan"]);
});

Deno.test("tag that two namesakes share is the whole instance, for as long as they share it", () => {
  const { registry } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "0f3a1"));
  registry.sawOnLan(lan("bob", "10.0.0.3:5000", "0f3a2"));
  registry.sawOnLan(lan("bob", "10.0.0.4:5000", "77aa"));
  registry.sawOnLan(lan("eve", "10.0.0.5:5000", "77aa5")); // of another name: no matter
  const labels = () => registry.named("bob").map(({ label }) => label);
  assert.deepEqual(labels(), [
    `bob~${instanceOf("0f3a1")}`,
    `bob~${instanceOf("0f3a2")}`,
    "bob~77aa",
  ]);
  registry.saidGoodbye({ nickname: "bob", instance: instanceOf("0f3a1") }, "10.0.0.2");
  assert.deepEqual(labels(), ["bob~0f3a", "bob~77aa"]);
});

Deno.test("goodbye counts only from an address of the peer", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  registry.sawOnLan(lan("bob", "10.0.1.2:5000", "b1"));
  registry.sawOnLan(lan("old", "10.0.0.3:5000"));
  events();
  registry.saidGoodbye({ nickname: "bob", instance: instanceOf("b1") }, "10.0.0.9");
  registry.saidGoodbye({ nickname: "bob" }, "10.0.0.9");
  registry.saidGoodbye({ nickname: "bob", instance: instanceOf("b2") }, "10.0.0.2");
  registry.saidGoodbye({ nickname: "old" }, "10.0.0.2");
  registry.saidGoodbye({ nickname: "nobody" }, "10.0.0.2");
  assert.equal(registry.size, 2);
  registry.saidGoodbye({ nickname: "bob", instance: instanceOf("b1") }, "10.0.0.2"); // leaves all its interfaces
  registry.saidGoodbye({ nickname: "old" }, "10.0.0.3");
  assert.deepEqual(events(), ["down bob goodbye", "down old goodbye"]);
});

Deno.test("goodbye on the LAN leaves a peer that the bootstrap server lists", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  registry.listed([listing("p1", "bob", "203.0.113.7:5000", "b1")]);
  registry.saidGoodbye({ nickname: "bob", instance: instanceOf("b1") }, "203.0.113.7"); // not a LAN address of it
  assert.equal(registry.peers()[0].addresses.length, 2);
  registry.saidGoodbye({ nickname: "bob", instance: instanceOf("b1") }, "10.0.0.2");
  assert.deepEqual(known(registry), ["bob 203.0.113.7:5000/bootstrap"]);
  assert.deepEqual(events(), ["up bob"]);
});

Deno.test("address that is silent for longer than the time-out is dropped, and with the last one the peer", async () => {
  const { clock, registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  registry.sawOnLan(lan("bob", "10.0.1.2:5000", "b1"));
  registry.sawOnLan(lan("old", "10.0.0.3:5000"));
  await clock.advance(10_000);
  registry.sawOnLan(lan("bob", "10.0.1.2:5000", "b1"));
  await clock.advance(5000);
  registry.expire(15_000);
  assert.equal(registry.peers()[0].addresses.length, 2);
  await clock.advance(1);
  registry.expire(15_000);
  assert.deepEqual(known(registry), ["bob 10.0.1.2:5000/lan"]);
  assert.deepEqual(events(), ["up bob", "up old", "down old timeout"]);
  await clock.advance(60_000);
  registry.expire(15_000);
  assert.deepEqual(events(), ["down bob timeout"]);
});

Deno.test("time-outs do not follow the wall clock", async () => {
  const { clock, registry } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000"));
  clock.jump(86_400_000);
  registry.expire(15_000);
  assert.equal(registry.size, 1);
  clock.jump(-2 * 86_400_000);
  await clock.advance(15_001);
  registry.expire(15_000);
  assert.equal(registry.size, 0);
});

Deno.test("snapshot of a peer says since when it is known and when it was last seen", async () => {
  const { clock, registry } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  await clock.advance(3000);
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  await clock.advance(2000);
  const [bob] = registry.peers();
  assert.equal(bob.knownForMs, 5000);
  assert.equal(bob.addresses[0].lastSeen, clock.now() - 2000);
  assert.equal(bob.version, 2);
  assert.equal(bob.instance, instanceOf("b1"));
});

Deno.test("peer restarted on its fixed port is another run", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  const before = registry.peers()[0].key;
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b2"));
  assert.deepEqual(known(registry), ["bob 10.0.0.2:5000/lan"]);
  assert.notEqual(registry.peers()[0].key, before);
  assert.deepEqual(events(), ["up bob", "down bob left", "up bob"]);
  registry.sawOnLan(lan("robert", "10.0.0.2:5000", "b3")); // and under another name
  assert.deepEqual(events(), ["down bob left", "up robert"]);
});

Deno.test("run that took over one of several addresses leaves the peer the others", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  registry.sawOnLan(lan("bob", "10.0.1.2:5000", "b1"));
  registry.sawOnLan(lan("carol", "10.0.0.2:5000", "c1"));
  assert.deepEqual(known(registry), ["bob 10.0.1.2:5000/lan", "carol 10.0.0.2:5000/lan"]);
  assert.deepEqual(events(), ["up bob", "up carol"]);
});

Deno.test("known instance under another nickname is another peer", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  registry.sawOnLan(lan("eve", "10.0.0.9:5000", "b1"));
  assert.deepEqual(known(registry), ["bob 10.0.0.2:5000/lan", "eve 10.0.0.9:5000/lan"]);
  registry.sawOnLan(lan("bobby", "10.0.0.2:5000", "b1")); // renamed where it is
  assert.deepEqual(known(registry), ["eve 10.0.0.9:5000/lan", "bobby 10.0.0.2:5000/lan"]);
  assert.deepEqual(events(), ["up bob", "up eve", "down bob left", "up bobby"]);
});

Deno.test("who is heard first with a foreign instance does not hide the peer that has it", () => {
  const { registry } = makeRegistry();
  registry.sawOnLan(lan("eve", "10.0.0.9:5000", "b1"));
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  assert.deepEqual(known(registry), ["eve 10.0.0.9:5000/lan", "bob 10.0.0.2:5000/lan"]);
});

Deno.test("version 1 announce of a known peer's address and name is a sign of its life", async () => {
  const { clock, registry } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  await clock.advance(1000);
  registry.sawOnLan(lan("bob", "10.0.0.2:5000"));
  const [bob] = registry.peers();
  assert.equal(bob.version, 2);
  assert.equal(bob.instance, instanceOf("b1"));
  assert.equal(bob.addresses[0].lastSeen, clock.now());
});

Deno.test("peer that turns out to have an instance keeps its key, and gets its tag", () => {
  const { registry, events } = makeRegistry("bob");
  registry.sawOnLan(lan("bob", "10.0.0.2:5000"));
  const [{ key, label }] = registry.peers();
  assert.equal(label, "bob~10.0.0.2:5000");
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1b1"));
  assert.deepEqual(registry.peers().map((peer) => [peer.key, peer.label]), [[key, "bob~b1b1"]]);
  assert.equal(events().length, 1);
});

Deno.test("whole list replaces the one before", () => {
  const { registry, events } = makeRegistry();
  registry.listed([listing("p1", "bob", "203.0.113.7:1"), listing("p2", "carol", "203.0.113.8:1")]);
  registry.listed([
    listing("p2", "carol", "203.0.113.8:1"),
    listing("p3", "dave", "203.0.113.9:1"),
  ]);
  assert.deepEqual(known(registry), [
    "carol 203.0.113.8:1/bootstrap",
    "dave 203.0.113.9:1/bootstrap",
  ]);
  registry.expire(0); // is about the LAN
  registry.listed([]);
  assert.equal(registry.size, 0);
  assert.deepEqual(events(), [
    "up bob",
    "up carol",
    "up dave",
    "down bob left",
    "down carol left",
    "down dave left",
  ]);
});

Deno.test("listed peer of another name or address is another one", () => {
  const { registry, events } = makeRegistry();
  registry.listed([listing("p1", "bob", "203.0.113.7:1")]);
  registry.listed([listing("p1", "bobby", "203.0.113.7:1")]);
  registry.listed([listing("p1", "bobby", "203.0.113.7:2")]);
  assert.deepEqual(known(registry), ["bobby 203.0.113.7:2/bootstrap"]);
  assert.deepEqual(events(), [
    "up bob",
    "down bob left",
    "up bobby",
    "down bobby left",
    "up bobby",
  ]);
});

for (const instance of ["b1", undefined]) {
  const version = instance === undefined ? 1 : 2;
  Deno.test(`version ${version} peer that registered anew neither leaves nor comes`, () => {
    const { registry, events } = makeRegistry();
    registry.listed([listing("p1", "bob", "203.0.113.7:1", instance)]);
    const [{ key }] = registry.peers();
    registry.listed([listing("p2", "bob", "203.0.113.7:1", instance)]);
    assert.deepEqual(known(registry), ["bob 203.0.113.7:1/bootstrap"]);
    assert.equal(registry.peers()[0].key, key);
    assert.deepEqual(events(), ["up bob"]);
  });

  for (const order of ["LAN first", "list first"]) {
    Deno.test(`version ${version} peer seen on the LAN and listed is one peer, ${order}`, () => {
      const { registry, events } = makeRegistry();
      const steps = [
        () => registry.sawOnLan(lan("bob", "10.0.0.2:5000", instance)),
        () => registry.listed([listing("p1", "bob", "10.0.0.2:5000", instance)]),
      ];
      for (const step of order === "LAN first" ? steps : steps.reverse()) step();
      const ways = ["10.0.0.2:5000/lan", "10.0.0.2:5000/bootstrap"];
      if (order === "list first") ways.reverse();
      assert.deepEqual(known(registry), [`bob ${ways.join(" ")}`]);
      registry.listed([]);
      assert.deepEqual(known(registry), ["bob 10.0.0.2:5000/lan"]);
      assert.deepEqual(events(), ["up bob"]);
    });
  }
}

Deno.test("version 2 peer in the list of a server that passes no instances on is the one on the LAN", () => {
  for (const reverse of [false, true]) {
    const { registry } = makeRegistry();
    const steps = [
      () => registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1")),
      () => registry.listed([listing("p1", "bob", "10.0.0.2:5000")]),
    ];
    for (const step of reverse ? steps.reverse() : steps) step();
    const ways = ["10.0.0.2:5000/lan", "10.0.0.2:5000/bootstrap"];
    if (reverse) ways.reverse();
    assert.deepEqual(known(registry), [`bob ${ways.join(" ")}`]);
    assert.equal(registry.peers()[0].instance, instanceOf("b1"));
  }
});

Deno.test("listed instance under another nickname neither takes nor hides the peer that has it", async () => {
  const { clock, registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  registry.listed([listing("p1", "eve", "203.0.113.66:1", "b1")]);
  await clock.advance(10_000);
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  registry.sawOnLan(lan("bob", "10.0.1.2:5000", "b1"));
  await clock.advance(10_000);
  registry.expire(15_000);
  assert.deepEqual(known(registry), [
    "bob 10.0.0.2:5000/lan 10.0.1.2:5000/lan",
    "eve 203.0.113.66:1/bootstrap",
  ]);
  registry.listed([]);
  registry.sawOnLan(lan("bob", "10.0.2.2:5000", "b1"));
  assert.equal(registry.size, 1);
  assert.deepEqual(events(), ["up bob", "up eve", "down eve left"]);
});

Deno.test("peers of a silent server are forgotten, those on the LAN are not", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  registry.listed([
    listing("p1", "bob", "203.0.113.7:1", "b1"),
    listing("p2", "carol", "203.0.113.8:1"),
  ]);
  registry.forgetListed();
  assert.deepEqual(known(registry), ["bob 10.0.0.2:5000/lan"]);
  assert.deepEqual(events(), ["up bob", "up carol", "down carol timeout"]);
});

Deno.test("who adds himself to a peer by its instance comes last, and can end nothing but that", () => {
  const { registry, events } = makeRegistry();
  registry.listed([listing("p1", "bob", "203.0.113.7:1", "b1")]);
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  registry.sawOnLan(lan("bob", "10.0.0.66:5000", "b1"));
  registry.saidGoodbye({ nickname: "bob", instance: instanceOf("b1") }, "10.0.0.66");
  assert.deepEqual(known(registry), ["bob 203.0.113.7:1/bootstrap 10.0.0.2:5000/lan"]);
  assert.deepEqual(events(), ["up bob"]);
});

Deno.test("addresses of a peer without an id are tried in the order in which they were found", () => {
  const { registry } = makeRegistry();
  registry.listed([listing("p1", "bob", "203.0.113.7:1", "b1")]);
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  registry.sawOnLan(lan("bob", "10.0.1.2:5000", "b1"));
  assert.deepEqual(known(registry), [
    "bob 203.0.113.7:1/bootstrap 10.0.0.2:5000/lan 10.0.1.2:5000/lan",
  ]);
});
