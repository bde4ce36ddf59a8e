import assert from "node:assert/strict";
import { udpNetwork } from "../../lib/transport/udp.ts";

// Everything here stays on the loopback interface; the port is the system's choice.

Deno.test("machine's interfaces are its IPv4 addresses, with their netmasks", () => {
  const loopback = udpNetwork.interfaces().find(({ address }) => address === "127.0.0.1");
  assert.equal(loopback?.netmask, "255.0.0.0");
  for (const { address, netmask } of udpNetwork.interfaces()) {
    assert.match(address, /^\d+\.\d+\.\d+\.\d+$/);
    assert.match(netmask, /^\d+\.\d+\.\d+\.\d+$/);
  }
});

Deno.test("group socket hears the group on an interface that it joined", async () => {
  using group = udpNetwork.openGroup(0);
  await group.join("239.255.255.250", "127.0.0.1");
  await group.join("239.255.255.250", "127.0.0.1"); // harmless
  using sender = udpNetwork.open("127.0.0.1");
  assert.equal(sender.address.hostname, "127.0.0.1");
  const received = group.receive(new Uint8Array(100));
  await sender.send(new Uint8Array([1, 2, 3]), {
    hostname: "239.255.255.250",
    port: group.address.port,
  });
  const { bytes, from } = await received;
  assert.deepEqual([...bytes], [1, 2, 3]);
  assert.deepEqual(from, sender.address);
});

Deno.test("group socket shares its port with others on the machine", async () => {
  using first = udpNetwork.openGroup(0);
  using second = udpNetwork.openGroup(first.address.port);
  using sender = udpNetwork.open("127.0.0.1");
  const heard = [];
  for (const socket of [first, second]) {
    await socket.join("239.255.255.250", "127.0.0.1");
    heard.push(socket.receive(new Uint8Array(100)));
  }
  await sender.send(new Uint8Array(7), { hostname: "239.255.255.250", port: first.address.port });
  for (const { bytes } of await Promise.all(heard)) assert.equal(bytes.length, 7);
});

Deno.test("datagram of 60 kB is cut at the end of the buffer", async () => {
  using receiver = udpNetwork.open("127.0.0.1");
  using sender = udpNetwork.open("127.0.0.1");
  const sent = new Uint8Array(60_000).map((_, index) => index);
  const received = receiver.receive(new Uint8Array(8193));
  await sender.send(sent, receiver.address);
  assert.deepEqual((await received).bytes, sent.subarray(0, 8193));
  await sender.send(new Uint8Array([5]), receiver.address);
  assert.deepEqual([...(await receiver.receive(new Uint8Array(10))).bytes], [5]);
});

Deno.test("join of an interface that is not there fails", async () => {
  using group = udpNetwork.openGroup(0);
  await assert.rejects(group.join("239.255.255.250", "203.0.113.99"));
});

Deno.test("socket of an address that is not there fails", () => {
  assert.throws(() => udpNetwork.open("203.0.113.99"), Deno.errors.AddrNotAvailable);
});

Deno.test("closing a socket rejects the wait for a datagram, and may happen twice", async () => {
  const socket = udpNetwork.open("127.0.0.1");
  const rejected = assert.rejects(socket.receive(new Uint8Array(10)));
  socket.close();
  socket.close();
  await rejected;
  await assert.rejects(socket.send(new Uint8Array(1), { hostname: "127.0.0.1", port: 9 }));
});
