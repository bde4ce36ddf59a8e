import assert from "node:assert/strict";
import fc from "fast-check";
import { silentLog } from "../../lib/base/log.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import { resolveTarget } from "../../lib/chat/target.ts";
import { PeerRegistry } from "../../lib/discovery/registry.ts";
import { AmbiguousPeerError, UnknownPeerError } from "../../lib/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** A registry of somebody called "me". */
function registry(): PeerRegistry {
  const clock = new FakeClock();
  return new PeerRegistry(clock, new Refusals(clock, silentLog), "me", () => {});
}

const at = (host: number, port = 7) => ({ hostname: `10.0.0.${host}`, port });

/** Lets a peer be seen; `instance` makes it one of version 2. */
function see(known: PeerRegistry, nickname: string, host: number, instance?: string) {
  const version = instance === undefined ? 1 : 2;
  known.sawOnLan({ nickname, address: at(host), version, instance });
}

const A = "aaaa111111111111";
const B = "bbbb222222222222";

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

Deno.test("who is unknown is told with the nearest labels", () => {
  const known = registry();
  see(known, "roberta", 1, A);
  see(known, "zoe", 2, B);
  assert.throws(() => resolveTarget(known, "robreta"), {
    name: "UnknownPeerError",
    message: 'Cannot send to "robreta": no such peer; did you mean "roberta"?',
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
  known.saidGoodbye("bob", undefined, "10.0.0.2");
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
  const sighting = fc.record({
    nickname,
    instance,
    host: fc.integer({ min: 1, max: 3 }),
    listed: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(sighting, { maxLength: 8 }), nickname, (sightings, target) => {
      const known = registry();
      const list = [];
      for (const [index, { nickname, instance, host, listed }] of sightings.entries()) {
        if (!listed) see(known, nickname, host, instance);
        else {
          const version = instance === undefined ? 1 : 2;
          list.push({ peerId: String(index), nickname, address: at(host), version, instance });
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
