import assert from "node:assert/strict";
import type { DatagramSocket } from "../../lib/transport/datagram.ts";
import { MemoryNetwork } from "../../lib/transport/memory.ts";
import type { Stream } from "../../lib/transport/stream.ts";
import type { SocketAddress } from "../../lib/wire/address.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { device, loopback } from "./devices.ts";

const GROUP = { hostname: "239.0.0.1", port: 5000 };
const never = new AbortController().signal;

function makeNetwork(float = () => 0.5) {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock, { float, bytes: (length) => new Uint8Array(length) });
  return { clock, network };
}

/** Keeps what a socket hears, as `text from address`. */
function listen(socket: DatagramSocket): string[] {
  const heard: string[] = [];
  (async () => {
    const buffer = new Uint8Array(100);
    try {
      while (true) {
        const { bytes, from } = await socket.receive(buffer);
        heard.push(`${new TextDecoder().decode(bytes)} from ${from.hostname}`);
      }
    } catch {
      // Closed.
    }
  })();
  return heard;
}

function say(socket: DatagramSocket, text: string, to: SocketAddress): Promise<void> {
  return socket.send(new TextEncoder().encode(text), to);
}

Deno.test("multicast reaches the members in the sender's LAN, the sender's host included", async () => {
  const { network } = makeNetwork();
  const alice = network.host(device("10.0.1.1"));
  const bob = network.host(device("10.0.1.2"));
  const carol = network.host(device("10.0.2.3")); // another LAN
  const heard = [];
  for (const host of [alice, bob, carol]) {
    const socket = host.lan.openGroup(GROUP.port);
    await socket.join(GROUP.hostname, host.interfaces[0].address);
    heard.push(listen(socket));
  }
  const stranger = listen(bob.lan.openGroup(GROUP.port)); // has not joined
  await say(alice.lan.open("10.0.1.1"), "hi", GROUP);
  await settle();
  assert.deepEqual(heard, [["hi from 10.0.1.1"], ["hi from 10.0.1.1"], []]);
  assert.deepEqual(stranger, []);
});

Deno.test("host with several interfaces hears the LANs that it joined, and sends where it was told to", async () => {
  const { network } = makeNetwork();
  const router = network.host(device("10.0.1.1"), device("10.0.2.1", "eth1"));
  const [one, two] = [network.host(device("10.0.1.2")), network.host(device("10.0.2.2"))];
  const socket = router.lan.openGroup(GROUP.port);
  await socket.join(GROUP.hostname, "10.0.2.1");
  await socket.join(GROUP.hostname, "10.0.2.1"); // twice is harmless
  const heard = listen(socket);
  await say(one.lan.open("10.0.1.2"), "one", GROUP);
  await say(two.lan.open("10.0.2.2"), "two", GROUP);
  await settle();
  assert.deepEqual(heard, ["two from 10.0.2.2"]);
  const group = one.lan.openGroup(GROUP.port);
  await group.join(GROUP.hostname, "10.0.1.2");
  const heardByOne = listen(group);
  await say(router.lan.open("10.0.2.1"), "to two", GROUP);
  await say(router.lan.open("10.0.1.1"), "to one", GROUP);
  await settle();
  assert.deepEqual(heardByOne, ["to one from 10.0.1.1"]);
});

Deno.test("datagrams to an address reach the sockets of its port only", async () => {
  const { network } = makeNetwork();
  const alice = network.host(device("10.0.1.1"));
  const bob = network.host(device("10.0.1.2"));
  const own = bob.lan.open("10.0.1.2");
  const [toOwn, toGroup] = [listen(own), listen(bob.lan.openGroup(GROUP.port))];
  const socket = alice.lan.open("10.0.1.1");
  await say(socket, "own", own.address);
  await say(socket, "group", { hostname: "10.0.1.2", port: GROUP.port });
  await say(socket, "nobody", { hostname: "10.0.1.2", port: 1 });
  await settle();
  assert.deepEqual([toOwn, toGroup], [["own from 10.0.1.1"], ["group from 10.0.1.1"]]);
});

Deno.test("loopback stays in its host, for datagrams and for streams", async () => {
  const { network } = makeNetwork();
  const alice = network.host(loopback, device("10.0.1.1"));
  const bob = network.host(loopback, device("10.0.1.2"));
  const heard = [];
  for (const host of [alice, bob]) {
    const socket = host.lan.openGroup(GROUP.port);
    await socket.join(GROUP.hostname, "127.0.0.1");
    heard.push(listen(socket));
  }
  const socket = bob.lan.open("127.0.0.1");
  await say(socket, "group", GROUP);
  await say(socket, "self", { hostname: "127.0.0.1", port: GROUP.port });
  await settle();
  assert.deepEqual(heard, [[], ["group from 127.0.0.1", "self from 127.0.0.1"]]);

  using listener = bob.transport.listen({ hostname: "0.0.0.0", port: 80 });
  using far = alice.transport.listen({ hostname: "0.0.0.0", port: 81 });
  const near = await bob.transport.dial({ hostname: "127.0.0.1", port: 80 }, never);
  assert.equal(near.local.hostname, "127.0.0.1");
  await listener.accept();
  await assert.rejects(bob.transport.dial({ hostname: "127.0.0.1", port: 81 }, never), /refused/);
  assert.equal(far.address.port, 81);
});

Deno.test("listener of one address refuses streams to another one of its host", async () => {
  const { network } = makeNetwork();
  const alice = network.host(device("10.0.1.1"));
  const bob = network.host(device("10.0.1.2"), device("10.0.2.2"));
  using _listener = bob.transport.listen({ hostname: "10.0.1.2", port: 80 });
  await alice.transport.dial({ hostname: "10.0.1.2", port: 80 }, never);
  await assert.rejects(alice.transport.dial({ hostname: "10.0.2.2", port: 80 }, never), /refused/);
});

Deno.test("delay holds datagrams and bytes back for exactly that long", async () => {
  const { clock, network } = makeNetwork();
  network.delayMs = 30;
  const alice = network.host(device("10.0.1.1"));
  const bob = network.host(device("10.0.1.2"));
  const heard = listen(bob.lan.openGroup(GROUP.port));
  await say(alice.lan.open("10.0.1.1"), "hi", { hostname: "10.0.1.2", port: GROUP.port });
  await clock.advance(29);
  assert.deepEqual(heard, []);
  await clock.advance(1);
  assert.deepEqual(heard, ["hi from 10.0.1.1"]);

  const { near, far } = await connect(clock, alice, bob);
  const read = watch(far.read(new Uint8Array(10)));
  await near.write(new Uint8Array(3));
  await clock.advance(29);
  assert.equal(read.result, undefined);
  await clock.advance(1);
  assert.equal(read.result, 3);
});

Deno.test("bytes never overtake one another when the delay shrinks", async () => {
  const { clock, network } = makeNetwork();
  const alice = network.host(device("10.0.1.1"));
  const bob = network.host(device("10.0.1.2"));
  const { near, far } = await connect(clock, alice, bob);
  network.delayMs = 100;
  await near.write(new Uint8Array([1]));
  network.delayMs = 0;
  await near.write(new Uint8Array([2]));
  near.close();
  const buffer = new Uint8Array(10);
  const read = watch(far.read(buffer));
  await clock.advance(99);
  assert.equal(read.result, undefined);
  await clock.advance(1);
  assert.equal(read.result, 1);
  assert.equal(await far.read(buffer.subarray(1)), 1);
  assert.deepEqual([...buffer.subarray(0, 2)], [1, 2]);
  assert.equal(await far.read(buffer), null);
});

Deno.test("share of the datagrams is dropped, and no byte of a stream", async () => {
  let dice = 0;
  const { clock, network } = makeNetwork(() => (dice++ % 4) / 4);
  network.dropRate = 0.5;
  const alice = network.host(device("10.0.1.1"));
  const bob = network.host(device("10.0.1.2"));
  const heard = listen(bob.lan.openGroup(GROUP.port));
  const socket = alice.lan.open("10.0.1.1");
  for (let index = 0; index < 100; index++) {
    await say(socket, "x", { hostname: "10.0.1.2", port: GROUP.port });
  }
  await settle();
  assert.equal(heard.length, 50);
  network.dropRate = 1;
  const { near, far } = await connect(clock, alice, bob);
  await near.write(new Uint8Array(10));
  assert.equal(await far.read(new Uint8Array(10)), 10);
});

Deno.test("partition holds streams up and loses datagrams, until it heals", async () => {
  const { clock, network } = makeNetwork();
  const alice = network.host(device("10.0.1.1"));
  const bob = network.host(device("10.0.1.2"));
  const carol = network.host(device("10.0.1.3"));
  const { near, far } = await connect(clock, alice, bob);
  const heard = listen(bob.lan.openGroup(GROUP.port));
  const to = { hostname: "10.0.1.2", port: GROUP.port };
  network.partition([alice], [bob, carol]);
  await say(alice.lan.open("10.0.1.1"), "lost", to);
  await say(carol.lan.open("10.0.1.3"), "same side", to);
  await near.write(new Uint8Array(7));
  const read = watch(far.read(new Uint8Array(10)));
  const dialled = watch(alice.transport.dial({ hostname: "10.0.1.2", port: 80 }, never));
  await clock.advance(60_000);
  assert.deepEqual(heard, ["same side from 10.0.1.3"]);
  assert.equal(read.result, undefined);
  assert.equal(dialled.result, undefined);
  network.heal();
  await clock.advance(1000);
  assert.equal(read.result, 7);
  assert.match(String(dialled.error), /refused/);
});

Deno.test("cut breaks the streams of a host on both ends, and no others", async () => {
  const { clock, network } = makeNetwork();
  const alice = network.host(device("10.0.1.1"));
  const bob = network.host(device("10.0.1.2"));
  const carol = network.host(device("10.0.1.3"));
  const cut = await connect(clock, alice, bob);
  const whole = await connect(clock, bob, carol);
  const reads = Promise.all(
    [cut.near, cut.far].map((stream) => assert.rejects(stream.read(new Uint8Array(1)), /reset/)),
  );
  network.cut(alice);
  await reads;
  await assert.rejects(cut.near.write(new Uint8Array(1)), /reset/);
  cut.near.close();
  await whole.near.write(new Uint8Array(1));
  assert.equal(await whole.far.read(new Uint8Array(1)), 1);
});

Deno.test("unplugged interface neither sends nor hears, and a new device is no member", async () => {
  const { network } = makeNetwork();
  const alice = network.host(device("10.0.1.1"));
  const bob = network.host(device("10.0.1.2"));
  const socket = alice.lan.openGroup(GROUP.port);
  await socket.join(GROUP.hostname, "10.0.1.1");
  const heard = listen(socket);
  const own = alice.lan.open("10.0.1.1");
  const sender = bob.lan.open("10.0.1.2");
  const [plugged] = alice.interfaces;

  alice.interfaces = [];
  await say(sender, "unplugged", GROUP);
  await assert.rejects(say(own, "unplugged", GROUP), /unreachable/);
  await assert.rejects(socket.join(GROUP.hostname, "10.0.1.1"), /No such device/);
  assert.throws(() => alice.lan.open("10.0.1.1"), /Cannot assign/);
  using _listener = bob.transport.listen({ hostname: "0.0.0.0", port: 80 });
  await assert.rejects(
    alice.transport.dial({ hostname: "10.0.1.2", port: 80 }, never),
    /unreachable/,
  );

  alice.interfaces = [device("10.0.1.1", "eth9")];
  await say(sender, "another device", GROUP);
  await socket.join(GROUP.hostname, "10.0.1.1");
  await say(sender, "joined", GROUP);
  alice.interfaces = [plugged];
  await say(sender, "the first device", GROUP);
  await settle();
  assert.deepEqual(heard, ["joined from 10.0.1.2", "the first device from 10.0.1.2"]);
});

Deno.test("socket in memory holds a bounded number of datagrams, cuts them and ends when closed", async () => {
  const { network } = makeNetwork();
  const alice = network.host(device("10.0.1.1"));
  const socket = alice.lan.open("10.0.1.1");
  for (let index = 0; index < 2000; index++) await say(socket, `${index}.`, socket.address);
  const { bytes } = await socket.receive(new Uint8Array(1));
  assert.equal(new TextDecoder().decode(bytes), "0");
  const heard = listen(socket);
  await settle();
  assert.equal(heard.length, 1023);
  socket.close();
  socket.close();
  await assert.rejects(socket.receive(new Uint8Array(1)), /closed/);
});

Deno.test("host in memory never gives out a port above 65535, nor one that is listened on", async () => {
  const { network } = makeNetwork();
  const alice = network.host(device("10.0.1.1"));
  using first = alice.transport.listen({ hostname: "0.0.0.0", port: 0 });
  const seen = new Set<number>();
  for (let index = 0; index < 20_000; index++) {
    using socket = alice.lan.open("10.0.1.1");
    seen.add(socket.address.port);
  }
  assert.equal(Math.max(...seen), 65535);
  assert.equal(seen.has(first.address.port), false);
  await settle(1);
});

type Host = ReturnType<MemoryNetwork["host"]>;

async function connect(clock: FakeClock, from: Host, to: Host): Promise<
  { near: Stream; far: Stream }
> {
  const { address } = to.interfaces[0];
  using listener = to.transport.listen({ hostname: "0.0.0.0", port: 0 });
  const dialled = from.transport.dial({ hostname: address, port: listener.address.port }, never);
  const accepted = listener.accept();
  await clock.advance(1000);
  return { near: await dialled, far: await accepted };
}

/** What became of a promise so far. */
function watch<T>(promise: Promise<T>): { result?: T; error?: unknown } {
  const outcome: { result?: T; error?: unknown } = {};
  promise.then((result) => outcome.result = result, (error) => outcome.error = error);
  return outcome;
}
