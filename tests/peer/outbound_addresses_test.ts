import assert from "node:assert/strict";
import { ConnectError } from "../../lib/errors.ts";
import { Outbound } from "../../lib/peer/outbound.ts";
import { settle } from "../support/fake_clock.ts";
import { addHost, memoryWorld, peerAt, Receiver, watched } from "./fixtures.ts";
import { numbered } from "./outbound_fixtures.ts";

Deno.test("the addresses of a peer are tried in order, and the one that worked first from then on", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const host = addHost(network, "10.0.0.2");
  addHost(network, "10.0.0.3");
  using receiver = new Receiver(host, "10.0.0.2");
  const refusing = { hostname: "10.0.0.3", port: 9 };
  const tried: string[] = [];
  const outbound = new Outbound({
    clock,
    transport: {
      ...sender.transport,
      dial(address, signal) {
        tried.push(address.hostname);
        return sender.transport.dial(address, signal);
      },
    },
  });
  const peer = peerAt([refusing, receiver.address]);
  await outbound.send(peer, "one\n");
  assert.deepEqual(tried, ["10.0.0.3", "10.0.0.2"]);
  receiver.connections[0].stream.close();
  await settle();
  await outbound.send(peer, "two\n");
  assert.deepEqual(tried.slice(2), ["10.0.0.2"]);
  await settle();
  assert.deepEqual(receiver.lines, ["one", "two"]);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("an address that does not answer delays the next one by 300 ms", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const host = addHost(network, "10.0.0.2");
  using receiver = new Receiver(host, "10.0.0.2");
  const outbound = new Outbound({ clock, transport: sender.transport });
  const nowhere = { hostname: "10.9.9.9", port: 9 };
  const send = watched(outbound.send(peerAt([nowhere, receiver.address]), "hello\n"));
  await clock.advance(299);
  assert.equal(send.state, "waiting");
  await clock.advance(2);
  assert.equal(send.state, "sent");
  await settle();
  assert.deepEqual(receiver.lines, ["hello"]);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("a peer that cannot be reached is named with every address and its cause", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  addHost(network, "10.0.0.2");
  const outbound = new Outbound({ clock, transport: sender.transport });
  const peer = peerAt([{ hostname: "10.0.0.2", port: 9 }, { hostname: "10.9.9.9", port: 9 }]);
  const sends = numbered(3).map((line) => watched(outbound.send(peer, `${line}\n`)));
  await clock.advance(5000);
  for (const { state } of sends) {
    assert.ok(state instanceof ConnectError);
    assert.match(
      state.message,
      /^Cannot connect to "bob" at 10\.0\.0\.2:9 \(Connection refused\), 10\.9\.9\.9:9 \(no answer within 5 s\); /,
    );
  }
  assert.equal(clock.waiting, 0);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("all addresses of a peer together get ten seconds", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  const outbound = new Outbound({ clock, transport: sender.transport });
  const nowhere = numbered(16).map((_, index) => ({ hostname: "10.9.9.9", port: index + 1 }));
  const send = watched(outbound.send(peerAt(nowhere), "hello\n"));
  await clock.advance(9999);
  assert.equal(send.state, "waiting");
  await clock.advance(1);
  assert.ok(send.state as unknown instanceof ConnectError);
  assert.match(
    String(send.state),
    /10\.9\.9\.9:1 \(no answer within 2\.5 s\), .*10\.9\.9\.9:16 \(no answer within .* s\); /,
  );
  assert.equal(clock.waiting, 0);
  await outbound[Symbol.asyncDispose]();
});

Deno.test("a line to where a peer is no longer known is not used any more", async () => {
  const { clock, network } = memoryWorld();
  const sender = addHost(network, "10.0.0.1");
  using before = new Receiver(addHost(network, "10.0.0.2"), "10.0.0.2");
  using after = new Receiver(addHost(network, "10.0.0.3"), "10.0.0.3");
  const outbound = new Outbound({ clock, transport: sender.transport });
  const peer = peerAt([before.address, after.address]);
  const [first, second] = peer.addresses;
  await outbound.send(peer, "one\n");
  await outbound.send({ ...peer, addresses: [second, first] }, "two\n");
  await outbound.send({ ...peer, addresses: [second] }, "three\n");
  await settle();
  assert.deepEqual(before.lines, ["one", "two"]);
  assert.deepEqual(after.lines, ["three"]);
  await outbound[Symbol.asyncDispose]();
});
