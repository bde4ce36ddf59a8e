import assert from "node:assert/strict";
import { brief, lan, listing, makeRegistry } from "./registry_fixtures.ts";

Deno.test("registry takes 256 addresses of one host on the LAN, and more once some have left", () => {
  const { registry, refusals, held, events } = makeRegistry();
  for (let round = 0; round < 3; round++) {
    for (let port = 1; port <= 300; port++) registry.sawOnLan(lan(`p${port}`, `10.0.0.2:${port}`));
    assert.equal(registry.size, 256);
    registry.sawOnLan(lan("bob", "10.0.0.3:1"));
    assert.equal(registry.size, 257);
    for (let port = 1; port <= 300; port++) {
      registry.saidGoodbye({ nickname: `p${port}` }, "10.0.0.2");
    }
    registry.saidGoodbye({ nickname: "bob" }, "10.0.0.3");
    assert.equal(held(), 0);
  }
  assert.equal(refusals.count("announce above the limit of 256 peers of one host"), 3 * 44);
  assert.equal(events().length, 3 * 2 * 257);
});

Deno.test("registry takes 4096 addresses on the LAN, and known ones stay alive when it is full", async () => {
  const { clock, registry, refusals, held } = makeRegistry();
  registry.sawOnLan(lan("bob", "10.9.9.9:1", "b1"));
  for (let index = 0; index < 5000; index++) {
    registry.sawOnLan(lan(`p${index}`, `10.0.${index >> 6}.${index & 63}:1`));
  }
  assert.equal(registry.size, 4096);
  assert.equal(refusals.count("announce above the limit of 4096 peers"), 905);
  await clock.advance(15_001);
  registry.sawOnLan(lan("bob", "10.9.9.9:1", "b1"));
  registry.expire(15_000);
  assert.deepEqual(registry.peers().map(brief), ["bob 10.9.9.9:1/lan"]);
  await clock.advance(15_001);
  registry.expire(15_000);
  assert.equal(held(), 0);
});

Deno.test("registry takes 16 addresses of one peer, from the LAN and from lists", () => {
  const { registry, refusals } = makeRegistry();
  const cause = "address above the limit of 16 of one peer";
  for (let index = 1; index <= 20; index++) {
    registry.sawOnLan(lan("bob", `10.0.0.${index}:1`, "b1"));
  }
  assert.equal(registry.peers()[0].addresses.length, 16);
  assert.equal(refusals.count(cause), 4);
  registry.listed([listing("p1", "bob", "203.0.113.7:1", "b1")]);
  assert.equal(registry.size, 1);
  assert.equal(refusals.count(cause), 5);
});

Deno.test("registry takes 10,000 peers of a list", () => {
  const { registry, held } = makeRegistry();
  registry.listed(Array.from({ length: 12_000 }, (_, index) => {
    return listing(`p${index}`, `n${index}`, `10.0.${index >> 8}.${index & 255}:1`);
  }));
  assert.equal(registry.size, 10_000);
  registry.listed([]);
  assert.equal(held(), 0);
});

Deno.test("registry takes a list whose entries collide in every way within a moment", () => {
  const { registry, held } = makeRegistry();
  const hostile = [
    (index: number) => listing(`p${index}`, "bob", "203.0.113.7:1"),
    (index: number) => listing(`p${index}`, "bob", "203.0.113.7:1", index.toString(16)),
    (index: number) => listing(`p${index}`, `n${index}`, "203.0.113.7:1", "b1"),
    (index: number) => listing("p", `n${index % 2}`, "203.0.113.7:1"),
    (index: number) => listing(`p${index}`, "bob", `203.0.113.7:${index + 1}`, `b1b1${index}`),
  ];
  const started = performance.now();
  for (const entry of hostile) {
    registry.listed(Array.from({ length: 10_000 }, (_, index) => entry(index)));
  }
  assert.ok(performance.now() - started < 5000); // some 0.3 s; what is quadratic takes minutes
  registry.forgetListed();
  assert.equal(held(), 0);
});

Deno.test("100,000 nicknames leave the registry as small and as quick as it was", () => {
  const { registry, held, events } = makeRegistry();
  const started = performance.now();
  for (let index = 0; index < 100_000; index++) {
    // From many hosts, from many ports of one host, or from one address.
    const kind = index % 3;
    if (kind === 0) {
      registry.sawOnLan(lan(`n${index}`, `10.1.${(index >> 8) & 255}.${index & 255}:1`));
    } else if (kind === 1) {
      registry.sawOnLan(lan(`n${index}`, `10.0.0.3:${1 + index % 65535}`, index.toString(16)));
    } else registry.sawOnLan(lan(`n${index}`, "10.0.0.2:5000"));
    events();
  }
  assert.ok(registry.size <= 4096);
  assert.ok(held() < 6 * 4096);
  assert.ok(performance.now() - started < 15_000); // some 1 s; what is quadratic takes hours
});
