import assert from "node:assert/strict";
import fc from "fast-check";
import { silentLog } from "../../lib/base/log.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import type { Peer } from "../../lib/discovery/peer.ts";
import { type BootstrapSighting, PeerRegistry } from "../../lib/discovery/registry.ts";
import { formatAddress } from "../../lib/wire/address.ts";
import type { PeerId } from "../../lib/wire/peer_id.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { idOf, instanceOf, makeRegistry } from "./registry_fixtures.ts";
import { RegistryModel } from "./registry_model.ts";

const TIMEOUT_MS = 15_000;

// Few of each, so that they meet in every way.
const nickname = fc.constantFrom("bob", "carol", "me");
const hostname = fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3");
const instance = fc.constantFrom(undefined, "0f3a1", "0f3a2", "77aa").map((start) =>
  start && instanceOf(start)
);
const id = fc.constantFrom(undefined, undefined, idOf(1), idOf(2));
const sighting = fc.record({
  nickname,
  address: fc.record({ hostname, port: fc.constantFrom(1, 2) }),
  instance,
  id,
}).map((value) => ({ ...value, version: value.instance === undefined ? 1 : 2 }));
const list = fc.array(
  fc.tuple(sighting, fc.constantFrom("p1", "p2", "p3", "p4")).map(([value, peerId]) => ({
    ...value,
    peerId,
  })),
  { maxLength: 5, size: "max" },
);

type Step =
  | { readonly kind: "announce"; readonly sighting: Omit<BootstrapSighting, "peerId"> }
  | {
    readonly kind: "goodbye";
    readonly nickname: string;
    readonly instance: string | undefined;
    readonly id: PeerId | undefined;
    readonly hostname: string;
  }
  | { readonly kind: "list"; readonly sightings: BootstrapSighting[] }
  | { readonly kind: "forget" }
  | {
    readonly kind: "proof";
    readonly id: PeerId;
    readonly instance: string;
    readonly hostname: string;
  }
  | { readonly kind: "pass"; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("announce" as const), sighting }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("goodbye" as const),
      nickname,
      instance,
      id,
      hostname,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("list" as const), sightings: list }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "forget" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("proof" as const),
      id: fc.constantFrom(idOf(1), idOf(2)),
      instance: fc.constantFrom("0f3a1", "0f3a2").map(instanceOf),
      hostname,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(4000, 12_000) }),
  },
);

Deno.test("registry knows after any sequence of sightings what a simple model knows", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: "max" }), async (steps) => {
      const clock = new FakeClock();
      const present = new Map<number, Peer>();
      const registry = new PeerRegistry(clock, new Refusals(clock, silentLog), "me", (event) => {
        const { key } = event.peer;
        assert.equal(present.has(key), event.type === "peer_down", `${event.type} of ${key}`);
        if (event.type === "peer_up") present.set(key, event.peer);
        else present.delete(key);
      });
      const model = new RegistryModel();
      const ids = new Map<number, PeerId>();
      for (const one of steps) {
        await apply(one, registry, model, clock);
        assert.deepEqual(registry.peers().map(shape), model.peers.map(modelShape));
        assert.deepEqual([...present.keys()], registry.peers().map(({ key }) => key));
        checkLabels(registry);
        checkIds(registry, ids);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("registry holds nothing any more after everybody has left", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: "max" }), async (steps) => {
      const { clock, registry, held } = makeRegistry();
      for (const one of steps) {
        if (one.kind !== "proof") await apply(one, registry, new RegistryModel(), clock);
      }
      registry.listed([]);
      await clock.advance(TIMEOUT_MS + 1);
      registry.expire(TIMEOUT_MS);
      assert.equal(registry.size, 0);
      assert.equal(held(), 0);
    }),
    { numRuns: 200 },
  );
});

async function apply(one: Step, registry: PeerRegistry, model: RegistryModel, clock: FakeClock) {
  switch (one.kind) {
    case "announce":
      registry.sawOnLan(one.sighting);
      return model.sawOnLan(one.sighting, clock.monotonic());
    case "goodbye":
      registry.saidGoodbye(one, one.hostname);
      return model.saidGoodbye(one, one.hostname);
    case "list":
      registry.listed(one.sightings);
      return model.listed(one.sightings, clock.monotonic());
    case "forget":
      registry.forgetListed();
      return model.forgetListed();
    case "proof":
      registry.proved(one.id, one.instance, one.hostname);
      return model.proved(one.id, one.instance, one.hostname);
    case "pass":
      await clock.advance(one.ms);
      registry.expire(TIMEOUT_MS);
      return model.expire(clock.monotonic() - TIMEOUT_MS);
  }
}

function shape({ nickname, instance, id, version, addresses }: Peer) {
  const ways = addresses.map(({ address, via }) => `${formatAddress(address)}/${via}`);
  return { nickname, instance, id, version, ways };
}

function modelShape(
  { nickname, instance, id, version, addresses }: RegistryModel["peers"][number],
) {
  return { nickname, instance, id, version, ways: addresses.map(({ at, via }) => `${at}/${via}`) };
}

/** A label is the nickname where that is enough; peers with an id or an instance share none. */
function checkLabels(registry: PeerRegistry): void {
  const peers = registry.peers();
  for (const { nickname, label } of peers) {
    const alone = registry.named(nickname).length === 1 && nickname !== "me";
    assert.equal(label === nickname, alone);
    assert.ok(alone || label.startsWith(`${nickname}~`));
  }
  const labels = peers.filter((peer) => (peer.id ?? peer.instance) !== undefined)
    .map(({ label }) => label.toLowerCase());
  assert.equal(new Set(labels).size, labels.length);
}

/** A peer never changes or loses its id, and shares it with nobody of its nickname. */
function checkIds(registry: PeerRegistry, ids: Map<number, PeerId>): void {
  const peers = registry.peers();
  for (const { key, id } of peers) {
    assert.equal(id, ids.get(key) ?? id);
    if (id !== undefined) ids.set(key, id);
  }
  for (const id of [idOf(1), idOf(2)]) {
    const claimants = peers.filter((peer) => peer.id === id);
    const sorted = (some: Peer[]) => some.map(({ key }) => key).sort((a, b) => a - b);
    assert.deepEqual(sorted(registry.withId(id)), sorted(claimants));
    assert.equal(new Set(claimants.map(({ nickname }) => nickname)).size, claimants.length);
  }
}
