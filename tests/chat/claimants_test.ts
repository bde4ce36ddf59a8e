import assert from "node:assert/strict";
import { joinClaimants } from "../../lib/chat/claimants.ts";
import type { Peer } from "../../lib/discovery/peer.ts";
import { formatPeerId } from "../../lib/wire/peer_id.ts";

const id = formatPeerId(new Uint8Array(32));

function claimant(nickname: string, ...ports: number[]): Peer {
  const addresses = ports.map((port) => ({
    address: { hostname: "10.0.0.1", port },
    via: "lan" as const,
    lastSeen: 0,
  }));
  const peer = { key: 1, nickname, label: nickname, version: 2, instance: undefined, id };
  return { ...peer, addresses, knownForMs: 0 };
}

const ports = (peer?: Peer) => peer?.addresses.map(({ address: { port } }) => port);

Deno.test("all addresses at which an id is claimed are dialled, those of the known nickname first", () => {
  const claimants = [claimant("zed", 1, 2), claimant("bob", 3, 4), claimant("eve", 5, 2)];
  const joined = joinClaimants(claimants, ({ nickname }) => nickname === "bob");
  assert.equal(joined?.nickname, "bob");
  assert.deepEqual(ports(joined), [3, 4, 1, 5, 2]);
  assert.equal(joinClaimants([], () => true), undefined);
});

Deno.test("however many claim an id, sixteen addresses are dialled, of each claimant its best one first", () => {
  const forged = Array.from({ length: 16 }, (_, at) => 100 + at);
  const claimants = [claimant("zed", ...forged), claimant("eve", 1), claimant("bob", 2)];
  const joined = joinClaimants(claimants, () => false);
  assert.equal(joined?.addresses.length, 16);
  assert.deepEqual(ports(joined)?.slice(8, 10), [1, 2]);
});
