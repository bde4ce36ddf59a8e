import assert from "node:assert/strict";
import { randomHex, systemRandom } from "../../lib/base/random.ts";
import type { Peer } from "../../lib/discovery/peer.ts";
import { UnknownPeerError } from "../../lib/errors.ts";
import { formatAddress } from "../../lib/wire/address.ts";
import { eventually, Lan, newIdentity, talk } from "../attacks/fixtures.ts";

Deno.test("after a run that was killed and one that left, nobody is there to be sent to", async () => {
  const lan = new Lan();
  await using alice = await lan.start("alice");
  const identity = await newIdentity();
  const announce = { type: "announce" as const, nickname: "bob", version: 2, ask: false };
  const instance = randomHex(systemRandom, 8);
  await lan.say({ ...announce, tcpPort: 9, instance, id: identity.id });
  await alice.seen((event) => event.type === "peer_up" && event.peer.id === identity.id);
  {
    await using bob = await lan.start("bob", { identity });
    await lan.announce("alice", alice.node.tcpPort, alice.identity.id);
    await talk(alice, bob, "back");
    assert.deepEqual(
      alice.node.find("bob").addresses.map(({ address }) => address.port),
      [bob.node.tcpPort],
    );
  }
  await alice.seen((event) => event.type === "peer_down" && event.reason === "goodbye");
  await eventually(() => !alice.node.isConnected({ id: identity.id } as Peer), "it ended");
  await assert.rejects(alice.node.send("bob", "gone?"), UnknownPeerError);
});

Deno.test("somebody who claims to be a newer run does not come before the one with a session", async () => {
  const lan = new Lan();
  await using alice = await lan.start("alice");
  await using bob = await lan.start("bob");
  await lan.announce("alice", alice.node.tcpPort, alice.identity.id);
  await talk(alice, bob, "hi");
  await lan.say({
    type: "announce",
    nickname: "bob",
    tcpPort: 9,
    version: 2,
    instance: randomHex(systemRandom, 8),
    ask: false,
    id: bob.identity.id,
  }, "127.0.0.2");
  await lan.say({ type: "announce", nickname: "done", tcpPort: 9, version: 1, ask: false });
  await alice.seen((event) => event.type === "peer_up" && event.peer.nickname === "done");
  const { addresses } = alice.node.find("bob");
  assert.deepEqual(addresses.map(({ address }) => formatAddress(address)), [
    `127.0.0.1:${bob.node.tcpPort}`,
    "127.0.0.2:9",
  ]);
});
