import assert from "node:assert/strict";
import fc from "fast-check";
import { silentLog } from "../../lib/base/log.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import { resolveTarget } from "../../lib/chat/target.ts";
import { PeerRegistry } from "../../lib/discovery/registry.ts";
import { AmbiguousPeerError, InvalidInputError, UnknownPeerError } from "../../lib/errors.ts";
import { formatPeerId, type PeerId } from "../../lib/wire/peer_id.ts";
import { idOf } from "../discovery/registry_fixtures.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** A registry of somebody called "me". */
function registry(): PeerRegistry {
  const clock = new FakeClock();
  return new PeerRegistry(clock, new Refusals(clock, silentLog), "me", () => {});
}

const at = (host: number, port = 7) => ({ hostname: `10.0.0.${host}`, port });

/** Lets a peer be seen; `instance` makes it one of version 2. */
function see(
  known: PeerRegistry,
  nickname: string,
  host: number,
  instance?: string,
  id?: PeerId,
) {
  const version = instance === undefined ? 1 : 2;
  known.sawOnLan({ nickname, address: at(host), version, instance, id });
}

const A = "aaaa111111111111";
const B = "bbbb222222222222";
/** An id that begins as instances do. */
const AAAA = formatPeerId(new Uint8Array(32));

/** The address of whom a target stands for. */
function found(known: PeerRegistry, target: string): string {
  return resolveTarget(known, target).addresses[0].address.hostname;
}

function choices(known: PeerRegistry, target: string): readonly string[] {
  try {
    const { label } = resolveTarget(known, target);
    assert.fail(`${target} stands for ${label}`);
  } catch (error) {
    assert.ok(error instanceof AmbiguousPeerError, String(error));
    return error.choices;
  }
}

Deno.test("a nickname that one peer has stands for it, also with its tag or address", () => {
  const known = registry();
  see(known, "bob", 1, A);
  see(known, "old bob", 2);
  for (const target of ["bob", "bob~aaaa", "bob~aaaa1", `bob~${A}`, "bob~10.0.0.1:7"]) {
    assert.equal(found(known, target), "10.0.0.1", target);
  }
  for (const target of ["old bob", "old bob~10.0.0.2:7"]) {
    assert.equal(found(known, target), "10.0.0.2", target);
  }
});

Deno.test("a nickname that several peers have is refused with labels that tell them apart", () => {
  const known = registry();
  see(known, "bob", 1, A);
  see(known, "bob", 2, B);
  see(known, "bob", 3);
  assert.deepEqual(choices(known, "bob"), ["bob~aaaa", "bob~bbbb", "bob~10.0.0.3:7"]);
  assert.equal(found(known, "bob~aaaa"), "10.0.0.1");
  assert.equal(found(known, "bob~bbbb"), "10.0.0.2");
  assert.equal(found(known, "bob~10.0.0.3:7"), "10.0.0.3");
});

Deno.test("a tag has to be long enough, and right", () => {
  const known = registry();
  see(known, "bob", 1, A);
  for (
    const target of ["bob~", "bob~aaa", "bob~aaab", "bob~10.0.0.1", "bob~10.0.0.1:70", "~aaaa"]
  ) {
    assert.throws(() => resolveTarget(known, target), UnknownPeerError, target);
  }
});

Deno.test("a tag is the start of an id in upper or lower case, where there is one", () => {
  const known = registry();
  const [first, second] = [idOf(1), idOf(200)];
  see(known, "bob", 1, A, first);
  see(known, "bob", 2, A, second);
  assert.deepEqual(choices(known, "bob"), [
    `bob~${first.slice(0, 4)}`,
    `bob~${second.slice(0, 4)}`,
  ]);
  for (const [id, host] of [[first, "10.0.0.1"], [second, "10.0.0.2"]] as const) {
    for (const tag of [id, id.slice(0, 4), id.slice(0, 9)]) {
      assert.equal(found(known, `bob~${tag}`), host);
      assert.equal(found(known, `bob~${tag.toLowerCase()}`), host);
    }
  }
  for (const tag of [first.slice(0, 3), first.slice(35), A, "aaaa"]) {
    assert.throws(() => resolveTarget(known, `bob~${tag}`), UnknownPeerError, tag);
  }
  const mistyped = [first.slice(1), `${first.slice(0, -1)}7`];
  for (const tag of mistyped) {
    assert.throws(() => resolveTarget(known, `bob~${tag}`), InvalidInputError, tag);
  }
});

Deno.test("two ids at one address are two peers, neither of which is chosen for the user", () => {
  const known = registry();
  const [first, second] = [idOf(1, 9), idOf(2, 9)];
  known.listed([first, second].map((id, index) => (
    { peerId: `${index}`, nickname: "bob", address: at(1), version: 2, id }
  )));
  assert.deepEqual(choices(known, "bob"), [`bob~${first}`, `bob~${second}`]);
  assert.deepEqual(choices(known, `bob~${first.slice(0, 4)}`), [`bob~${first}`, `bob~${second}`]);
  assert.equal(resolveTarget(known, `bob~${second}`).id, second);
});

Deno.test("who is unknown is told with the nearest labels", () => {
  const known = registry();
  see(known, "roberta", 1, A);
  see(known, "zoe", 2, B);
  assert.throws(() => resolveTarget(known, "robreta"), {
    name: "UnknownPeerError",
    message: 'Cannot reach "robreta": no such peer; did you mean "roberta"?',
  });
  assert.throws(() => resolveTarget(known, "nobody"), /no such peer; \/peers lists who is there/);
  assert.throws(() => resolveTarget(registry(), ""), UnknownPeerError);
});

Deno.test("a version 1 peer that registered twice is still one to send to", () => {
  const known = registry();
  known.listed(["old", "new"].map((peerId) => (
    { peerId, nickname: "bob", address: at(1), version: 1 }
  )));
  assert.equal(found(known, "bob"), "10.0.0.1");
});

Deno.test("an address stands first for the peer that is tried there first", () => {
  const known = registry();
  see(known, "bob", 1, A);
  see(known, "bob", 2);
  known.listed([{ peerId: "p", nickname: "bob", address: at(2), version: 2, instance: A }]);
  assert.equal(found(known, "bob~10.0.0.2:7"), "10.0.0.2");
  known.saidGoodbye({ nickname: "bob" }, "10.0.0.2");
  assert.equal(found(known, "bob~10.0.0.2:7"), "10.0.0.1", "the one peer that is known there");
});

Deno.test("case matters: another spelling is only suggested", () => {
  const known = registry();
  see(known, "Bob", 1, A);
  assert.throws(() => resolveTarget(known, "bob"), /did you mean "Bob"/);
});

Deno.test("a nickname that poses as another peer's label does not take it over", () => {
  const known = registry();
  see(known, "bob", 1, A);
  see(known, "bob~aaaa", 66, B);
  const offered = choices(known, "bob~aaaa");
  assert.equal(offered.length, 2);
  assert.deepEqual(offered.map((choice) => found(known, choice)).sort(), ["10.0.0.1", "10.0.0.66"]);
  assert.equal(found(known, "bob"), "10.0.0.1");
});

Deno.test("a choice between peers with ids names whole ids where labels are posed as", () => {
  const known = registry();
  const [first, second] = [idOf(1), idOf(200)];
  const posed = `bob~${first.slice(0, 4)}`;
  see(known, "bob", 1, A, first);
  see(known, posed, 66, B, second);
  assert.deepEqual(choices(known, posed), [`${posed}~${second.slice(0, 4)}`, "bob"]);
  assert.equal(found(known, `${posed}~${second}`), "10.0.0.66");
});

Deno.test("a peer that chooses another's tag is told from it by the whole instance", () => {
  const known = registry();
  see(known, "bob", 1, A);
  see(known, "bob", 66, "aaaa999999999999");
  const offered = choices(known, "bob");
  assert.deepEqual(offered, [`bob~${A}`, "bob~aaaa999999999999"]);
  assert.deepEqual(offered.map((choice) => found(known, choice)), ["10.0.0.1", "10.0.0.66"]);
  assert.deepEqual(choices(known, "bob~aaaa"), offered);
});

/** The key of whom a target stands for, or why there is none. */
function named(known: PeerRegistry, target: string): number | Error {
  try {
    return resolveTarget(known, target).key;
  } catch (error) {
    assert.ok(error instanceof UnknownPeerError || error instanceof AmbiguousPeerError);
    return error;
  }
}

Deno.test("whatever peers call themselves, every choice that is offered leads to another peer", () => {
  // Few parts, so that nicknames often look like labels and addresses of others.
  const parts = fc.constantFrom("bob", "~", "aaaa", "bbbb", "10.0.0.1:7", "10.0.0.2:7", "1");
  const nickname = fc.array(parts, { minLength: 1, maxLength: 4 }).map((some) => some.join(""))
    .filter((name) => name.length <= 32);
  const instance = fc.constantFrom(undefined, A, B, "aaaa999999999999", "aaaabbbb11111111");
  const id = fc.constantFrom(undefined, undefined, idOf(1), idOf(2, 1), AAAA);
  const sighting = fc.record({
    nickname,
    instance,
    id,
    host: fc.integer({ min: 1, max: 3 }),
    listed: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(sighting, { maxLength: 8 }), nickname, (sightings, target) => {
      const known = registry();
      const list = [];
      for (const [index, { nickname, instance, id, host, listed }] of sightings.entries()) {
        if (!listed) see(known, nickname, host, instance, id);
        else {
          const version = instance === undefined ? 1 : 2;
          list.push({ peerId: String(index), nickname, address: at(host), version, instance, id });
        }
      }
      known.listed(list);
      const offered = named(known, target);
      if (!(offered instanceof AmbiguousPeerError)) return;
      // A choice may pose as another peer's label: then it is asked once more.
      const keys = new Set(offered.choices.flatMap((choice) => {
        const next = named(known, choice);
        if (!(next instanceof AmbiguousPeerError)) return [next];
        return next.choices.map((last) => resolveTarget(known, last).key);
      }));
      assert.ok(keys.size >= offered.choices.length, offered.message);
      for (const key of keys) assert.equal(typeof key, "number", offered.message);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("an id stands for who claims it, and a mistyped one for nobody", () => {
  const known = registry();
  const [first, second] = [idOf(1), idOf(200)];
  see(known, "bob", 1, A, first);
  see(known, "carol", 2, A, second);
  see(known, "claire", 3, A, second);
  assert.equal(found(known, first), "10.0.0.1");
  assert.equal(found(known, first.toLowerCase().replaceAll("-", " ")), "10.0.0.1");
  assert.deepEqual(choices(known, second), ["carol", "claire"]);
  assert.throws(() => resolveTarget(known, idOf(3)), UnknownPeerError);
  const wrong = first.replace(/^.{7}/, "AAAAAAB");
  assert.throws(() => resolveTarget(known, wrong), {
    name: "InvalidInputError",
    message: /^Cannot tell who "AAAAAAB-.*group 1 or 2 is mistyped; compare it with the one/,
  });
  assert.throws(() => resolveTarget(known, "x".repeat(10_000)), (error: Error) => {
    return error.message.length < 300;
  });
});
