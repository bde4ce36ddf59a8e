import assert from "node:assert/strict";
import fc from "fast-check";
import { systemClock } from "../../lib/base/clock.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { Registry } from "../../lib/server/registry.ts";
import type { ListedPeer } from "../../lib/wire/bootstrap.ts";
import { peerIds } from "../wire/arbitraries.ts";
import { FakeClock } from "../support/fake_clock.ts";

function peer(nickname: string) {
  return { nickname, public_addr: "192.0.2.1:1", local_addr: "0.0.0.0:1" };
}

Deno.test("list is written once per change, however often it is asked for", () => {
  const registry = new Registry(new FakeClock(), systemRandom);
  for (let index = 0; index < 100; index++) registry.add(peer(`peer-${index}`));
  assert.equal(registry.rebuilds, 0);
  for (let index = 0; index < 100; index++) registry.list();
  assert.equal(registry.rebuilds, 1);
  const id = registry.add(peer("one more"));
  assert.match(registry.list(), /"one more"/);
  registry.remove(id);
  assert.doesNotMatch(registry.list(), /"one more"/);
  registry.remove(id);
  registry.list();
  assert.equal(registry.rebuilds, 3);
});

Deno.test("heartbeats have the list written anew at most once a second", async () => {
  const clock = new FakeClock();
  const registry = new Registry(clock, systemRandom);
  const ids = Array.from({ length: 50 }, (_, index) => registry.add(peer(`peer-${index}`)));
  registry.list();
  for (let step = 0; step < 100; step++) {
    await clock.advance(100);
    registry.touch(ids[step % ids.length]);
    registry.list();
  }
  assert.ok(registry.rebuilds >= 10 && registry.rebuilds <= 11, `${registry.rebuilds} rebuilds`);
  await clock.advance(1000);
  const shown = JSON.parse(registry.list()).peers.map((entry: { last_seen: number }) => {
    return entry.last_seen;
  });
  assert.equal(Math.max(...shown), Math.floor((clock.now() - 1000) / 1000));
});

Deno.test("list holds what was registered, whatever it is, in ASCII", () => {
  const text = fc.string({ unit: "grapheme" });
  fc.assert(fc.property(
    fc.array(
      fc.record({
        nickname: text,
        public_addr: text,
        local_addr: text,
        version: fc.option(fc.integer({ min: 1, max: 65535 }), { nil: undefined }),
        instance: fc.option(fc.constant("0123456789abcdef"), { nil: undefined }),
        id: fc.option(peerIds, { nil: undefined }),
      }),
      { maxLength: 5 },
    ),
    (registrations) => {
      const clock = new FakeClock();
      const registry = new Registry(clock, systemRandom);
      const last_seen = Math.floor(clock.now() / 1000);
      const expected = registrations.map((registration) => {
        const peer_id = registry.add(registration);
        return JSON.parse(JSON.stringify({ peer_id, ...registration, last_seen }));
      });
      const list = registry.list();
      assert.deepEqual(JSON.parse(list), { type: "peer_list", peers: expected });
      assert.match(list, /^[\x20-\x7e]*$/);
    },
  ));
});

Deno.test("list holds exactly who is registered, whatever the order of coming, going and asking", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("add"), times: fc.nat(200) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("remove"), times: fc.nat(200) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("touch"), times: fc.nat(50) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("wait"), times: fc.nat(3) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      let time = 0;
      const clock = { ...systemClock, now: () => time, monotonic: () => time };
      const registry = new Registry(clock, systemRandom);
      const ids: string[] = [];
      for (const { do: what, times } of steps) {
        for (let count = 0; count < times; count++) {
          const at = (count * 7919) % Math.max(1, ids.length);
          if (what === "add") ids.push(registry.add(peer(`peer-${count}`)));
          if (what === "remove") registry.remove(ids.splice(at, 1)[0] ?? "nobody");
          if (what === "touch" && ids.length > 0) registry.touch(ids[at]);
          if (what === "wait") time += 700;
        }
        const listed = JSON.parse(registry.list()).peers.map((entry: ListedPeer) => entry.peer_id);
        assert.deepEqual(listed.sort(), [...ids].sort());
        assert.equal(registry.size, ids.length);
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("list shows a new last_seen after a second, when it is asked for and nobody came", async () => {
  const clock = new FakeClock();
  const registry = new Registry(clock, systemRandom);
  const ids = Array.from({ length: 300 }, (_, index) => registry.add(peer(`peer-${index}`)));
  registry.list();
  await clock.advance(5000);
  for (const id of ids) registry.touch(id);
  const expected = Math.floor(clock.now() / 1000);
  for (const { last_seen } of JSON.parse(registry.list()).peers) assert.equal(last_seen, expected);
});
