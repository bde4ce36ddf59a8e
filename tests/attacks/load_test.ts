import assert from "node:assert/strict";
import { once } from "node:events";
import tls from "node:tls";
import type { Identity } from "../../lib/identity/identity.ts";
import type { Peer } from "../../lib/node.ts";
import { ALPN_PROTOCOL } from "../../lib/wire/session.ts";
import { messageIdOf } from "../support/message_ids.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import {
  assertKnows,
  dialAs,
  eventually,
  inTime,
  Lan,
  newIdentity,
  opening,
  PATIENCE_MS,
  type Person,
  retained,
  type StartOptions,
  talk,
} from "./fixtures.ts";
import { flood } from "./flood.ts";

const NO_SESSION = /did not become a session/;

async function friends(options: StartOptions = {}) {
  const stack = new AsyncDisposableStack();
  const lan = new Lan();
  const alice = stack.use(await lan.start("alice", options));
  const carol = stack.use(await lan.start("carol"));
  await lan.announce("carol", carol.node.tcpPort, carol.identity.id);
  await lan.announce("alice", alice.node.tcpPort, alice.identity.id);
  await talk(alice, carol, "before");
  return { lan, alice, carol, stack, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function connect({ node }: Person): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port: node.tcpPort });
}

/** A session of somebody with an identity of its own, by the runtime's TLS. */
async function session(person: Person, identity: Identity): Promise<tls.TLSSocket> {
  const socket = tls.connect({
    host: "127.0.0.1",
    port: person.node.tcpPort,
    cert: identity.certificatePem,
    key: identity.keyPem,
    rejectUnauthorized: false,
    ALPNProtocols: [ALPN_PROTOCOL],
  });
  socket.on("error", () => {});
  await once(socket, "secureConnect", { signal: AbortSignal.timeout(PATIENCE_MS) });
  return socket;
}

Deno.test("a recorded session that is played back says nothing again", async () => {
  await using world = await friends();
  const { alice, carol, stack } = world;
  // Bob is on another LAN, where alice is announced behind a recorder.
  const elsewhere = new Lan();
  const bob = stack.use(await elsewhere.start("bob"));
  using recorder = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const recorded: Uint8Array<ArrayBuffer>[] = [];
  const recording = (async () => {
    const [near, far] = [await recorder.accept(), await connect(alice)];
    const record = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(bytes, controller) {
        recorded.push(bytes.slice());
        controller.enqueue(bytes);
      },
    });
    await Promise.allSettled([
      near.readable.pipeThrough(record).pipeTo(far.writable),
      far.readable.pipeTo(near.writable),
    ]);
  })();
  await elsewhere.announce("alice", recorder.addr.port, alice.identity.id);
  await bob.seen((event) => event.type === "peer_up" && event.peer.nickname === "alice");
  await bob.node.send("alice", "pay 100");
  await bob.node[Symbol.asyncDispose]();
  await recording;
  assert.ok(recorded.length > 0);

  const eventsBefore = alice.events.length;
  const refusedBefore = alice.refused(NO_SESSION);
  for (let round = 1; round <= 3; round++) {
    using connection = await connect(alice);
    for (const bytes of recorded) await connection.write(bytes).catch(() => {});
    for (const buffer = new Uint8Array(4096);;) {
      if (await connection.read(buffer).catch(() => null) === null) break;
    }
    await eventually(() => alice.refused(NO_SESSION) === refusedBefore + round, "it is refused");
  }
  assert.equal(alice.heard.filter((line) => line.includes("pay 100")).length, 1);
  assert.equal(alice.events.length, eventsBefore, "the user sees nothing");
  assert.match(alice.log.join("\n"), NO_SESSION);
  await talk(alice, carol, "after");
  await assertKnows(alice, bob, carol);
});

Deno.test("2,000 connections that stop in mid-handshake keep no honest peer out", async () => {
  // It stands still: none of these handshakes runs into its time-out.
  const clock = new FakeClock();
  await using world = await friends({ clock });
  const { lan, alice, carol, stack } = world;
  const memory = retained();
  // The beginning of a ClientHello: the rest of it never comes.
  const half = Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 7, 7, 7);
  const held: Deno.TcpConn[] = [];
  let ended = 0;
  stack.defer(() => {
    for (const connection of held) connection.close();
  });
  for (let count = 0; count < 2000; count++) {
    const connection = await connect(alice);
    held.push(connection);
    await connection.write(half);
    connection.read(new Uint8Array(1)).then(() => ended++, () => ended++);
    if (count % 500 === 250) await talk(alice, carol, `during ${count}`);
  }
  const bob = stack.use(await lan.start("bob"));
  await alice.seen((event) => event.type === "peer_up" && event.peer.nickname === "bob");
  await lan.announce("alice", alice.node.tcpPort, alice.identity.id);
  await talk(bob, alice, "I got in");
  // At most as many as one host may have are still open.
  await eventually(() => ended >= 2000 - 32, "the others are closed");
  assert.ok(alice.refused(/handshakes above the limit/) >= 2000 - 32);
  assert.match(alice.log.join("\n"), /Refused: handshakes above the limit/);
  const more = retained() - memory;
  assert.ok(more < 10e6, `${more} bytes more`);
  await clock.advance(5000);
  await eventually(() => ended === 2000, "the last ones are closed when their time is up");
  await talk(alice, carol, "after");
  await assertKnows(alice, bob, carol);
});

Deno.test("garbage after the handshake ends that session and no other", async () => {
  // It stands still: nothing but the garbage ends these sessions.
  const clock = new FakeClock();
  await using world = await friends({ clock });
  const { alice, carol } = world;
  const mallory = await newIdentity();
  const hello = opening("mallory");
  const message = { type: "message", seq: 1, id: messageIdOf(1), timestamp: 1, content: "x" };
  const line = (fields: object) => JSON.stringify({ ...message, ...fields }) + "\n";
  const isConnected = () => alice.node.isConnected({ id: mallory.id } as Peer);
  for (
    const [text, cause] of [
      ["\0\xff\x16\x03\x01garbage\n", /not a JSON object/],
      ["{}\n", /without a type/],
      [line({}), /does not begin with a hello/],
      [hello + hello, /second hello/],
      [hello + "not json\n", /not a JSON object/],
      [hello + "[".repeat(100_000) + "\n", /not a JSON object/],
      [hello + line({ seq: -1 }), /without a number/],
      [hello + line({ from: "carol" }), /under another name/],
      [hello + "x".repeat(1024 * 1024 + 1) + "\n", /above the limit of 1048576 bytes/],
    ] as const
  ) {
    const before = alice.refused(cause);
    const socket = await session(alice, mallory);
    let back = "";
    socket.on("data", (bytes: Uint8Array) => back += new TextDecoder().decode(bytes));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(text);
    await inTime(closed, `the session ends with ${JSON.stringify(text.slice(0, 40))}`);
    const types = back.trimEnd().split("\n").map((line) => JSON.parse(line).type);
    assert.deepEqual(types, ["hello", "bye"]);
    assert.equal(alice.refused(cause), before + 1);
    assert.match(alice.log.join("\n"), cause);
    assert.ok(!isConnected());
  }
  // Records that do not decrypt: bytes of the attacker below TLS.
  using raw = await dialAs(mallory, alice.node);
  await raw.write(hello);
  await raw.read();
  await eventually(isConnected, "the session begins");
  await raw.connection.write(Uint8Array.of(23, 3, 3, 0, 32, ...new Uint8Array(32)));
  const rest = async () => {
    while (await raw.read() !== null);
  };
  await inTime(rest(), "that end of the connection is told");
  assert.equal(raw.alert, 20, "bad_record_mac (RFC 8446, section 6)");
  // The runtime may keep it to itself: then it is the peer's silence that ends the session.
  for (let round = 0; round < 5 && isConnected(); round++) {
    await clock.advance(6000);
    await talk(alice, carol, `during ${round}`);
  }
  assert.ok(!isConnected());
  assert.ok(alice.heard.every((text) => text.startsWith("carol: ")), "the user hears nothing");
  await talk(alice, carol, "after");
});

Deno.test("a peer that never reads costs 16 Mi characters, others are served meanwhile, and its silence ends it", async () => {
  const clock = new FakeClock();
  await using world = await friends({ clock });
  const { lan, alice, carol } = world;
  const deaf = await newIdentity();
  using raw = await dialAs(deaf, alice.node);
  await raw.write(opening("deaf", "hello"));
  await alice.hears("deaf: hello");
  await lan.announce("deaf", 9, deaf.id);
  await alice.seen((event) => event.type === "peer_up" && event.peer.id === deaf.id);
  const outcomes: string[] = [];
  const content = "x".repeat(60_000);
  const offered = 2000;
  const memory = retained();
  for (let count = 1; count <= offered; count++) {
    alice.node.send("deaf", content).then(
      () => outcomes.push("sent"),
      (error) => outcomes.push((error as Error).message),
    );
    if (count % 500 === 0) await settle();
  }
  await talk(alice, carol, "meanwhile");
  // 120 MB were offered; 16 MiB may wait, and the user is told so at once.
  const full = () => outcomes.filter((text) => /characters are waiting/.test(text)).length;
  await eventually(
    () => full() >= offered - Math.ceil(16 * 1024 * 1024 / 60_000),
    "the rest is refused",
  );
  assert.ok(!outcomes.includes("sent"));
  const more = retained() - memory;
  assert.ok(more < 30e6, `${more} bytes more`);
  const isConnected = () => alice.node.isConnected({ id: deaf.id } as Peer);
  assert.ok(isConnected());
  // Longer than the 10 s after which silence would end the session.
  for (let seq = 2; seq < 6; seq++) {
    await clock.advance(6000);
    // It is alive, and still does not read: somebody whose user is slow looks the same.
    await raw.write(
      JSON.stringify({
        type: "message",
        seq,
        id: messageIdOf(seq),
        timestamp: 1,
        content: `${seq}`,
      }) + "\n",
    );
    await alice.hears(`deaf: ${seq}`);
    // Alice's clock runs ahead of the network: carol, too, has to be heard before it goes on.
    await talk(alice, carol, `meanwhile ${seq}`);
  }
  assert.ok(isConnected());
  assert.ok(!outcomes.includes("sent"));
  // What waits is given up when nothing was confirmed for 30 s, and the user is told; then nothing
  // waits any more, and 25 s of silence end the session.
  const uncertain = () => outcomes.filter((text) => /^Cannot tell whether/.test(text)).length;
  for (let round = 0; round < 8 && isConnected(); round++) {
    await clock.advance(6000);
    await talk(alice, carol, `later ${round}`);
  }
  assert.ok(!isConnected(), "cut off");
  assert.equal(uncertain() + full(), offered);
  await talk(alice, carol, "after");
});

// Enough to go far beyond all limits; `deno task soak` sends 1 GB, which takes 16 s.
Deno.test("a peer that sends 100 MB as fast as it can waits for a slow reader", () => flood(100e6));
