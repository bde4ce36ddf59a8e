import assert from "node:assert/strict";
import type { PeerRegistry } from "../../lib/discovery/registry.ts";
import { brief, idOf, instanceOf, lan, listing, makeRegistry } from "./registry_fixtures.ts";

const [B, E] = [idOf(1), idOf(200)];

function known(registry: PeerRegistry): string[] {
  return registry.peers().map(brief);
}

/** Nickname, id and first host of everybody. */
function claims(registry: PeerRegistry) {
  return registry.peers().map(({ nickname, id, addresses: [first] }) => {
    return [nickname, id, first.address.hostname];
  });
}

Deno.test("two nicknames that claim one id are two peers, and both keep it", () => {
  const { registry } = makeRegistry();
  registry.sawOnLan(lan("eve", "10.0.0.9:5000", "b1", B));
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
  registry.listed([listing("p1", "mallory", "203.0.113.66:1", "b1", B)]);
  assert.deepEqual(claims(registry), [
    ["eve", B, "10.0.0.9"],
    ["bob", B, "10.0.0.2"],
    ["mallory", B, "203.0.113.66"],
  ]);
  assert.deepEqual(registry.withId(B), registry.peers());
  assert.deepEqual(registry.withId(E), []);
  registry.saidGoodbye({ nickname: "eve", instance: instanceOf("b1"), id: B }, "10.0.0.9");
  assert.deepEqual(registry.withId(B).map(({ nickname }) => nickname), ["bob", "mallory"]);
});

Deno.test("one nickname with two ids is two peers, and the id tells them apart", () => {
  const { registry } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
  registry.sawOnLan(lan("bob", "10.0.0.9:5000", "b1", E)); // the same instance proves nothing
  assert.deepEqual(known(registry), [
    `bob~${B.slice(0, 4)} 10.0.0.2:5000/lan`,
    `bob~${E.slice(0, 4)} 10.0.0.9:5000/lan`,
  ]);
});

Deno.test("restarted peer with an id is the same peer, and its newest run is tried first", async () => {
  const { clock, registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.1.2:5000", "b1", B));
  registry.listed([listing("p1", "bob", "203.0.113.7:5000", "b1", B)]);
  const [{ key }] = registry.peers();
  await clock.advance(10_000);
  registry.sawOnLan(lan("bob", "10.0.0.2:6000", "b2", B));
  registry.listed([
    listing("p1", "bob", "203.0.113.7:5000"), // of a server that passes no ids on
    listing("p2", "bob", "203.0.113.7:6000", "b2", B),
  ]);
  assert.deepEqual(known(registry), [
    "bob 10.0.0.2:6000/lan 203.0.113.7:6000/bootstrap " +
    "10.0.1.2:5000/lan 203.0.113.7:5000/bootstrap",
  ]);
  const [bob] = registry.peers();
  assert.deepEqual([bob.key, bob.id, bob.instance], [key, B, instanceOf("b2")]);
  await clock.advance(5001);
  registry.expire(15_000);
  registry.listed([listing("p2", "bob", "203.0.113.7:6000", "b2", B)]);
  assert.deepEqual(known(registry), ["bob 10.0.0.2:6000/lan 203.0.113.7:6000/bootstrap"]);
  assert.deepEqual(events(), ["up bob"]);
});

Deno.test("run of an id takes the place of the one before it on its host, which said no goodbye", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
  registry.sawOnLan(lan("bob", "10.0.1.2:5000", "b1", B));
  registry.sawOnLan(lan("bob", "10.0.0.2:6000", "b2", B));
  assert.deepEqual(known(registry), ["bob 10.0.0.2:6000/lan 10.0.1.2:5000/lan"]);
  registry.sawOnLan(lan("bob", "10.0.1.2:6000", "b2", B));
  assert.deepEqual(known(registry), ["bob 10.0.0.2:6000/lan 10.0.1.2:6000/lan"]);
  registry.saidGoodbye({ nickname: "bob", instance: instanceOf("b2"), id: B }, "10.0.0.2");
  assert.deepEqual(events(), ["up bob", "down bob goodbye"]);
});

Deno.test("run takes the place of no other peer, host or kind of address", () => {
  const { registry } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
  registry.sawOnLan(lan("bob", "10.0.0.2:5001", undefined, B)); // of no known run
  registry.sawOnLan(lan("eve", "10.0.0.2:5002", "b1", B));
  registry.sawOnLan(lan("bob", "10.0.0.2:5003", "b1", E));
  registry.listed([
    listing("p1", "bob", "10.0.0.2:5000", "b1", B),
    // Others may share a public address.
    listing("p2", "bob", "203.0.113.7:5000", "b1", B),
    listing("p3", "bob", "203.0.113.7:6000", "b2", B),
  ]);
  const addresses = () => registry.peers().reduce((sum, peer) => sum + peer.addresses.length, 0);
  assert.equal(addresses(), 7);
  registry.sawOnLan(lan("bob", "10.0.0.66:5000", "e1", B)); // from elsewhere
  registry.sawOnLan(lan("bob", "10.0.0.2:5009", "e2")); // without the id
  registry.sawOnLan(lan("bob", "10.0.0.2:5008", undefined, B)); // without a run
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B)); // of the same run
  assert.equal(addresses(), 10);
});

Deno.test("address that proved an id is tried before newer ones that only claim it", () => {
  const { registry } = makeRegistry();
  registry.proved(B, instanceOf("b1"), "10.0.0.2"); // by a session that came before its announce
  registry.sawOnLan(lan("bob", "10.0.0.66:5000", "b1", B));
  registry.sawOnLan(lan("bob", "10.0.0.66:5001", undefined, B));
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
  registry.sawOnLan(lan("bob", "10.0.0.67:5000", "e1", B));
  const first = () => registry.peers()[0].addresses[0].address.hostname;
  assert.equal(first(), "10.0.0.2");
  // A restart elsewhere is a claim like that of anybody, until it is proved.
  registry.listed([listing("p1", "bob", "203.0.113.7:5000", "b2", B)]);
  assert.equal(first(), "10.0.0.2");
  registry.proved(B, instanceOf("b2"), "203.0.113.7");
  assert.equal(first(), "203.0.113.7");
  registry.proved(E, instanceOf("b1"), "10.0.0.66");
  assert.equal(first(), "203.0.113.7");
});

Deno.test("proofs are remembered of the latest 1024 ids", () => {
  const { registry, held } = makeRegistry();
  for (let number = 0; number < 2000; number++) {
    registry.proved(idOf(number & 255, number >> 8), instanceOf("b1"), "10.0.0.2");
  }
  assert.equal(held(), 1024);
  registry.sawOnLan(lan("bob", "10.0.0.66:5000", "b1", idOf(1999 & 255, 1999 >> 8)));
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", idOf(1999 & 255, 1999 >> 8)));
  assert.equal(registry.peers()[0].addresses[0].address.hostname, "10.0.0.2");
});

Deno.test("peer with an id that is restarted on its fixed port neither leaves nor comes", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b2", B));
  assert.deepEqual(known(registry), ["bob 10.0.0.2:5000/lan"]);
  assert.equal(registry.peers()[0].instance, instanceOf("b2"));
  assert.deepEqual(events(), ["up bob"]);
});

for (const instance of [undefined, "b1", "e1"]) {
  const what = instance === undefined ? "of version 1" : `with the instance ${instance}`;
  Deno.test(`announce ${what} and no id takes neither id nor address of a peer with one`, async () => {
    const { clock, registry, events } = makeRegistry();
    registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
    registry.sawOnLan(lan("bob", "10.0.0.66:5000", "e1")); // somebody else
    await clock.advance(1000);
    registry.sawOnLan(lan("bob", "10.0.0.2:5000", instance));
    registry.listed([listing("p1", "bob", "10.0.0.2:5000", instance)]);
    const [bob, other] = registry.peers();
    assert.deepEqual([bob.id, bob.instance, bob.version], [B, instanceOf("b1"), 2]);
    assert.equal(bob.addresses[0].lastSeen, clock.now()); // yet it is a sign of life
    assert.equal(other.addresses.length, 1);
    assert.equal(registry.size, 2);
    registry.listed([]);
    assert.equal(events().length, 2);
  });
}

Deno.test("peer that is listed with an id does not lose it by an announce of version 1", () => {
  const { registry } = makeRegistry();
  registry.listed([listing("p1", "bob", "10.0.0.2:5000", "b1", B)]);
  registry.sawOnLan(lan("bob", "10.0.0.2:5000"));
  registry.listed([listing("p1", "bob", "10.0.0.2:5000")]); // by a server that changed its mind
  registry.listed([listing("p2", "bob", "10.0.0.2:5000")]);
  assert.deepEqual(known(registry), ["bob 10.0.0.2:5000/lan 10.0.0.2:5000/bootstrap"]);
  assert.equal(registry.peers()[0].id, B);
});

Deno.test("peer without an id gains one where it is, and keeps its key", () => {
  for (const instance of [undefined, "b1"]) {
    const { registry, events } = makeRegistry("bob");
    registry.sawOnLan(lan("bob", "10.0.0.2:5000", instance));
    registry.listed([listing("p1", "bob", "203.0.113.7:1", instance)]);
    const [{ key }] = registry.peers();
    registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
    const [bob] = registry.peers();
    assert.deepEqual([bob.key, bob.id, bob.label], [key, B, `bob~${B.slice(0, 7)}`]);
    assert.equal(registry.withId(B).length, 1);
    registry.listed([listing("p1", "bob", "203.0.113.7:1", "b1", B)]); // where it was apart, too
    assert.deepEqual(known(registry), [
      `bob~${B.slice(0, 7)} 10.0.0.2:5000/lan 203.0.113.7:1/bootstrap`,
    ]);
    assert.deepEqual(events().at(0), instance ? "up bob~b100" : "up bob~10.0.0.2:5000");
  }
});

Deno.test("peer without an id gains none from elsewhere, even with its instance", () => {
  const { registry } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1"));
  registry.sawOnLan(lan("bob", "10.0.0.66:5000", "b1", E));
  assert.deepEqual(claims(registry), [["bob", undefined, "10.0.0.2"], ["bob", E, "10.0.0.66"]]);
  registry.sawOnLan(lan("bob", "10.0.1.2:5000", "b1"));
  assert.equal(registry.peers()[0].addresses.length, 2);
});

Deno.test("spoofed id at another address is a further address, tried last once the peer is heard", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
  registry.sawOnLan(lan("bob", "10.0.0.66:5000", "e1", B));
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
  assert.deepEqual(known(registry), ["bob 10.0.0.2:5000/lan 10.0.0.66:5000/lan"]);
  assert.equal(registry.peers()[0].instance, instanceOf("b1"));
  assert.deepEqual(events(), ["up bob"]);
});

Deno.test("whoever claims an id from many ports does not crowd out the peer that has it", () => {
  const { registry, refusals } = makeRegistry();
  const flood = () => {
    for (let port = 1; port <= 40; port++) {
      registry.sawOnLan(lan("bob", `10.0.0.66:${port}`, "e1", B));
    }
  };
  flood();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
  flood();
  registry.listed([listing("p1", "bob", "203.0.113.7:5000", "b1", B)]);
  flood();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
  const [bob] = registry.peers();
  assert.equal(bob.addresses.length, 16);
  assert.deepEqual(bob.addresses.slice(0, 2).map(({ address }) => address.hostname), [
    "10.0.0.2",
    "203.0.113.7",
  ]);
  assert.deepEqual(refusals.totals(), {});
});

Deno.test("goodbye is of the id where it has one, and of no other run of it", () => {
  const { registry, events } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", B));
  registry.sawOnLan(lan("bob", "10.0.1.2:5000", "b1", B));
  registry.sawOnLan(lan("bob", "10.0.0.2:6000", "b2", B));
  registry.sawOnLan(lan("bob", "10.0.0.9:5000", "e1", E));
  events();
  const bob = { nickname: "bob", id: B };
  registry.saidGoodbye({ ...bob, instance: instanceOf("b2") }, "10.0.0.9"); // not where it is
  registry.saidGoodbye({ ...bob, nickname: "eve" }, "10.0.0.2");
  registry.saidGoodbye({ ...bob, id: idOf(7) }, "10.0.0.2");
  registry.saidGoodbye({ nickname: "bob", instance: instanceOf("e1") }, "10.0.0.2");
  assert.equal(registry.peers()[0].addresses.length, 2);
  registry.saidGoodbye({ ...bob, instance: instanceOf("b1") }, "10.0.0.2"); // late
  assert.deepEqual(registry.peers()[0].addresses.map(({ address }) => address.port), [6000]);
  registry.sawOnLan(lan("bob", "10.0.1.2:6000", "b2", B));
  registry.saidGoodbye({ ...bob, instance: instanceOf("b1") }, "10.0.1.2"); // later
  assert.equal(registry.peers()[0].addresses.length, 2);
  registry.saidGoodbye(bob, "10.0.0.2");
  registry.saidGoodbye({ nickname: "bob" }, "10.0.0.9");
  assert.deepEqual(events(), ["down bob~" + B.slice(0, 4) + " goodbye", "down bob goodbye"]);
});

Deno.test("tag that two ids share, or an id and an instance in either case, is the whole of both", () => {
  const { registry } = makeRegistry();
  const [first, second] = [idOf(1, 0), idOf(2, 0)];
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", first));
  registry.sawOnLan(lan("bob", "10.0.0.3:5000", "b2", second));
  assert.deepEqual(registry.peers().map(({ label }) => label), [`bob~${first}`, `bob~${second}`]);
  registry.sawOnLan(lan("ann", "10.0.0.4:5000", "a1", first));
  registry.sawOnLan(lan("ann", "10.0.0.5:5000", "aaaa"));
  assert.deepEqual(registry.named("ann").map(({ label }) => label), [
    `ann~${first}`,
    `ann~${instanceOf("aaaa")}`,
  ]);
});

Deno.test("list that gives one registration another id has another peer", () => {
  const { registry, events, held } = makeRegistry();
  registry.listed([listing("p1", "bob", "203.0.113.7:1", "b1", B)]);
  registry.listed([listing("p1", "bob", "203.0.113.7:1", "b1", E)]);
  assert.deepEqual(claims(registry), [["bob", E, "203.0.113.7"]]);
  registry.listed([
    listing("p1", "bob", "203.0.113.7:1", "b1", E),
    listing("p2", "bob", "203.0.113.7:1", "b1", B),
  ]);
  assert.equal(registry.size, 2);
  assert.equal(events().length, 4);
  registry.listed([]);
  assert.equal(held(), 0);
});

Deno.test("10,000 entries of one nickname and instance with ids of their own are taken in a moment", () => {
  const { registry, held } = makeRegistry();
  const started = performance.now();
  const ids = Array.from({ length: 255 }, (_, index) => idOf(index));
  registry.listed(Array.from({ length: 10_000 }, (_, index) => {
    const id = index % 2 === 0 ? ids[(index >> 1) % 255] : undefined;
    return listing(`p${index}`, "bob", `203.0.113.7:${index + 1}`, "b1", id);
  }));
  assert.ok(performance.now() - started < 5000); // some 0.1 s
  assert.equal(registry.size, 255);
  registry.forgetListed();
  assert.equal(held(), 0);
});

Deno.test("no nickname makes a label that another peer has, or that looks like an id", () => {
  const { registry } = makeRegistry("me");
  registry.sawOnLan(lan("bob", "10.0.0.2:5000", "b1", E));
  registry.sawOnLan(lan("bob", "10.0.0.3:5000", "b2", B));
  const bobs = registry.peers().map(({ label }) => label);
  for (const [host, nickname] of [...bobs, E.slice(0, 7), E.slice(0, 30)].entries()) {
    const instance = host % 2 === 0 ? undefined : `c${host}`; // of version 1, and of 2
    registry.sawOnLan(lan(nickname, `10.0.1.${host}:5000`, instance));
  }
  const labels = registry.peers().map(({ label }) => label);
  assert.equal(new Set(labels).size, 6);
  for (const { nickname, label } of registry.peers()) assert.notEqual(label, nickname);
  registry.sawOnLan(lan("patrick", "10.0.3.1:5000"));
  assert.equal(registry.peers().at(-1)?.label, "patrick");
});
