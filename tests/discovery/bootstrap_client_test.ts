import assert from "node:assert/strict";
import { Bootstrap, entry } from "./bootstrap_fixtures.ts";
import { idOf, instanceOf } from "./registry_fixtures.ts";

Deno.test("client registers, asks for the list at once and every 5 s, and sends heartbeats", async () => {
  for (const heartbeatIntervalMs of [10_000, 3000]) {
    await using bootstrap = new Bootstrap({ heartbeatIntervalMs });
    const { clock } = bootstrap;
    await bootstrap.register();
    assert.deepEqual(bootstrap.channel.sent(), [
      {
        type: "register",
        nickname: "me",
        local_addr: "0.0.0.0:5000",
        version: 2,
        instance: instanceOf("abcd"),
      },
      { type: "list_peers" },
    ]);
    const times: Record<string, number[]> = { list_peers: [], heartbeat: [] };
    for (let second = 1; second <= 30; second++) {
      await clock.advance(1000);
      for (const { type } of bootstrap.channel.sent()) times[type].push(second);
      bootstrap.channel.list();
    }
    assert.deepEqual(times.list_peers, [5, 10, 15, 20, 25, 30]);
    const every = heartbeatIntervalMs / 1000;
    assert.deepEqual(
      times.heartbeat,
      Array.from({ length: 30 / every }, (_, index) => every * (index + 1)),
    );
    assert.deepEqual(bootstrap.events(), ["connecting", "registered"]);
  }
});

Deno.test("client with an id registers it, takes those of others, and refuses its own", async () => {
  const [own, other] = [idOf(1), idOf(2)];
  await using bootstrap = new Bootstrap({ id: own });
  await bootstrap.register();
  assert.equal(bootstrap.channel.sent()[0].id, own);
  bootstrap.channel.list(
    entry("own", "me", "203.0.113.1:5000", { instance: instanceOf("abcd"), id: own }),
    entry("p1", "bob", "203.0.113.7:5000", { instance: instanceOf("b1"), id: other }),
    entry("p2", "me", "203.0.113.8:5000", { instance: instanceOf("c0"), id: own }),
    entry("p3", "eve", "203.0.113.9:5000", { id: own }),
  );
  await bootstrap.clock.advance(0);
  assert.deepEqual(bootstrap.known(), ["bob 203.0.113.7:5000/bootstrap"]);
  assert.equal(bootstrap.registry.peers()[0].id, other);
  assert.deepEqual(bootstrap.refusals.totals(), {
    "bootstrap server: entry of another run with the own id": 2,
  });
});

Deno.test("client follows the list, without itself", async () => {
  await using bootstrap = new Bootstrap();
  await bootstrap.register("own");
  bootstrap.channel.list(
    entry("own", "me", "203.0.113.1:5000"),
    entry("p1", "bob", "203.0.113.7:5000", { version: 2, instance: instanceOf("b1") }),
    entry("p2", "old", "203.0.113.8:5000"),
    entry("before", "me", "203.0.113.1:5000", { version: 2, instance: instanceOf("abcd") }),
  );
  await bootstrap.clock.advance(0);
  assert.deepEqual(bootstrap.known(), [
    "bob 203.0.113.7:5000/bootstrap",
    "old 203.0.113.8:5000/bootstrap",
  ]);
  assert.deepEqual(bootstrap.registry.peers().map(({ version }) => version), [2, 1]);
  bootstrap.channel.list(entry("own", "me", "203.0.113.1:5000"));
  await bootstrap.clock.advance(0);
  assert.deepEqual(bootstrap.events(), [
    "connecting",
    "registered",
    "up bob",
    "up old",
    "down bob left",
    "down old left",
  ]);
});

Deno.test("client takes the public address of a peer, else the local one, else none", async () => {
  await using bootstrap = new Bootstrap();
  await bootstrap.register();
  const local = (local_addr: string) => ({ local_addr });
  bootstrap.channel.list(
    entry("p1", "public", "203.0.113.7:5000", local("10.0.0.1:1")),
    entry("p2", "local", "host.example:5000", local("10.0.0.2:5000")),
    entry("p3", "port0", "203.0.113.7:0", local("10.0.0.3:5000")),
    entry("p4", "v6", "[2001:db8::1]:5000"),
    entry("p5", "none", "nonsense", local("nonsense")),
    entry("p6", "zero", "0.0.0.0:5000", local("0.0.0.0:5000")),
    entry("p7", "unspecified", "[::]:5000", local("")),
  );
  await bootstrap.clock.advance(0);
  assert.deepEqual(bootstrap.known(), [
    "public 203.0.113.7:5000/bootstrap",
    "local 10.0.0.2:5000/bootstrap",
    "port0 10.0.0.3:5000/bootstrap",
    "v6 [2001:db8::1]:5000/bootstrap",
  ]);
  assert.equal(bootstrap.refusals.count("bootstrap server: peer without an address"), 3);
});

Deno.test("client unregisters and closes when it is disposed", async () => {
  const bootstrap = new Bootstrap();
  await bootstrap.register();
  bootstrap.channel.sent();
  await bootstrap.client[Symbol.asyncDispose]();
  assert.deepEqual(bootstrap.channel.sent(), [{ type: "unregister" }]);
  assert.equal(bootstrap.channel.closed, true);
  await bootstrap.clock.advance(100_000);
  assert.equal(bootstrap.dials().length, 1);
  assert.equal(bootstrap.clock.waiting, 0);
});

Deno.test("client can be disposed while it dials, between attempts, and as dialling ends", async () => {
  const dialling = new Bootstrap({
    first: (signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  await dialling.clock.advance(10);
  await dialling.client[Symbol.asyncDispose]();
  assert.equal(dialling.clock.waiting, 0);

  const waiting = new Bootstrap({ first: () => Promise.reject(new Error("refused")) });
  await waiting.clock.advance(10);
  await waiting.client[Symbol.asyncDispose]();
  assert.equal(waiting.clock.waiting, 0);

  const late = new Bootstrap();
  const disposed = late.client[Symbol.asyncDispose](); // the dialling has just succeeded
  await disposed;
  assert.equal(late.channel.closed, true);
  assert.equal(late.clock.waiting, 0);
});

for (
  const [dice, waits] of [
    [0, [1, 2, 4, 8, 15, 15, 15]],
    [0.5, [1.5, 3, 6, 12, 22.5, 22.5, 22.5]],
    [0.999, [1.999, 3.998, 7.996, 15.992, 29.985, 29.985, 29.985]],
  ] as const
) {
  Deno.test(`client dials again after 1 to 30 s that grow, with dice of ${dice}`, async () => {
    await using bootstrap = new Bootstrap({ first: () => Promise.reject(new Error("refused")) });
    bootstrap.dice = () => dice;
    await bootstrap.clock.advance(120_000);
    const dials = bootstrap.dials();
    const seconds = dials.slice(1).map((at, index) => (at - dials[index]) / 1000);
    const expected: readonly number[] = waits;
    seconds.slice(0, 7).forEach((wait, index) => {
      assert.ok(Math.abs(wait - expected[index]) < 1e-6, `${index}: ${wait}`);
    });
    assert.deepEqual(bootstrap.events(), ["connecting", "disconnected: refused"]);
  });
}

Deno.test("delays begin anew after a registration that lasted, and not after a brief one", async () => {
  await using bootstrap = new Bootstrap();
  bootstrap.dice = () => 0;
  for (const wait of [1000, 2000, 4000]) {
    await bootstrap.register();
    bootstrap.channel.end();
    await bootstrap.clock.advance(wait);
  }
  assert.deepEqual(bootstrap.dials(), [0, 1000, 3000, 7000]);
  await bootstrap.register();
  await bootstrap.clock.advance(1000);
  for (let second = 1; second < 30; second++) {
    bootstrap.channel.say({ type: "peer_list", peers: [] });
    await bootstrap.clock.advance(1000);
  }
  bootstrap.channel.end();
  await bootstrap.clock.advance(1000);
  assert.deepEqual(bootstrap.dials(), [38_000]);
});

Deno.test("each change of the state is said once", async () => {
  await using bootstrap = new Bootstrap();
  await bootstrap.register();
  bootstrap.onDial = () => Promise.reject(new Error("refused"));
  bootstrap.channel.end(new Error("connection closed with code 1006"));
  await bootstrap.clock.advance(60_000);
  bootstrap.onDial = () => Promise.resolve(bootstrap.accept());
  for (let second = 0; second < 31 && bootstrap.channels.length < 2; second++) {
    await bootstrap.clock.advance(1000);
  }
  await bootstrap.register("own2");
  bootstrap.channel.end();
  await bootstrap.clock.advance(0);
  assert.deepEqual(bootstrap.events(), [
    "connecting",
    "registered",
    "disconnected: connection closed with code 1006",
    "registered",
    "disconnected: the server closed the connection",
  ]);
});

Deno.test("dialling is given up after 10 s", async () => {
  await using bootstrap = new Bootstrap({
    first: (signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  await bootstrap.clock.advance(9999);
  assert.deepEqual(bootstrap.events(), ["connecting"]);
  await bootstrap.clock.advance(1);
  assert.deepEqual(bootstrap.events(), ["disconnected: no answer within 10 s"]);
});

Deno.test("client registers anew, on the same connection, when the server has forgotten it", async () => {
  await using bootstrap = new Bootstrap();
  await bootstrap.register("own1");
  await bootstrap.clock.advance(10_000);
  bootstrap.channel.sent();
  for (let times = 0; times < 10; times++) {
    bootstrap.channel.say({ type: "error", message: "Peer not registered" });
  }
  await bootstrap.clock.advance(0);
  assert.deepEqual(bootstrap.channel.sent().map(({ type }) => type), ["register"]);
  await bootstrap.register("own2");
  bootstrap.channel.list(
    entry("own1", "me", "203.0.113.1:5000"),
    entry("own2", "me", "203.0.113.1:5000"),
  );
  await bootstrap.clock.advance(0);
  assert.deepEqual(bootstrap.known(), []);
  assert.deepEqual(bootstrap.problems(), []);
  assert.deepEqual(bootstrap.events(), ["connecting", "registered"]);
});

Deno.test("server that answers nothing is given up", async () => {
  await using bootstrap = new Bootstrap();
  await bootstrap.register();
  const [first] = bootstrap.channels;
  await bootstrap.clock.advance(20_000);
  assert.equal(first.closed, true);
  assert.deepEqual(bootstrap.events(), [
    "connecting",
    "registered",
    "disconnected: the server did not answer for 16 s",
  ]);
  await bootstrap.clock.advance(2000);
  assert.equal(bootstrap.channels.length, 2);
});

Deno.test("peers stay known while the server is away for a moment", async () => {
  await using bootstrap = new Bootstrap();
  await bootstrap.register();
  bootstrap.channel.list(entry("p1", "bob", "203.0.113.7:5000"));
  await bootstrap.clock.advance(0);
  bootstrap.channel.end();
  await bootstrap.clock.advance(1000);
  await bootstrap.register("own2");
  bootstrap.channel.list(entry("p9", "bob", "203.0.113.7:5000")); // a server that restarted
  await bootstrap.clock.advance(0);
  assert.deepEqual(bootstrap.events().filter((event) => event.includes("bob")), ["up bob"]);
});

Deno.test("peers are forgotten after the time-out without the server, however it fails", async () => {
  const failures: ((bootstrap: Bootstrap) => void)[] = [
    (bootstrap) => bootstrap.onDial = () => Promise.reject(new Error("refused")),
    // It takes connections, registers, and never sends a list.
    (bootstrap) => {
      bootstrap.onDial = () => {
        const channel = bootstrap.accept();
        channel.say({ type: "registered", peer_id: "own2", public_addr: "203.0.113.1:5000" });
        return Promise.resolve(channel);
      };
    },
    // It takes connections and refuses.
    (bootstrap) => {
      bootstrap.onDial = () => {
        const channel = bootstrap.accept();
        channel.say({ type: "error", message: "Server is full" });
        channel.end();
        return Promise.resolve(channel);
      };
    },
  ];
  for (const fail of failures) {
    await using bootstrap = new Bootstrap();
    await bootstrap.register();
    bootstrap.channel.list(entry("p1", "bob", "203.0.113.7:5000"));
    await bootstrap.clock.advance(0);
    fail(bootstrap);
    bootstrap.channel.end();
    await bootstrap.clock.advance(29_999);
    assert.equal(bootstrap.registry.size, 1);
    await bootstrap.clock.advance(1);
    assert.equal(bootstrap.registry.size, 0);
    assert.equal(bootstrap.events().at(-1), "down bob timeout");
  }
});

Deno.test("peers of a server that lists but does not register are forgotten, too", async () => {
  await using bootstrap = new Bootstrap({ first: () => Promise.reject(new Error("refused")) });
  await bootstrap.clock.advance(0);
  bootstrap.onDial = () => Promise.resolve(bootstrap.accept());
  await bootstrap.clock.advance(60_000);
  bootstrap.channel.list(entry("p1", "bob", "203.0.113.7:5000"));
  await bootstrap.clock.advance(0);
  assert.equal(bootstrap.registry.size, 1);
  bootstrap.onDial = () => Promise.reject(new Error("refused"));
  bootstrap.channel.end();
  await bootstrap.clock.advance(30_000);
  assert.equal(bootstrap.registry.size, 0);
});

Deno.test("refused registration is told once, however often it is tried", async () => {
  await using bootstrap = new Bootstrap();
  for (let round = 0; round < 5; round++) {
    await bootstrap.clock.advance(0);
    bootstrap.channel.say({ type: "error", message: "Invalid nickname: it is empty" });
    bootstrap.channel.end(new Error("connection closed with code 1008"));
    await bootstrap.clock.advance(31_000);
  }
  assert.deepEqual(bootstrap.problems(), [
    "The bootstrap server ws://server.example:8080 answers: Invalid nickname: it is empty",
  ]);
  assert.deepEqual(bootstrap.events(), [
    "connecting",
    "disconnected: connection closed with code 1008",
  ]);
});
