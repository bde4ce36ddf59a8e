import assert from "node:assert/strict";
import { silentLog } from "../../lib/base/log.ts";
import { Contacts } from "../../lib/chat/contacts.ts";
import type { Peer } from "../../lib/discovery/peer.ts";
import { Introductions } from "../../lib/chat/introductions.ts";
import { AmbiguousPeerError, InvalidInputError } from "../../lib/errors.ts";
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

/** Contacts of "me" among the given peers. */
async function world(peers: Peer[]) {
  const directory = await Deno.makeTempDir({ prefix: "parlance-contacts-" });
  const known = await KnownPeers.open({ directory, clock: new FakeClock(), log: silentLog });
  const ended: PeerId[] = [];
  const introductions = new Introductions(known, "me");
  const contacts = new Contacts({
    ownId: OWN,
    ownNickname: "me",
    known,
    introductions,
    present: {
      named: (nickname) => peers.filter((peer) => peer.nickname === nickname),
      withId: (id) => peers.filter((peer) => peer.id === id),
      peers: () => peers,
    },
    find: (target) => peers.find(({ label }) => label === target)!,
    endSession: (id) => ended.push(id),
    onDecided: () => {},
  });
  return {
    contacts,
    known,
    introductions,
    ended,
    directory,
    async [Symbol.asyncDispose]() {
      await known[Symbol.asyncDispose]();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

Deno.test("only the id whose safety number was shown is recorded as verified", async () => {
  const peers = [peer("bob", BOB)];
  await using at = await world(peers);
  await assert.rejects(at.contacts.verify("bob"), /its safety number was not shown yet/);
  assert.equal((await at.contacts.safetyNumber("bob")).id, BOB);
  peers.pop();
  at.known.remember("bob", MALLORY); // she connects under the free nickname meanwhile
  await assert.rejects(at.contacts.verify("bob"), /another identity since its safety number/);
  assert.equal(at.known.byId(MALLORY)?.verified, false);
});

Deno.test("a nickname that looks like another peer's label stands for neither", async () => {
  await using at = await world([peer("bob", BOB, "bob~AIBA")]);
  at.known.remember("bob~AIBA", MALLORY);
  for (const command of ["block", "unblock", "forget", "verify"] as const) {
    await assert.rejects(at.contacts[command]("bob~AIBA"), AmbiguousPeerError, command);
  }
  await assert.rejects(at.contacts.safetyNumber("bob~AIBA"), AmbiguousPeerError);
  assert.deepEqual(at.ended, []);
});

Deno.test("a nickname is given to who proved an id under it, not to who announces one", async () => {
  await using at = await world([peer("bob", EVE)]);
  at.introductions.meet("bob", BOB);
  at.introductions.meet("bob", MALLORY);
  assert.equal(await at.contacts.trust("bob"), MALLORY);
  assert.equal(at.known.byNickname("bob")?.id, MALLORY);
});

Deno.test("after a warning it has to be said who is to be blocked", async () => {
  await using at = await world([peer("bob", BOB)]);
  at.introductions.meet("bob", BOB);
  at.introductions.meet("bob", MALLORY);
  await assert.rejects(at.contacts.block("bob"), (error) => {
    return error instanceof AmbiguousPeerError && error.choices.includes(MALLORY);
  });
  assert.equal(await at.contacts.block(MALLORY), MALLORY);
  assert.deepEqual(at.ended, [MALLORY]);
  assert.equal(at.known.byId(BOB)?.blocked, false);
  assert.equal(await at.contacts.block("bob"), BOB, "now it is clear");
});

Deno.test("nobody is trusted who was neither known nor warned of", async () => {
  await using at = await world([peer("carol", EVE)]);
  await assert.rejects(at.contacts.trust("carol"), /no such peer/);
});

Deno.test("while others call themselves like a known peer, each number comes with its id, and only an id is verified", async () => {
  await using at = await world([peer("bob", BOB, "bob~A"), peer("bob", EVE, "bob~B")]);
  at.introductions.meet("bob", BOB);
  await at.contacts.safetyNumber("bob");
  await at.contacts.verify(BOB);
  at.introductions.meet("bob", MALLORY);
  const { others, ...own } = await at.contacts.safetyNumber("bob");
  assert.deepEqual([own.id, own.verified], [BOB, true]);
  assert.deepEqual(others.map(({ id, verified }) => [id, verified]), [
    [MALLORY, false], // proved
    [EVE, false], // only announced
  ]);
  assert.equal(new Set([own, ...others].map(({ number }) => number)).size, 3);
  await assert.rejects(at.contacts.verify("bob"), (error) => {
    assert.ok(error instanceof AmbiguousPeerError);
    assert.deepEqual(error.choices, [BOB, MALLORY, EVE]);
    return true;
  });
  assert.equal(await at.contacts.verify(MALLORY.toLowerCase()), MALLORY);
  assert.equal(at.known.byId(MALLORY)?.verified, true);
  assert.equal(at.known.byNickname("bob")?.id, BOB, "it has the nickname no more than before");
  assert.equal(at.known.byId(EVE), undefined);
  // Who is blocked does not disturb any more.
  for (const id of [MALLORY, EVE]) await at.contacts.block(id);
  assert.deepEqual((await at.contacts.safetyNumber("bob")).others, []);
  assert.equal(await at.contacts.verify("bob"), BOB);
});

Deno.test("an id whose number was not shown is not verified, and what was shown of a nickname is no other's", async () => {
  await using at = await world([]);
  at.introductions.meet("bob", BOB);
  await assert.rejects(at.contacts.verify(BOB), /its safety number was not shown yet/);
  await at.contacts.safetyNumber("bob");
  at.introductions.meet("bob", MALLORY);
  await at.contacts.trust("bob");
  await at.contacts.safetyNumber(MALLORY);
  await assert.rejects(at.contacts.verify("bob"), /another identity since its safety number/);
});

Deno.test("there are at most five others whose numbers are given", async () => {
  await using at = await world([]);
  at.introductions.meet("bob", BOB);
  for (let number = 10; number < 30; number++) at.introductions.meet("bob", idOf(number));
  assert.equal((await at.contacts.safetyNumber("bob")).others.length, 5);
});

Deno.test("a nickname is given to an id that is written out", async () => {
  await using at = await world([peer("carol", EVE)]);
  at.introductions.meet("bob", BOB);
  at.introductions.meet("carol", idOf(9));
  at.introductions.meet("bob", MALLORY);
  assert.equal(await at.contacts.trust(MALLORY), MALLORY);
  assert.equal(at.known.byNickname("bob")?.id, MALLORY);
  assert.equal(await at.contacts.trust(EVE.replaceAll("-", "").toLowerCase()), EVE);
  assert.equal(at.known.byNickname("carol")?.id, EVE);
  assert.equal(await at.contacts.trust(EVE), EVE, "as before");
  const uncontested = at.contacts.trust(BOB);
  await assert.rejects(uncontested, /it uses no nickname that is known with another id/);
});

Deno.test("a mistyped id is told with the group that is wrong, whatever it is for", async () => {
  await using at = await world([]);
  const groups = BOB.split("-");
  const mistyped = [
    [[...groups.slice(0, 2), "AAAAAAB", ...groups.slice(3)].join("-"), /group 3 or 4 is mistyped/],
    [BOB.slice(0, -1), /group 8 has not 7 characters/],
    [`${BOB}A`, /group 8 has not 7 characters/],
    [BOB.replace(groups[0], `${groups[0].slice(0, 6)}9`), /group 1 has a character/],
    [groups.slice(0, 6).join("-"), /it has not 8 groups of 7/],
  ] as const;
  for (const [target, cause] of mistyped) {
    for (const command of ["verify", "trust", "block", "unblock", "forget"] as const) {
      await assert.rejects(at.contacts[command](target), (error) => {
        assert.ok(error instanceof InvalidInputError, `${command}: ${error}`);
        assert.match(error.message, cause);
        return true;
      });
    }
    await assert.rejects(at.contacts.safetyNumber(target), cause);
  }
});

Deno.test("nothing is decided about one's own id or nickname", async () => {
  await using at = await world([peer("me", EVE, "me~AQCA"), peer("mallory", OWN)]);
  for (const target of [OWN, OWN.toLowerCase(), "mallory"]) {
    for (const command of ["verify", "block", "unblock", "forget"] as const) {
      await assert.rejects(at.contacts[command](target), {
        name: "InvalidInputError",
        message: `Cannot ${command} ${JSON.stringify(target)}: that is your own id`,
      });
    }
    await assert.rejects(at.contacts.safetyNumber(target), /that is your own id/);
  }
  await assert.rejects(at.contacts.trust(OWN), InvalidInputError);
  assert.deepEqual(at.ended, []);
  // A known peer that takes one's own nickname does not get it.
  at.introductions.meet("eve", EVE);
  for (const target of ["me~AQCA", EVE]) {
    await assert.rejects(at.contacts.trust(target), /"me" is your own nickname/, target);
  }
  assert.equal(at.known.byNickname("me"), undefined);
});

Deno.test("what the user has decided is on the disk when it is done", async () => {
  await using at = await world([peer("bob", BOB)]);
  const written = async () =>
    JSON.parse(await Deno.readTextFile(`${at.directory}/peers.json`)).peers;
  at.introductions.meet("bob", BOB);
  at.introductions.meet("bob", MALLORY);
  await at.contacts.safetyNumber(BOB);
  await at.contacts.verify(BOB);
  assert.equal((await written())[0].verified, true);
  await at.contacts.block(MALLORY);
  assert.equal((await written())[1].blocked, true);
  await at.contacts.unblock(MALLORY);
  assert.equal((await written())[1].blocked, false);
  await at.contacts.trust("bob");
  assert.equal((await written())[1].nickname, "bob");
  await at.contacts.forget("bob");
  assert.deepEqual((await written()).map(({ id }: { id: PeerId }) => id), [BOB]);
});

Deno.test("a decision that cannot be written is told, holds, and is written later", async () => {
  await using at = await world([peer("bob", BOB)]);
  await Deno.mkdir(`${at.directory}/peers.json.tmp/x`, { recursive: true });
  await assert.rejects(at.contacts.block(BOB), /^ParlanceError: Cannot keep this on the disk: /);
  assert.equal(at.known.byId(BOB)?.blocked, true);
  await Deno.remove(`${at.directory}/peers.json.tmp`, { recursive: true });
  await at.contacts.block(BOB);
});

Deno.test("trusting a nickname twice is the same as once", async () => {
  const peers = [peer("bob", BOB, "bob~A"), peer("bob", MALLORY, "bob~B")];
  await using at = await world(peers);
  at.introductions.meet("bob", BOB);
  at.introductions.meet("bob", MALLORY);
  for (let time = 0; time < 3; time++) assert.equal(await at.contacts.trust("bob"), MALLORY);
  at.introductions.meet("bob", BOB); // comes back, and is warned of
  await assert.rejects(at.contacts.trust("bob"), (error) => {
    assert.ok(error instanceof AmbiguousPeerError, String(error));
    assert.deepEqual(error.choices, [MALLORY, BOB]);
    return true;
  });
  assert.equal(await at.contacts.trust(BOB), BOB);
  assert.equal(at.known.byNickname("bob")?.id, BOB);
});

Deno.test("a peer of version 1 cannot be trusted, for it has no id", async () => {
  await using at = await world([{ ...peer("victor", BOB), id: undefined }]);
  await assert.rejects(at.contacts.trust("victor"), /"victor" has no id/);
});

Deno.test("when a forgotten peer is to be blocked, it is a choice beside who was warned of", async () => {
  await using at = await world([peer("bob", BOB)]);
  at.introductions.meet("bob", BOB);
  at.introductions.meet("bob", MALLORY);
  await at.contacts.forget("bob");
  await assert.rejects(at.contacts.block("bob"), (error) => {
    assert.ok(error instanceof AmbiguousPeerError, String(error));
    assert.deepEqual(error.choices, [MALLORY, BOB]);
    assert.match(error.message, /several peers could be meant/);
    return true;
  });
});

Deno.test("the last warning of a run says that there will be no more", async () => {
  await using at = await world([]);
  at.introductions.meet("bob", BOB);
  const told = Array.from({ length: 120 }, (_, at) => at + 10)
    .flatMap((number) => at.introductions.meet("bob", idOf(number)) ?? []);
  assert.equal(told.length, 100);
  assert.deepEqual(told.map(({ isLast }) => isLast ?? false).indexOf(true), 99);
});
