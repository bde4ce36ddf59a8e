import assert from "node:assert/strict";
import { device, hexOf, Lans, listen, listenToGroup, loopback, say } from "./lan_fixtures.ts";
import { idOf } from "./registry_fixtures.ts";

Deno.test("newcomer and 50 peers of version 2 know one another within 250 ms", async () => {
  await using lans = new Lans();
  let seed = 1;
  lans.dice = () => (seed = seed * 16807 % 2147483647) / 2147483647;
  const peers = [];
  for (let index = 1; index <= 50; index++) {
    peers.push(await lans.start(lans.host(device(`10.0.0.${index}`)), `p${index}`));
  }
  await lans.clock.advance(2345);
  lans.network.delayMs = 1;
  const newcomer = await lans.start(lans.host(device("10.0.0.99")), "newcomer");
  await lans.clock.advance(250);
  assert.equal(newcomer.registry.size, 50);
  for (const { registry } of peers) assert.equal(registry.size, 50);
});

Deno.test("announces go out at the start, after a second, and then in the interval", async () => {
  await using lans = new Lans();
  const heard = await listenToGroup(lans.host(device("10.0.0.9")), lans.clock);
  await lans.start(lans.host(device("10.0.0.1")), "alice");
  await lans.clock.advance(16_000);
  assert.deepEqual(heard.map(({ at, datagram }) => [at, datagram.ask]), [
    [0, true],
    [1000, true],
    [6000, undefined],
    [11_000, undefined],
    [16_000, undefined],
  ]);
  const { ask: _, ...rest } = heard[0].datagram;
  assert.deepEqual(rest, {
    type: "announce",
    nickname: "alice",
    tcp_port: 5000,
    version: 2,
    instance: hexOf("alice"),
  });
});

Deno.test("answer comes by unicast after a delay of 2 ms per known peer, at most 150 ms", async () => {
  for (const [known, delay] of [[0, 1], [10, 11], [200, 75]]) { // the newcomer is known then, too
    await using lans = new Lans();
    const peer = await lans.start(lans.host(device("10.0.0.1")), "alice");
    const newcomer = lans.host(device("10.0.0.2"));
    const group = await listenToGroup(newcomer, lans.clock);
    const socket = newcomer.lan.open("10.0.0.2");
    const answers = listen(socket, lans.clock);
    for (let index = 0; index < known; index++) {
      await say(socket, { type: "announce", nickname: `p${index}`, tcp_port: 1 + index });
    }
    await lans.clock.advance(2000);
    group.splice(0);
    const asked = lans.clock.monotonic();
    await say(socket, { type: "announce", nickname: "bob", tcp_port: 5001, ask: true });
    await lans.clock.advance(500);
    assert.equal(peer.registry.size, known + 1);
    assert.deepEqual(answers.map(({ at }) => at - asked), [delay]);
    assert.equal(answers[0].datagram.nickname, "alice");
    assert.equal(answers[0].datagram.ask, undefined); // else two peers would answer for ever
    assert.deepEqual(group.map(({ datagram }) => datagram.nickname), ["bob"]);
  }
});

Deno.test("the same newcomer is answered twice a second at most", async () => {
  await using lans = new Lans();
  await lans.start(lans.host(device("10.0.0.1")), "alice");
  const socket = lans.host(device("10.0.0.2")).lan.open("10.0.0.2");
  const answers = listen(socket, lans.clock);
  for (let index = 0; index < 100; index++) {
    await say(socket, { type: "announce", nickname: "bob", tcp_port: 5001, ask: true });
    await lans.clock.advance(10);
  }
  await lans.clock.advance(200);
  assert.equal(answers.length, 2);
});

Deno.test("newcomers of one host use up half of the answers, and another host still gets one", async () => {
  await using lans = new Lans();
  const { refusals } = await lans.start(lans.host(device("10.0.0.1")), "alice");
  const host = lans.host(device("10.0.0.2"));
  const ask = { type: "announce", nickname: "bob", tcp_port: 5001, ask: true };
  const answers = [];
  for (let index = 0; index < 150; index++) {
    const socket = host.lan.open("10.0.0.2");
    answers.push(listen(socket, lans.clock));
    await say(socket, ask);
  }
  const other = lans.host(device("10.0.0.3")).lan.open("10.0.0.3");
  const toOther = listen(other, lans.clock);
  await say(other, { ...ask, nickname: "carol" });
  await lans.clock.advance(200);
  assert.equal(answers.flat().length, 100);
  assert.equal(toOther.length, 1);
  assert.equal(refusals.count("request for answers above the rate"), 50);
});

Deno.test("answers are bounded in all", async () => {
  await using lans = new Lans();
  await lans.start(lans.host(device("10.0.0.1")), "alice");
  const answers = [];
  for (let index = 2; index < 252; index++) {
    const socket = lans.host(device(`10.0.0.${index}`)).lan.open(`10.0.0.${index}`);
    answers.push(listen(socket, lans.clock));
    await say(socket, { type: "announce", nickname: `p${index}`, tcp_port: 1, ask: true });
  }
  await lans.clock.advance(200);
  assert.equal(answers.flat().length, 200);
});

Deno.test("own announces are ignored, and another peer of the own nickname is seen", async () => {
  await using lans = new Lans();
  const host = lans.host(device("10.0.0.1"), device("10.0.1.1", "eth1"));
  const first = await lans.start(host, "alice");
  await lans.clock.advance(6000);
  assert.deepEqual(first.names(), []);
  const instance = "7777000000000000";
  const second = await lans.start(host, "alice", { instance, tcpPort: 5001 });
  await lans.clock.advance(250);
  assert.deepEqual(first.names(), ["alice~7777"]);
  assert.deepEqual(second.names(), [`alice~${hexOf("alice").slice(0, 4)}`]);
});

Deno.test("id is announced, with the goodbye, too, and tells who restarted from who came", async () => {
  await using lans = new Lans();
  const heard = await listenToGroup(lans.host(device("10.0.0.9")), lans.clock);
  const alice = await lans.start(lans.host(device("10.0.0.1")), "alice", { id: idOf(1) });
  const host = lans.host(device("10.0.0.2"));
  const bob = await lans.start(host, "bob", { id: idOf(2) });
  await lans.clock.advance(200);
  assert.equal(heard[0].datagram.id, idOf(1));
  assert.deepEqual(alice.registry.withId(idOf(2)).map(({ label }) => label), ["bob"]);
  host.interfaces = []; // it is gone without a goodbye
  host.interfaces = [device("10.0.0.2")];
  await lans.start(host, "bob", { id: idOf(2), instance: "7777000000000000", tcpPort: 5001 });
  await lans.clock.advance(200);
  const [{ instance, addresses }] = alice.registry.peers();
  assert.equal(instance, "7777000000000000");
  assert.equal(addresses[0].address.port, 5001);
  await bob.discovery[Symbol.asyncDispose]();
  await lans.clock.advance(0);
  assert.deepEqual(alice.events(), ["up bob"]);
  const goodbye = { type: "goodbye", nickname: "bob", instance: hexOf("bob"), id: idOf(2) };
  assert.deepEqual(heard.at(-1)?.datagram, goodbye);
});

Deno.test("datagrams of another run with the own id are refused and counted", async () => {
  await using lans = new Lans();
  const alice = await lans.start(lans.host(device("10.0.0.1")), "alice", { id: idOf(1) });
  const copy = lans.host(device("10.0.0.2")).lan.open("10.0.0.2");
  const instance = "7777000000000000";
  for (const nickname of ["alice", "eve"]) {
    await say(copy, { type: "announce", nickname, tcp_port: 5001, instance, id: idOf(1) });
    await say(copy, { type: "goodbye", nickname, id: idOf(1) });
  }
  await lans.clock.advance(0);
  assert.deepEqual(alice.names(), []);
  assert.deepEqual(alice.refusals.totals(), { "datagram of another run with the own id": 4 });
});

Deno.test("version 1 peers are seen when they announce, and dropped when they fall silent", async () => {
  await using lans = new Lans();
  const alice = await lans.start(lans.host(device("10.0.0.1")), "alice");
  const socket = lans.host(device("10.0.0.2")).lan.open("10.0.0.2");
  await say(socket, { type: "announce", nickname: "old", tcp_port: 5001 });
  await lans.clock.advance(15_000);
  assert.deepEqual(alice.names(), ["old"]);
  await lans.clock.advance(3001); // it is looked for every 3 s
  assert.deepEqual(alice.events(), ["up old", "down old timeout"]);
});

Deno.test("goodbye goes out on every interface when discovery ends, and nothing after it", async () => {
  await using lans = new Lans();
  const host = lans.host(device("10.0.0.1"), device("10.0.1.1", "eth1"));
  const alice = await lans.start(host, "alice");
  const bob = await lans.start(lans.host(device("10.0.0.2")), "bob");
  const carol = await lans.start(lans.host(device("10.0.1.2")), "carol");
  await lans.clock.advance(2000);
  assert.deepEqual([bob.names(), carol.names()], [["alice"], ["alice"]]);
  const asker = lans.host(device("10.0.0.3")).lan.open("10.0.0.3");
  const answers = listen(asker, lans.clock);
  await say(asker, { type: "announce", nickname: "dave", tcp_port: 5001, ask: true });
  const heard = await listenToGroup(lans.host(device("10.0.0.9")), lans.clock);
  await alice.discovery[Symbol.asyncDispose]();
  await alice.discovery[Symbol.asyncDispose]();
  await lans.clock.advance(60_000);
  assert.deepEqual(bob.events().slice(0, 3), ["up alice", "up dave", "down alice goodbye"]);
  assert.deepEqual(carol.events().slice(0, 2), ["up alice", "down alice goodbye"]);
  const fromAlice = heard.filter(({ from }) => from.hostname === "10.0.0.1");
  assert.deepEqual(fromAlice.map(({ datagram }) => datagram), [
    { type: "goodbye", nickname: "alice", instance: hexOf("alice") },
  ]);
  assert.equal(answers.some(({ datagram }) => datagram.nickname === "alice"), false);
  assert.equal(host.sockets.size, 0);
});

Deno.test("goodbye from another host than the peer's is ignored", async () => {
  await using lans = new Lans();
  const alice = await lans.start(lans.host(device("10.0.0.1")), "alice");
  await lans.start(lans.host(device("10.0.0.2")), "bob");
  const eve = lans.host(device("10.0.0.66")).lan.open("10.0.0.66");
  await say(eve, { type: "goodbye", nickname: "bob", instance: hexOf("bob") });
  await say(eve, { type: "goodbye", nickname: "bob" });
  await lans.clock.advance(10);
  assert.deepEqual(alice.names(), ["bob"]);
});

Deno.test("peers that share two LANs are one peer with two addresses to each other", async () => {
  await using lans = new Lans();
  const start = (last: number, name: string) =>
    lans.start(lans.host(device(`10.0.0.${last}`), device(`10.0.1.${last}`, "eth1")), name);
  const alice = await start(1, "alice");
  await start(2, "bob");
  await lans.clock.advance(1000);
  assert.deepEqual(alice.registry.peers()[0].addresses.map(({ address }) => address.hostname), [
    "10.0.0.2",
    "10.0.1.2",
  ]);
  assert.deepEqual(alice.events(), ["up bob"]);
});

Deno.test("loopback is announced on only where it is the only interface", async () => {
  await using lans = new Lans();
  const host = lans.host(loopback);
  const heard = await listenToGroup(host, lans.clock);
  await lans.start(host, "alice");
  await lans.clock.advance(6000);
  assert.deepEqual(heard.map(({ from }) => from.hostname), Array(3).fill("127.0.0.1"));
  host.interfaces = [loopback, device("10.0.0.1")];
  await lans.clock.advance(20_000);
  const later = heard.filter(({ at }) => at > 6000);
  assert.deepEqual(later, []); // this listener is no member on the new interface
  const second = lans.host(loopback, device("10.0.0.2"));
  const heardThere = await listenToGroup(second, lans.clock);
  const limited = await lans.start(second, "bob", { interfaces: ["127.0.0.1"] });
  await lans.clock.advance(100);
  assert.deepEqual(heardThere.map(({ from }) => from.hostname), ["127.0.0.1"]);
  assert.deepEqual(limited.names(), []);
});

Deno.test("reading waits for as long as no more events are welcome", async () => {
  await using lans = new Lans();
  let room: PromiseWithResolvers<void> | undefined;
  const alice = await lans.start(lans.host(device("10.0.0.1")), "alice", {
    ready: () => room?.promise,
  });
  room = Promise.withResolvers();
  const socket = lans.host(device("10.0.0.2")).lan.open("10.0.0.2");
  for (let port = 1; port <= 3; port++) {
    await say(socket, { type: "announce", nickname: `p${port}`, tcp_port: port });
  }
  await lans.clock.advance(1500);
  assert.deepEqual(alice.names(), ["p1"]);
  const { resolve } = room;
  room = undefined;
  resolve();
  await lans.clock.advance(0);
  assert.deepEqual(alice.names(), ["p1", "p2", "p3"]);
});

Deno.test("nobody times out because the user is slow, and whoever is gone does so later", async () => {
  await using lans = new Lans();
  let wait: PromiseWithResolvers<void> | undefined;
  const { events, names } = await lans.start(lans.host(device("10.0.0.1")), "alice", {
    ready: () => wait?.promise,
  });
  const socket = lans.host(device("10.0.0.2")).lan.open("10.0.0.2");
  const bob = { type: "announce", nickname: "bob", tcp_port: 5001 };
  const carol = { type: "announce", nickname: "carol", tcp_port: 5002 };
  for (const datagram of [bob, carol]) await say(socket, datagram);
  await lans.clock.advance(1000);
  assert.deepEqual(events(), ["up bob", "up carol"]);
  wait = Promise.withResolvers();
  await say(socket, carol);
  await lans.clock.advance(60_000);
  assert.deepEqual(events(), [], "while it waits");
  wait.resolve();
  wait = undefined;
  await lans.clock.advance(14_000);
  assert.deepEqual(events(), [], "until both could announce again");
  await say(socket, bob);
  await lans.clock.advance(6000);
  assert.deepEqual(events(), ["down carol timeout"]);
  assert.deepEqual(names(), ["bob"]);
});

Deno.test("many short waits for a slow user count as one long one, and a short one for nothing", async () => {
  await using lans = new Lans();
  let wait: PromiseWithResolvers<void> | undefined;
  const { events } = await lans.start(lans.host(device("10.0.0.1")), "alice", {
    ready: () => wait?.promise,
  });
  const socket = lans.host(device("10.0.0.2")).lan.open("10.0.0.2");
  const bob = { type: "announce", nickname: "bob", tcp_port: 5001 };
  const carol = { type: "announce", nickname: "carol", tcp_port: 5002 };
  const slow = async (times: number) => {
    for (let at = 0; at < times; at++) {
      wait = Promise.withResolvers();
      await say(socket, carol);
      await lans.clock.advance(500);
      wait.resolve();
    }
    wait = undefined;
  };
  await say(socket, bob);
  await lans.clock.advance(1);
  await slow(1);
  assert.deepEqual(events(), ["up bob", "up carol"]);
  await lans.clock.advance(12_000);
  await slow(8); // bob's announces may have been among what was not read
  await lans.clock.advance(8000);
  assert.deepEqual(events(), []);
  await slow(1);
  await lans.clock.advance(8000);
  assert.deepEqual(events(), ["down bob timeout"]);
});
