import assert from "node:assert/strict";
import type { LanNetwork } from "../../lib/transport/datagram.ts";
import type { MemoryHost } from "../../lib/transport/memory.ts";
import { MULTICAST_GROUP } from "../../lib/wire/announce.ts";
import { device, Lans, listenToGroup, loopback, say } from "./lan_fixtures.ts";

const NO_INTERFACE = "Cannot discover peers on other machines: no network interface has an IPv4 " +
  "address; connect to a network, and it will be used";

/** A host's network of which parts do not work. */
function broken(host: MemoryHost, parts: Partial<LanNetwork>): LanNetwork {
  return { ...host.lan, ...parts };
}

Deno.test("interface that appears is announced on with a wish for answers", async () => {
  await using lans = new Lans();
  const host = lans.host();
  const alice = await lans.start(host, "alice");
  const bob = await lans.start(lans.host(device("10.0.0.2")), "bob");
  await lans.clock.advance(20_000);
  assert.deepEqual(alice.problems(), [NO_INTERFACE]);
  host.interfaces = [device("10.0.0.1")];
  const heard = await listenToGroup(lans.host(device("10.0.0.9")), lans.clock);
  await lans.clock.advance(5000);
  assert.equal(heard.find(({ from }) => from.hostname === "10.0.0.1")?.datagram.ask, true);
  assert.deepEqual([alice.names(), bob.names()], [["bob"], ["alice"]]);
  assert.deepEqual(alice.problems(), []);
});

Deno.test("no interface is told once, and again after there was one", async () => {
  await using lans = new Lans();
  const host = lans.host();
  const alice = await lans.start(host, "alice");
  await lans.clock.advance(15_000);
  host.interfaces = [loopback]; // reaches nobody else
  await lans.clock.advance(15_000);
  assert.deepEqual(alice.problems(), [NO_INTERFACE]);
  host.interfaces = [device("10.0.0.1")];
  await lans.clock.advance(5000);
  host.interfaces = [];
  await lans.clock.advance(30_000);
  assert.deepEqual(alice.problems(), [NO_INTERFACE]);
});

Deno.test("interface that disappears costs its peers only, and is no problem", async () => {
  await using lans = new Lans();
  const [one, two] = [device("10.0.0.1"), device("10.0.1.1", "eth1")];
  const host = lans.host(one, two);
  const alice = await lans.start(host, "alice");
  await lans.start(lans.host(device("10.0.0.2")), "bob");
  await lans.start(lans.host(device("10.0.1.2")), "carol");
  await lans.clock.advance(2000);
  alice.events();
  host.interfaces = [two];
  await lans.clock.advance(25_000);
  assert.deepEqual(alice.events(), ["down bob timeout"]);
  host.interfaces = [one, two];
  await lans.clock.advance(5000);
  assert.deepEqual(alice.events(), ["up bob"]);
  assert.deepEqual(alice.problems(), []);
  assert.equal(host.sockets.size, 3);
});

Deno.test("device that is replaced by another one of the same address is joined again", async () => {
  await using lans = new Lans();
  const host = lans.host(device("10.0.0.1"));
  const alice = await lans.start(host, "alice");
  const bob = lans.host(device("10.0.0.2")).lan.open("10.0.0.2"); // never answers
  await lans.clock.advance(2000);
  host.interfaces = [device("10.0.0.1", "wlan0")];
  await lans.clock.advance(5000);
  await say(bob, { type: "announce", nickname: "bob", tcp_port: 1 });
  await lans.clock.advance(0);
  assert.deepEqual(alice.names(), ["bob"]);
});

Deno.test("netmask that changes is the one that answers go by", async () => {
  await using lans = new Lans();
  const host = lans.host({ ...device("10.0.0.1"), netmask: "255.255.255.252" });
  await lans.start(host, "alice");
  host.interfaces = [device("10.0.0.1")];
  await lans.clock.advance(6000);
  const bob = await lans.start(lans.host(device("10.0.0.99")), "bob");
  await lans.clock.advance(250);
  assert.deepEqual(bob.names(), ["alice"]);
});

Deno.test("limited interfaces are the only ones that announce and hear", async () => {
  await using lans = new Lans();
  const host = lans.host(device("10.0.0.1"), device("10.0.1.1", "eth1"), loopback);
  const alice = await lans.start(host, "alice", { interfaces: ["10.0.1.1"] });
  const bob = await lans.start(lans.host(device("10.0.0.2")), "bob");
  const carol = await lans.start(lans.host(device("10.0.1.2")), "carol");
  await say(lans.host(device("10.0.0.3")).lan.open("10.0.0.3"), {
    type: "announce",
    nickname: "unicast",
    tcp_port: 1,
  }, { hostname: "10.0.1.1", port: 6789 }); // routed, from a network that is not joined
  await lans.clock.advance(10_000);
  assert.deepEqual([alice.names(), bob.names(), carol.names()], [["carol"], [], ["alice"]]);
});

Deno.test("limit to an address that is not there is told with those that are, once per absence", async () => {
  await using lans = new Lans();
  const host = lans.host(device("10.0.0.1"));
  const alice = await lans.start(host, "alice", { interfaces: ["10.0.7.7"] });
  await lans.clock.advance(20_000);
  const told =
    "Cannot discover peers on interface 10.0.7.7: this machine has no such address now; " +
    "it has 10.0.0.1 (eth0)";
  assert.deepEqual(alice.problems(), [told]);
  const bob = await lans.start(lans.host(device("10.0.7.8")), "bob");
  host.interfaces.push(device("10.0.7.7", "vpn0"));
  await lans.clock.advance(5000);
  assert.deepEqual([alice.names(), bob.names()], [["bob"], ["alice"]]);
  host.interfaces.pop();
  await lans.clock.advance(20_000);
  assert.deepEqual(alice.problems(), [told]);
});

Deno.test("taken group port is told once, answers are still heard, and it is tried again", async () => {
  await using lans = new Lans();
  const host = lans.host(device("10.0.0.1"));
  let taken = true;
  const network = broken(host, {
    openGroup(port) {
      if (taken) throw new Error("Address already in use");
      return host.lan.openGroup(port);
    },
  });
  await lans.start(lans.host(device("10.0.0.2")), "bob");
  const alice = await lans.start(host, "alice", { network });
  await lans.clock.advance(20_000);
  assert.deepEqual(alice.events(), ["up bob", "down bob timeout"]); // answered, then not heard
  const told = "Cannot listen for announces on UDP port 6789: Address already in use; another " +
    "program holds the port without sharing it; peers that answer are still found";
  assert.deepEqual(alice.problems(), [told]);
  taken = false;
  await lans.clock.advance(10_000);
  assert.deepEqual(alice.names(), ["bob"]);
  assert.deepEqual(alice.problems(), []);
});

Deno.test("refused join is told once with its interface, and again after it had worked", async () => {
  await using lans = new Lans();
  const host = lans.host(device("10.0.0.1"), device("10.0.1.1", "eth1"));
  let refused = true;
  const network = broken(host, {
    openGroup(port) {
      const socket = host.lan.openGroup(port);
      const join = socket.join.bind(socket);
      socket.join = (group, address) =>
        refused && address === "10.0.1.1"
          ? Promise.reject(new Error("No buffer space"))
          : join(group, address);
      return socket;
    },
  });
  const alice = await lans.start(host, "alice", { network });
  await lans.start(lans.host(device("10.0.0.2")), "bob");
  await lans.start(lans.host(device("10.0.1.2")), "carol");
  await lans.clock.advance(20_000);
  const told = `Cannot join ${MULTICAST_GROUP} on interface eth1 (10.0.1.1): No buffer space; ` +
    "peers there are found only when they answer";
  assert.deepEqual(alice.problems(), [told]);
  assert.deepEqual(alice.names(), ["bob"]);
  refused = false;
  await lans.clock.advance(10_000);
  assert.deepEqual(alice.names(), ["bob", "carol"]);
  refused = true;
  await lans.clock.advance(10_000);
  assert.deepEqual(alice.problems(), [told]);
});

/** A network whose sockets fail to send on one address, to what `refuses` tells. */
function failingSends(host: MemoryHost, address: string, refuses: (to: string) => boolean) {
  return broken(host, {
    open(own) {
      const socket = host.lan.open(own);
      const send = socket.send.bind(socket);
      socket.send = (bytes, to) =>
        own === address && refuses(to.hostname)
          ? Promise.reject(new Error("Operation not permitted"))
          : send(bytes, to);
      return socket;
    },
  });
}

Deno.test("interface that cannot send is told once, and does not make everybody answer all the time", async () => {
  await using lans = new Lans();
  const host = lans.host(device("10.0.0.1"), device("10.0.1.1", "tun0"));
  const network = failingSends(host, "10.0.1.1", () => true);
  const heard = await listenToGroup(lans.host(device("10.0.0.9")), lans.clock);
  const alice = await lans.start(host, "alice", { network });
  await lans.clock.advance(16_000);
  assert.deepEqual(alice.problems(), [
    "Cannot send on interface tun0 (10.0.1.1): Operation not permitted",
  ]);
  assert.deepEqual(heard.map(({ datagram }) => datagram.ask), [
    true,
    true,
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("problem of an interface is told again when it comes back with the problem", async () => {
  await using lans = new Lans();
  const [one, two] = [device("10.0.0.1"), device("10.0.1.1", "tun0")];
  const host = lans.host(one, two);
  const network = failingSends(host, "10.0.1.1", () => true);
  const alice = await lans.start(host, "alice", { network });
  assert.equal(alice.problems().length, 1);
  host.interfaces = [one];
  await lans.clock.advance(10_000);
  host.interfaces = [one, two];
  await lans.clock.advance(10_000);
  assert.equal(alice.problems().length, 1);
});

Deno.test("answer that cannot be sent is no problem of the interface", async () => {
  await using lans = new Lans();
  const host = lans.host(device("10.0.0.1"));
  const network = failingSends(host, "10.0.0.1", (to) => to !== MULTICAST_GROUP);
  const alice = await lans.start(host, "alice", { network });
  const [sockets] = [[...host.sockets]];
  const bob = await lans.start(lans.host(device("10.0.0.2")), "bob");
  await lans.clock.advance(8000);
  assert.deepEqual(alice.problems(), []);
  assert.deepEqual([...host.sockets], sockets);
  assert.deepEqual(bob.names(), ["alice"]); // by her announce
});

Deno.test("system that does not tell its interfaces is a problem, not the end of discovery", async () => {
  await using lans = new Lans();
  const host = lans.host(device("10.0.0.1"));
  let forbidden = true;
  const network = broken(host, {
    interfaces() {
      if (forbidden) throw new Error("Permission denied");
      return host.interfaces;
    },
  });
  const alice = await lans.start(host, "alice", { network });
  await lans.start(lans.host(device("10.0.0.2")), "bob");
  await lans.clock.advance(20_000);
  const told = "Cannot list the network interfaces: Permission denied";
  assert.deepEqual(alice.problems(), [told]);
  forbidden = false;
  await lans.clock.advance(6000);
  assert.deepEqual(alice.names(), ["bob"]);
  forbidden = true;
  await lans.clock.advance(30_000);
  assert.deepEqual(alice.names(), ["bob"]); // what was open stays open
  assert.deepEqual(alice.problems(), [told]);
});
