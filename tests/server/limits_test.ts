import assert from "node:assert/strict";
import { addressGroup } from "../../lib/server/client_address.ts";
import { MemoryClient, memoryServer } from "./memory_client.ts";

/** What a refused client gets: an error message, and a close with the same words. */
function assertRefused(client: MemoryClient, code: number, reason: RegExp): void {
  assert.equal(client.closing?.code, code);
  assert.match(client.closing.reason, reason);
  assert.deepEqual(client.received.at(-1), { type: "error", message: client.closing.reason });
  assert.ok(new TextEncoder().encode(client.closing.reason).length <= 123);
}

Deno.test("binary frame is refused", () => {
  const { client } = memoryServer();
  const alice = client();
  alice.say(new TextEncoder().encode('{"type":"list_peers"}').buffer);
  assertRefused(alice, 1003, /^Binary frames are not accepted/);
});

Deno.test("message above the size limit is refused, and one at the limit is not", () => {
  const { client } = memoryServer({ frameBytes: 300 });
  const padded = (bytes: number) => {
    const text = '{"type":"heartbeat","x":"é"}';
    return text.replace("é", "é" + "x".repeat(bytes - new TextEncoder().encode(text).length));
  };
  const alice = client();
  alice.say(padded(300));
  assert.equal(alice.closing, undefined);
  alice.say(padded(301));
  assertRefused(alice, 1009, /^Message is too long: at most 300 bytes/);
  const bob = client();
  bob.say("é".repeat(151)); // fewer characters than the limit, more bytes
  assertRefused(bob, 1009, /^Message is too long/);
});

Deno.test("message flood is refused, and costs no other client anything", async () => {
  const { client, clock, core } = memoryServer({ messagesPerSecond: 5, messageBurst: 20 });
  const alice = client();
  const bob = client();
  for (let index = 0; index < 20; index++) alice.say({ type: "list_peers" });
  assert.equal(alice.closing, undefined);
  await clock.advance(1000);
  for (let index = 0; index < 5; index++) alice.say({ type: "list_peers" });
  assert.equal(alice.closing, undefined);
  for (let index = 0; index < 1000; index++) alice.say({ type: "list_peers" });
  assertRefused(alice, 1008, /^Too many messages: allowed are 5 per second, 20 at once/);
  assert.equal(core.stats().refusals["messages above the rate limit"], 1);
  assert.equal(bob.register("bob").type, "registered");
});

Deno.test("invalid nickname or address is refused by name", () => {
  const { client } = memoryServer({ nicknameBytes: 20, addressLength: 30 });
  const cases: [string, string, RegExp][] = [
    ["", "0.0.0.0:1", /^Invalid nickname: it is empty/],
    [" alice", "0.0.0.0:1", /^Invalid nickname: it starts or ends/],
    ["a\nb", "0.0.0.0:1", /^Invalid nickname: it contains a newline/],
    ["a\x1b]52;c", "0.0.0.0:1", /^Invalid nickname: it contains a control character/],
    ["x".repeat(33), "0.0.0.0:1", /^Invalid nickname: it has more than 32 bytes/],
    ["x".repeat(21), "0.0.0.0:1", /^Invalid nickname: it has more than 20 bytes/],
    ["alice", "x".repeat(31), /^Invalid local_addr: it has more than 30 characters/],
    ["alice", "0.0.0.0:1\x1b[2J", /^Invalid local_addr: it has characters other/],
    ["alice", "hôte:1", /^Invalid local_addr: it has characters other/],
  ];
  for (const [nickname, local, reason] of cases) {
    const alice = client();
    alice.say({ type: "register", nickname, local_addr: local });
    assertRefused(alice, 1008, reason);
  }
  assert.deepEqual(client().nicknames(), []);
});

Deno.test("registrations of one connection are bounded, and those that ran out do not count", async () => {
  const { client, clock, core } = memoryServer({ peersPerConnection: 2 });
  const alice = client();
  for (let round = 0; round < 5; round++) {
    alice.register("one");
    alice.register("two");
    assert.equal(alice.closing, undefined);
    await clock.advance(40_000);
  }
  for (let index = 0; index < 100_000; index++) alice.say(register(index));
  assertRefused(alice, 1008, /^Too many registrations on one connection: at most 2/);
  assert.equal(core.stats().peers, 0); // what it had is gone with it
});

Deno.test("100,000 registrations from one address leave no more than its connections hold", () => {
  const { client, core } = memoryServer({ messageBurst: 100_000 });
  const bob = client("198.51.100.1");
  bob.register("bob");
  const open: MemoryClient[] = [];
  for (let index = 0; index < 100_000; index++) {
    const hostile = client();
    hostile.say(register(index));
    if (hostile.closing === undefined) open.push(hostile);
    else hostile.leave();
  }
  assert.equal(open.length, 64);
  assert.equal(core.stats().peers, 65);
  assert.equal(core.stats().connections, 65);
  assert.equal(bob.list().length, 65);
  for (const hostile of open) hostile.leave();
  assert.deepEqual(bob.nicknames(), ["bob"]);
});

Deno.test("server that is full refuses a registration until somebody leaves", () => {
  const { client } = memoryServer({ peers: 2 });
  const first = client();
  first.register("a");
  client().register("b");
  const third = client();
  third.say(register(3));
  assertRefused(third, 1013, /^Server is full: it takes at most 2 peers/);
  first.say({ type: "unregister" });
  assert.equal(client().register("c").type, "registered");
});

Deno.test("connections are bounded per address and altogether", () => {
  const { client } = memoryServer({ connectionsPerAddress: 2, connections: 3 });
  const first = client("192.0.2.1");
  client("::ffff:192.0.2.1"); // the same address in other clothes
  assertRefused(client("192.0.2.1"), 1008, /^Too many connections from one address: at most 2/);
  assert.equal(client("192.0.2.2").closing, undefined);
  assertRefused(client("192.0.2.3"), 1013, /^Server is full: it takes at most 3 connections/);
  first.leave();
  first.leave(); // a socket may report its end twice, which makes room for one
  assert.equal(client("192.0.2.1").closing, undefined);
  assert.equal(client("192.0.2.1").closing?.code, 1008);
});

Deno.test("IPv6 addresses count by their /64 network", () => {
  assert.equal(addressGroup("2001:db8::1"), addressGroup("2001:db8:0:0:ffff::2"));
  assert.notEqual(addressGroup("2001:db8::1"), addressGroup("2001:db8:0:1::1"));
  assert.equal(addressGroup("::1"), addressGroup("::2"));
  assert.equal(addressGroup("fe80::1%2"), addressGroup("fe80::2"));
  assert.equal(addressGroup("1:2:3:4:5:6:7:8"), addressGroup("1:2:3:4::"));
  const { client } = memoryServer({ connectionsPerAddress: 1 });
  client("2001:db8::1");
  assert.equal(client("2001:db8::2").closing?.code, 1008);
  assert.equal(client("2001:db8:0:1::2").closing, undefined);
});

Deno.test("upgrades are refused once too many refused connections of an address linger", () => {
  const { core, client } = memoryServer({ connectionsPerAddress: 1 });
  const remote = { hostname: "203.0.113.7", port: 1 };
  const served = client();
  const refused = Array.from({ length: 8 }, () => {
    assert.equal(core.isFlooded(remote), false);
    return client();
  });
  assert.equal(core.isFlooded(remote), true);
  assert.equal(core.isFlooded({ hostname: "203.0.113.8", port: 1 }), false);
  refused[0].leave();
  assert.equal(core.isFlooded(remote), false);
  client();
  assert.equal(core.isFlooded(remote), true);
  served.leave(); // there is room now, whoever lingers
  assert.equal(core.isFlooded(remote), false);
});

Deno.test("refused connections of many addresses keep nobody out for whom there is room", () => {
  const { core, client } = memoryServer({ connectionsPerAddress: 1 });
  for (let address = 0; address < 64; address++) {
    for (let index = 0; index < 5; index++) client(`192.0.2.${address}`);
  }
  assert.equal(core.isFlooded({ hostname: "192.0.2.1", port: 1 }), true);
  assert.equal(core.isFlooded({ hostname: "198.51.100.1", port: 1 }), false);
  assert.equal(client("198.51.100.1").closing, undefined);
});

Deno.test("slow reader is refused when its next answer is due", () => {
  const { client } = memoryServer({ bufferedBytes: 1000 });
  const alice = client();
  alice.bufferedAmount = 1000;
  alice.say({ type: "list_peers" });
  assert.equal(alice.closing, undefined);
  alice.bufferedAmount = 1001;
  alice.say({ type: "list_peers" });
  assertRefused(alice, 1008, /^Reading too slowly: more than 1000 bytes wait/);
});

Deno.test("connection that stays silent is closed, and one that speaks is not", async () => {
  const { client, clock } = memoryServer({ idleSeconds: 60 });
  const silent = client();
  const polling = client();
  for (let second = 0; second < 60; second += 10) {
    polling.say({ type: "list_peers" });
    assert.equal(silent.closing, undefined);
    await clock.advance(10_000);
  }
  assertRefused(silent, 1008, /^No message for 60 seconds/);
  assert.equal(polling.closing, undefined);
});

Deno.test("refused client is not listened to any more", () => {
  const { client } = memoryServer();
  const alice = client();
  alice.say(new ArrayBuffer(1));
  assert.deepEqual(alice.ask(register(1)), []);
  assert.deepEqual(client().nicknames(), []);
});

Deno.test("exception in one connection's handler ends that connection and no other", () => {
  const { client, core } = memoryServer();
  const bob = client();
  bob.register("bob");
  const alice = client();
  alice.send = () => {
    throw new Error("broken socket");
  };
  alice.say(register(1));
  assert.deepEqual(alice.closing, { code: 1011, reason: "Internal error" });
  assert.deepEqual(bob.nicknames(), ["bob"]);

  const carol = client();
  carol.send = carol.close = () => {
    throw new Error("more broken");
  };
  carol.say(register(2));
  carol.say(register(3));
  carol.leave();
  assert.deepEqual(bob.nicknames(), ["bob"]);
  assert.equal(core.stats().refusals["messages that the server failed on"], 2);
});

function register(index: number) {
  return { type: "register", nickname: `peer-${index}`, local_addr: "0.0.0.0:1" } as const;
}
