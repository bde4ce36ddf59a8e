import assert from "node:assert/strict";
import { silentLog } from "../../lib/base/log.ts";
import { Contacts } from "../../lib/chat/contacts.ts";
import type { Peer } from "../../lib/discovery/peer.ts";
import { AmbiguousPeerError } from "../../lib/errors.ts";
import { KnownPeers } from "../../lib/identity/known_peers.ts";
import { formatPeerId, type PeerId } from "../../lib/wire/peer_id.ts";
import { FakeClock } from "../support/fake_clock.ts";

const idOf = (number: number) => formatPeerId(new Uint8Array(32).fill(number));
const [OWN, BOB, MALLORY, EVE] = [1, 2, 3, 4].map(idOf);

function peer(nickname: string, id: PeerId, label = nickname): Peer {
  const address = { hostname: "10.0.0.2", port: 5 };
  const addresses = [{ address, via: "lan" as const, lastSeen: 0 }];
  return { key: 1, nickname, label, version: 2, instance: undefined, id, addresses, knownForMs: 0 };
}

/** Contacts among the given peers; `warned` were proved under the nickname bob. */
async function world(peers: Peer[], warned: PeerId[] = []) {
  const directory = await Deno.makeTempDir({ prefix: "parlance-contacts-" });
  const known = await KnownPeers.open({ directory, clock: new FakeClock(), log: silentLog });
  const ended: PeerId[] = [];
  const contacts = new Contacts({
    ownId: OWN,
    known,
    peers: {
      find: (target) => peers.find(({ label }) => label === target)!,
      named: (nickname) => peers.filter((peer) => peer.nickname === nickname),
      peers: () => peers,
    },
    warnedOf: (nickname) => nickname === "bob" ? warned : [],
    endSession: (id) => ended.push(id),
  });
  return {
    contacts,
    known,
    ended,
    async [Symbol.asyncDispose]() {
      await known[Symbol.asyncDispose]();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

Deno.test("only the id whose safety number was shown is recorded as verified", async () => {
  await using at = await world([peer("bob", BOB)]);
  assert.throws(() => at.contacts.verify("bob"), /its safety number was not shown yet/);
  assert.equal((await at.contacts.safetyNumber("bob")).id, BOB);
  at.known.remember("bob", MALLORY); // she connects under the free nickname meanwhile
  assert.throws(() => at.contacts.verify("bob"), /another identity since its safety number/);
  assert.equal(at.known.byId(MALLORY)?.verified, false);
});

Deno.test("a nickname that looks like another peer's label stands for neither", async () => {
  await using at = await world([peer("bob", BOB, "bob~AIBA")]);
  at.known.remember("bob~AIBA", MALLORY);
  for (const command of ["block", "unblock", "forget", "verify"] as const) {
    assert.throws(() => at.contacts[command]("bob~AIBA"), AmbiguousPeerError, command);
  }
  await assert.rejects(at.contacts.safetyNumber("bob~AIBA"), AmbiguousPeerError);
  assert.deepEqual(at.ended, []);
});

Deno.test("a nickname is given to who proved an id under it, not to who announces one", async () => {
  await using at = await world([peer("bob", EVE)], [MALLORY]);
  at.known.remember("bob", BOB);
  assert.equal(at.contacts.trust("bob"), MALLORY);
  assert.equal(at.known.byNickname("bob")?.id, MALLORY);
});

Deno.test("after a warning it has to be said who is to be blocked", async () => {
  await using at = await world([peer("bob", BOB)], [MALLORY]);
  at.known.remember("bob", BOB);
  assert.throws(() => at.contacts.block("bob"), (error) => {
    return error instanceof AmbiguousPeerError && error.choices.includes(MALLORY);
  });
  assert.equal(at.contacts.block(MALLORY), MALLORY);
  assert.deepEqual(at.ended, [MALLORY]);
  assert.equal(at.known.byId(BOB)?.blocked, false);
});

Deno.test("nobody is trusted who was neither known nor warned of", async () => {
  await using at = await world([peer("carol", EVE)]);
  assert.throws(() => at.contacts.trust("carol"), /no such peer/);
});
