import assert from "node:assert/strict";
import { formatPeerId } from "../../lib/wire/peer_id.ts";
import { memoryServer } from "./memory_client.ts";

Deno.test("server answers a registration with an id and the address it saw", () => {
  const { client, core } = memoryServer();
  const answer = client().register("alice", "0.0.0.0:54321");
  assert.equal(answer.type, "registered");
  assert.match(
    answer.peer_id as string,
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  assert.equal(answer.public_addr, "203.0.113.7:54321");
  assert.equal(core.stats().peers, 1);
});

Deno.test("server gives the socket's own address where local_addr is not an ip:port", () => {
  const { client } = memoryServer();
  for (const local of ["localhost:5000", "", "0.0.0.0", "1.2.3.4:99999", "::1:80"]) {
    assert.equal(client().register("alice", local).public_addr, "203.0.113.7:40000", local);
  }
});

Deno.test("server shows IPv6 addresses in brackets and mapped ones as IPv4", () => {
  const { client } = memoryServer();
  assert.equal(client("2001:db8::1").register("a", "[::]:5").public_addr, "[2001:db8::1]:5");
  assert.equal(client("::ffff:1.2.3.4").register("b").public_addr, "1.2.3.4:54321");
  assert.equal(client("::ffff:1.2.3.4").register("b", "x").public_addr, "1.2.3.4:40000");
});

Deno.test("server lists every registered peer, the asking one included", () => {
  const { client, clock } = memoryServer();
  const alice = client();
  const bob = client("198.51.100.1");
  const { peer_id } = alice.register("alice");
  bob.register('bøb 🙂 "\\', "10.0.0.1:7");
  const [first, second] = alice.list();
  assert.deepEqual(first, {
    peer_id,
    nickname: "alice",
    public_addr: "203.0.113.7:54321",
    local_addr: "0.0.0.0:54321",
    last_seen: Math.floor(clock.now() / 1000),
  });
  assert.equal(second.nickname, 'bøb 🙂 "\\');
  assert.equal(second.public_addr, "198.51.100.1:7");
  assert.equal(bob.list().length, 2);
});

Deno.test("server lists peers to a client that is not registered", () => {
  const { client } = memoryServer();
  assert.deepEqual(client().ask({ type: "list_peers" }), [{ type: "peer_list", peers: [] }]);
});

Deno.test("server passes version, instance and id of a registration on, and nothing for who has none", () => {
  const { client } = memoryServer();
  const newer = client();
  const instance = "0123456789abcdef";
  const id = formatPeerId(new Uint8Array(32).fill(7));
  newer.ask({ type: "register", nickname: "n", local_addr: "0.0.0.0:1", version: 2, instance, id });
  client().register("old");
  const [first, second] = newer.list();
  assert.equal(first.version, 2);
  assert.equal(first.instance, instance);
  assert.equal(first.id, id);
  assert.deepEqual(Object.keys(second).sort(), [
    "last_seen",
    "local_addr",
    "nickname",
    "peer_id",
    "public_addr",
  ]);
});

Deno.test("server refuses a registration with a malformed id, and the connection stays", () => {
  const { client, core } = memoryServer();
  const register = { type: "register", nickname: "n", local_addr: "0.0.0.0:1" };
  const one = client();
  assert.deepEqual(one.ask(JSON.stringify({ ...register, id: "AAAAAAA" })), [{
    type: "error",
    message: 'Invalid message format: "id" must be a peer id in its canonical form',
  }]);
  assert.equal(core.stats().peers, 0);
  one.register("n");
  assert.equal(core.stats().peers, 1);
});

Deno.test("heartbeat of a registered peer is not answered, and renews last_seen", async () => {
  const { client, clock } = memoryServer();
  const alice = client();
  alice.register("alice");
  const [{ last_seen: first }] = alice.list();
  await clock.advance(9000);
  assert.deepEqual(alice.ask({ type: "heartbeat" }), []);
  const [{ last_seen: second }] = alice.list();
  assert.equal(second - first, 9);
});

Deno.test("heartbeat and unregister without a registration are errors, and the connection stays", () => {
  const { client } = memoryServer();
  const alice = client();
  const error = [{ type: "error", message: "Not registered" }];
  assert.deepEqual(alice.ask({ type: "heartbeat" }), error);
  assert.deepEqual(alice.ask({ type: "unregister" }), error);
  alice.register("alice");
  assert.deepEqual(alice.ask({ type: "unregister" }), []);
  assert.deepEqual(alice.list(), []);
  assert.deepEqual(alice.ask({ type: "heartbeat" }), error);
  assert.deepEqual(alice.ask({ type: "unregister" }), error);
  assert.equal(alice.closing, undefined);
});

Deno.test("server drops a peer that is silent for more than 30 s, and says so when it is back", async () => {
  const { client, clock } = memoryServer();
  const alice = client();
  const bob = client();
  alice.register("alice");
  bob.register("bob");
  await clock.advance(30_000); // a look falls on exactly 30 s, which is not more than 30 s
  assert.deepEqual(bob.nicknames(), ["alice", "bob"]);
  bob.say({ type: "heartbeat" });
  await clock.advance(10_000);
  assert.deepEqual(bob.nicknames(), ["bob"]);
  assert.deepEqual(alice.ask({ type: "heartbeat" }), [
    { type: "error", message: "Peer not registered" },
  ]);
  assert.equal(alice.closing, undefined);
  assert.equal(alice.register("alice").type, "registered");
  assert.deepEqual(bob.nicknames(), ["bob", "alice"]);
});

Deno.test("server keeps a peer that sends heartbeats, for as long as it does", async () => {
  const { client, clock } = memoryServer();
  const alice = client();
  alice.register("alice");
  for (let second = 0; second < 300; second += 10) {
    await clock.advance(10_000);
    assert.deepEqual(alice.ask({ type: "heartbeat" }), []);
  }
  assert.deepEqual(alice.nicknames(), ["alice"]);
});

Deno.test("server is not confused by a wall clock that jumps", async () => {
  const { client, clock } = memoryServer();
  const alice = client();
  alice.register("alice");
  clock.jump(3_600_000);
  await clock.advance(20_000);
  clock.jump(-7_200_000);
  assert.deepEqual(alice.nicknames(), ["alice"]);
  assert.deepEqual(alice.ask({ type: "heartbeat" }), []);
  await clock.advance(40_000);
  assert.deepEqual(alice.nicknames(), []);
});

Deno.test("closed connection takes its peers along at once", () => {
  const { client, core } = memoryServer();
  const alice = client();
  alice.register("alice");
  alice.register("alice again");
  assert.equal(core.stats().peers, 2);
  alice.leave();
  alice.leave(); // a socket may report its end twice
  assert.deepEqual(core.stats().peers, 0);
  assert.equal(core.stats().connections, 0);
});

Deno.test("second registration on a connection is a second entry; the first runs out", async () => {
  const { client, clock } = memoryServer();
  const alice = client();
  const first = alice.register("alice");
  const second = alice.register("alice2", "0.0.0.0:2");
  assert.notEqual(first.peer_id, second.peer_id);
  assert.deepEqual(alice.nicknames(), ["alice", "alice2"]);
  for (let beat = 0; beat < 4; beat++) {
    await clock.advance(10_000);
    assert.deepEqual(alice.ask({ type: "heartbeat" }), []);
  }
  assert.deepEqual(alice.nicknames(), ["alice2"]);
});

Deno.test("unregister takes all entries of the connection, and nobody else's", () => {
  const { client } = memoryServer();
  const alice = client();
  client().register("bob");
  alice.register("alice");
  alice.register("alice2");
  assert.deepEqual(alice.ask({ type: "unregister" }), []);
  assert.deepEqual(alice.nicknames(), ["bob"]);
});

Deno.test("message of an invalid format is an error, and the connection stays open", () => {
  const { client, core } = memoryServer();
  const alice = client();
  for (
    const text of [
      "",
      "{",
      "null",
      "[]",
      '"list_peers"',
      "{}",
      '{"type":"dance"}',
      '{"type":7}',
      '{"type":"register"}',
      '{"type":"register","nickname":1,"local_addr":"0.0.0.0:1"}',
      '{"type":"register","nickname":"a","local_addr":null}',
      '{"type":"__proto__"}',
    ]
  ) {
    const [answer, ...more] = alice.ask(text);
    assert.equal(answer?.type, "error", text);
    assert.match(answer.message as string, /^Invalid message format: ./);
    assert.deepEqual(more, []);
  }
  assert.equal(alice.closing, undefined);
  assert.equal(alice.register("alice").type, "registered");
  assert.equal(core.stats().refusals["messages of an invalid format"], 12);
});

Deno.test("unknown fields are ignored", () => {
  const { client } = memoryServer();
  const alice = client();
  alice.say('{"type":"register","nickname":"a","local_addr":"0.0.0.0:1","colour":"red","ids":{}}');
  assert.deepEqual(alice.nicknames(), ["a"]);
});

Deno.test("server that ends says so to everybody and leaves no timer behind", () => {
  const { client, core, clock } = memoryServer();
  const clients = [client(), client()];
  clients[0].register("alice");
  core[Symbol.dispose]();
  for (const { closing } of clients) {
    assert.deepEqual(closing, { code: 1001, reason: "Server is shutting down" });
  }
  assert.equal(clock.waiting, 0);
  assert.equal(client().closing?.code, 1001);
});
