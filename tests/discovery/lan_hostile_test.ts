import assert from "node:assert/strict";
import { MAX_DATAGRAM_BYTES } from "../../lib/wire/announce.ts";
import { device, Lans, say } from "./lan_fixtures.ts";

Deno.test("flood of 10,000 datagrams a second from one host does not hide another host's announce", async () => {
  await using lans = new Lans();
  const alice = await lans.start(lans.host(device("10.0.0.1")), "alice");
  const eve = lans.host(device("10.0.0.66")).lan.open("10.0.0.66");
  const bob = lans.host(device("10.0.0.2")).lan.open("10.0.0.2");
  let count = 0;
  for (let tick = 0; tick < 100; tick++) {
    for (let index = 0; index < 100; index++) {
      const tcp_port = 1 + count++;
      await say(eve, { type: "announce", nickname: `n${tcp_port}`, tcp_port, ask: true });
    }
    if (tick === 50) await say(bob, { type: "announce", nickname: "bob", tcp_port: 1 });
    await lans.clock.advance(10);
  }
  assert.equal(alice.registry.named("bob").length, 1);
  assert.equal(alice.registry.size, 257);
  const refused = alice.refusals.totals();
  const overRate = refused["datagrams above the rate of one host"];
  assert.ok(overRate >= 8400 && overRate <= 8600, `${overRate} refused`); // 1000 + 500 a second
  assert.equal(
    refused["announce above the limit of 256 peers of one host"] + overRate + 256,
    10_000,
  );
  await lans.clock.advance(20_000);
  assert.equal(alice.registry.size, 0);
});

const announce = { type: "announce", nickname: "bob", tcp_port: 5000 };
const malformed: readonly [what: string, datagram: unknown, cause: string][] = [
  ["empty", "", "datagram is not a JSON object"],
  ["not UTF-8", new Uint8Array([0x7b, 0xff, 0x7d]), "datagram is not UTF-8"],
  ["not JSON", "{hello}", "datagram is not JSON"],
  ["an array", "[]", "datagram is not a JSON object"],
  ["of an unknown type", { ...announce, type: "hello" }, "datagram of an unknown type"],
  ["of port 0", { ...announce, tcp_port: 0 }, "announce without a valid TCP port"],
  ["of port 70000", { ...announce, tcp_port: 70000 }, "announce without a valid TCP port"],
  ["with a mistyped id", { ...announce, id: "B".repeat(63) }, "datagram with an invalid id"],
  ["of a port in text", { ...announce, tcp_port: "5000" }, "announce without a valid TCP port"],
  [
    "with a nickname of 33 bytes",
    { ...announce, nickname: "x".repeat(33) },
    "datagram without a valid nickname",
  ],
  [
    "with an escape sequence for a nickname",
    { ...announce, nickname: "\x1b[2J" },
    "datagram without a valid nickname",
  ],
  [
    "of more than the limit",
    { ...announce, more: "x".repeat(MAX_DATAGRAM_BYTES) },
    "datagram above the limit of 8192 bytes",
  ],
  [
    "of 60 kB",
    { ...announce, more: "x".repeat(60_000) },
    "datagram above the limit of 8192 bytes",
  ],
  [
    "that is a goodbye without a nickname",
    { type: "goodbye" },
    "datagram without a valid nickname",
  ],
];

for (const [what, datagram, cause] of malformed) {
  Deno.test(`datagram ${what} is refused and counted, and the next one is taken`, async () => {
    await using lans = new Lans();
    const alice = await lans.start(lans.host(device("10.0.0.1")), "alice");
    const socket = lans.host(device("10.0.0.2")).lan.open("10.0.0.2");
    await say(socket, datagram);
    await lans.clock.advance(0);
    assert.deepEqual(alice.names(), []);
    assert.deepEqual(alice.refusals.totals(), { [cause]: 1 });
    await say(socket, announce);
    await lans.clock.advance(0);
    assert.deepEqual(alice.names(), ["bob"]);
  });
}

Deno.test("datagram of exactly the limit is taken", async () => {
  await using lans = new Lans();
  const alice = await lans.start(lans.host(device("10.0.0.1")), "alice");
  const socket = lans.host(device("10.0.0.2")).lan.open("10.0.0.2");
  const text = JSON.stringify({ ...announce, more: "" });
  await say(socket, text.replace('""', `"${"x".repeat(MAX_DATAGRAM_BYTES - text.length)}"`));
  await lans.clock.advance(0);
  assert.deepEqual(alice.names(), ["bob"]);
});

Deno.test("hosts that flood in numbers leave the rates of hosts bounded, and others are heard", async () => {
  await using lans = new Lans();
  const alice = await lans.start(lans.host(device("10.0.0.1")), "alice");
  for (let index = 0; index < 3000; index++) {
    const address = `10.0.0.${index}`; // no real addresses: only that they differ matters
    const host = lans.host(device(address));
    await say(host.lan.open(address), { ...announce, nickname: `n${index}` });
    host.interfaces = [];
    if (index % 100 === 0) await lans.clock.advance(1);
  }
  await say(lans.host(device("10.0.0.2")).lan.open("10.0.0.2"), announce);
  await lans.clock.advance(1);
  assert.equal(alice.registry.named("bob").length, 1);
});
