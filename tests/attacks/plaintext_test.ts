import assert from "node:assert/strict";
import type { PlaintextPolicy } from "../../lib/node.ts";
import { tcpTransport } from "../../lib/transport/tcp.ts";
import { encodeMessage } from "../../lib/wire/message.ts";
import { eventually, Lan, type Person, talk } from "./fixtures.ts";

/** Sends a line of version 1. */
async function sayPlainly({ node }: Person, from: string, content: string): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: node.tcpPort });
  await connection.write(
    new TextEncoder().encode(encodeMessage({ from, content, timestamp: 1_700_000_000 })),
  );
  await connection.closeWrite();
  await connection.read(new Uint8Array(1));
}

/** A version 1 peer that keeps what it is sent, beside alice with the given policy. */
async function scene(plaintext: PlaintextPolicy) {
  const stack = new AsyncDisposableStack();
  const lan = new Lan();
  const alice = stack.use(await lan.start("alice", { plaintext }));
  const bob = stack.use(await lan.start("bob"));
  await talk(alice, bob, "before");
  const listener = stack.use(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  let heard = "";
  let connections = 0;
  (async () => {
    for await (const connection of listener) {
      connections++;
      for await (const bytes of connection.readable) heard += new TextDecoder().decode(bytes);
    }
  })();
  await lan.announce("old", listener.addr.port);
  await alice.seen((event) => event.type === "peer_up" && event.peer.nickname === "old");
  return {
    alice,
    bob,
    heard: () => heard,
    connections: () => connections,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

Deno.test('plaintext "allow" sends to version 1 peers and takes from them, marked as plain', async () => {
  await using world = await scene("allow");
  const { alice, bob, heard } = world;
  await alice.node.send("old", "hello");
  await eventually(() => heard().includes("hello"), "the message arrives");
  await sayPlainly(alice, "old", "hi");
  const event = await alice.hears("old: hi");
  assert.ok(event.type === "message" && !event.encrypted && event.trust === "plain");
  assert.equal(event.id, undefined);
  await talk(alice, bob, "after");
});

Deno.test('plaintext "receive" takes from version 1 peers and sends them nothing', async () => {
  await using world = await scene("receive");
  const { alice, bob, connections } = world;
  await assert.rejects(
    alice.node.send("old", "hello"),
    /cannot encrypt, and plaintext is "receive"/,
  );
  await sayPlainly(alice, "old", "hi");
  const event = await alice.hears("old: hi");
  assert.ok(event.type === "message" && event.trust === "plain");
  await talk(alice, bob, "after");
  assert.equal(connections(), 0);
});

Deno.test('plaintext "deny" neither takes from version 1 peers nor sends to them', async () => {
  await using world = await scene("deny");
  const { alice, bob, connections } = world;
  await assert.rejects(alice.node.send("old", "hello"), /cannot encrypt, and plaintext is "deny"/);
  await sayPlainly(alice, "old", "hi");
  await sayPlainly(alice, "bob", "hi");
  await eventually(() => alice.refused(/^message in plain text$/) === 2, "both are refused");
  await talk(alice, bob, "after");
  assert.deepEqual(alice.heard, ["bob: before (known)", "bob: after (known)"]);
  assert.equal(connections(), 0);
});

Deno.test("a version 1 message that claims a known nickname is unverified", async () => {
  await using world = await scene("allow");
  const { alice, bob } = world;
  await sayPlainly(alice, "bob", "send me the key");
  const event = await alice.hears("bob: send me the key");
  assert.ok(event.type === "message" && !event.encrypted && event.trust === "unverified");
  assert.equal(event.id, undefined);
  await talk(alice, bob, "after");
});

Deno.test("a line that waits for its connection is not sent once its nickname is known with an id", async () => {
  await using stack = new AsyncDisposableStack();
  const lan = new Lan();
  const listener = stack.use(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const [dialled, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const alice = stack.use(
    await lan.start("alice", {
      async dial(address, signal) {
        if (address.port === listener.addr.port) {
          dialled.resolve();
          await answer.promise;
        }
        return tcpTransport.dial(address, signal);
      },
    }),
  );
  await lan.announce("bob", listener.addr.port);
  await alice.seen((event) => event.type === "peer_up");
  const sent = assert.rejects(
    alice.node.send("bob", "secret"),
    /^ParlanceError: Cannot send to .* in plain text: this nickname is known with the id /,
  );
  await dialled.promise;
  const bob = stack.use(await lan.start("bob"));
  await bob.seen((event) => event.type === "peer_up" && event.peer.id === alice.identity.id);
  await bob.node.send("alice", "it is me");
  await alice.hears("bob: it is me");
  answer.resolve();
  using connection = await listener.accept();
  await sent;
  assert.equal(await connection.read(new Uint8Array(100)), null, "nothing is said there");
});
