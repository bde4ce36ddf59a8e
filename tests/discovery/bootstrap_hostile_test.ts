import assert from "node:assert/strict";
import { Bootstrap, entry } from "./bootstrap_fixtures.ts";
import { instanceOf } from "./registry_fixtures.ts";

const bob = entry("p1", "bob", "203.0.113.7:5000");

const hostile: readonly [what: string, frame: unknown, cause: string][] = [
  ["that is no JSON", "{hello}", "bootstrap server: frame is not JSON"],
  ["that is empty", "", "bootstrap server: frame is not a JSON object"],
  ["of an unknown type", { type: "hello" }, "bootstrap server: frame of an unknown type"],
  [
    "without the list",
    { type: "peer_list", peers: { length: 3 } },
    "bootstrap server: peer_list without peers",
  ],
  [
    "with a registration of wrong types",
    { type: "registered", peer_id: 7, public_addr: null },
    "bootstrap server: registered without peer_id and public_addr",
  ],
  [
    "with the name of a registration of a megabyte",
    { type: "registered", peer_id: "x".repeat(1 << 20), public_addr: "203.0.113.1:1" },
    "bootstrap server: peer_id that is too long",
  ],
  [
    "with an error that is no text",
    { type: "error", message: [1] },
    "bootstrap server: error without a message",
  ],
];

for (const [what, frame, cause] of hostile) {
  Deno.test(`frame ${what} is refused and counted, and the next one is taken`, async () => {
    await using bootstrap = new Bootstrap();
    await bootstrap.register();
    bootstrap.channel.say(frame);
    bootstrap.channel.list(bob);
    await bootstrap.clock.advance(0);
    assert.deepEqual(bootstrap.refusals.totals(), { [cause]: 1 });
    assert.deepEqual(bootstrap.known(), ["bob 203.0.113.7:5000/bootstrap"]);
    assert.deepEqual(bootstrap.problems(), []);
  });
}

Deno.test("entries of a list that are no peers are left out and counted, the others are taken", async () => {
  await using bootstrap = new Bootstrap();
  await bootstrap.register();
  const entries = [
    null,
    "bob",
    [],
    { ...bob, peer_id: 7 },
    { ...bob, nickname: "\x1b]52;c;!\x07" },
    { ...bob, nickname: "x".repeat(33) },
    { ...bob, public_addr: undefined },
    { ...bob, last_seen: -1 },
    { ...bob, version: "2" },
    { ...bob, instance: "0f3a" },
    { ...bob, id: "AAAAAAA" },
  ];
  for (const one of entries) {
    bootstrap.channel.list(one, bob);
    await bootstrap.clock.advance(0);
  }
  bootstrap.channel.list({ ...bob, peer_id: "x".repeat(129), nickname: "eve" }, bob);
  await bootstrap.clock.advance(0);
  assert.deepEqual(bootstrap.known(), ["bob 203.0.113.7:5000/bootstrap"]);
  assert.deepEqual(bootstrap.refusals.totals(), {
    "bootstrap server: entry of the list that is no peer": entries.length,
    "bootstrap server: peer_id that is too long": 1,
  });
});

Deno.test("list of 100,000 entries is cut at 10,000 peers", async () => {
  await using bootstrap = new Bootstrap();
  await bootstrap.register();
  bootstrap.channel.list(...Array.from({ length: 100_000 }, (_, index) => {
    return entry(`p${index}`, `n${index}`, `203.0.${index >> 8 & 255}.${index & 255}:5000`);
  }));
  await bootstrap.clock.advance(0);
  assert.equal(bootstrap.registry.size, 10_000);
  const cause = "bootstrap server: entry of the list that is no peer";
  assert.equal(bootstrap.refusals.count(cause), 1);
});

Deno.test("list that gives others the own instance does not make the client see itself", async () => {
  await using bootstrap = new Bootstrap();
  await bootstrap.register();
  bootstrap.channel.list({ ...bob, version: 2, instance: instanceOf("abcd") });
  await bootstrap.clock.advance(0);
  assert.deepEqual(bootstrap.known(), []);
});

Deno.test("errors of a server reach the user cut, and once a second at most", async () => {
  await using bootstrap = new Bootstrap();
  await bootstrap.register();
  for (let index = 0; index < 1000; index++) {
    bootstrap.channel.say({ type: "error", message: `${index} ${"x".repeat(10_000)}` });
  }
  await bootstrap.clock.advance(0);
  const told = bootstrap.problems();
  assert.equal(told.length, 1);
  assert.ok(told[0].length < 600);
  assert.equal(bootstrap.refusals.count("bootstrap server: errors above the rate"), 999);
  await bootstrap.clock.advance(1000);
  bootstrap.channel.say({ type: "error", message: "another one" });
  await bootstrap.clock.advance(0);
  assert.match(bootstrap.problems()[0], /another one$/);
});

Deno.test("registrations without end keep the memory of own names bounded", async () => {
  await using bootstrap = new Bootstrap();
  for (let index = 0; index < 1000; index++) {
    bootstrap.channel?.say({ type: "registered", peer_id: `own${index}`, public_addr: "x" });
    if (index === 0) await bootstrap.register("own0");
  }
  bootstrap.channel.list(
    entry("own999", "me", "203.0.113.1:1"),
    entry("own900", "x", "203.0.113.1:2"),
  );
  await bootstrap.clock.advance(0);
  assert.deepEqual(bootstrap.known(), ["x 203.0.113.1:2/bootstrap"]);
  assert.deepEqual(bootstrap.events().slice(0, 2), ["connecting", "registered"]);
});

Deno.test("reading waits for as long as no more events are welcome, which is no silence of the server", async () => {
  let room: PromiseWithResolvers<void> | undefined = Promise.withResolvers();
  await using bootstrap = new Bootstrap({ ready: () => room?.promise });
  await bootstrap.clock.advance(0);
  bootstrap.channel.say({ type: "registered", peer_id: "own", public_addr: "203.0.113.1:5000" });
  bootstrap.channel.list(bob);
  await bootstrap.clock.advance(60_000);
  assert.deepEqual(bootstrap.events(), ["connecting", "registered"]);
  const { resolve } = room;
  room = undefined;
  resolve();
  await bootstrap.clock.advance(0);
  assert.deepEqual(bootstrap.events(), ["up bob"]);
});
