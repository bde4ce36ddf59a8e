import assert from "node:assert/strict";
import fc from "fast-check";
import { LimitError } from "../../lib/errors.ts";
import type { Trust } from "../../lib/identity/known_peers.ts";
import { modeOf, namesIn } from "./files_fixtures.ts";
import { ANN, BOB, Fixture, idOf } from "./known_peers_fixtures.ts";

Deno.test("the file is written at most once per second, whatever happens", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  const { clock } = fixture;
  const writes = async () => {
    await known.flush(); // waits for a write under way; nothing is left to write then
    return (await fixture.written()).length;
  };
  known.remember("ann", ANN);
  await clock.advance(0);
  assert.equal(await writes(), 1);
  for (let number = 10; number < 20; number++) known.remember(`n${number}`, idOf(number));
  assert.equal(clock.waiting, 1);
  await clock.advance(999);
  assert.equal((await fixture.written()).length, 1);
  assert.equal(clock.waiting, 1);
  await clock.advance(1);
  assert.equal(clock.waiting, 0);
  assert.equal(await writes(), 11);
  assert.equal(await modeOf(fixture.path), Deno.build.os === "windows" ? "666" : "600");
});

Deno.test("nothing is written where nothing has changed", async () => {
  await using fixture = await Fixture.make();
  {
    await using known = await fixture.open();
    assert.equal(known.assess("ann", ANN), "new");
    known.forget("ann");
    known.unblock(ANN);
    await known.flush();
  }
  await assert.rejects(Deno.stat(fixture.path), Deno.errors.NotFound);
  assert.equal(fixture.clock.waiting, 0);
});

Deno.test("disposing writes at once and leaves no timer behind", async () => {
  await using fixture = await Fixture.make();
  const known = await fixture.open();
  known.remember("ann", ANN);
  await known.flush();
  known.verify(ANN);
  await known[Symbol.asyncDispose]();
  assert.equal((await fixture.written())[0].verified, true);
  known.block(ANN);
  assert.equal(fixture.clock.waiting, 0);
});

Deno.test("a failed write is logged once, and tried again ever more seldom", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  await Deno.mkdir(`${fixture.path}/in the way`, { recursive: true });
  known.remember("ann", ANN);
  await known.flush();
  assert.equal(fixture.errors.length, 1);
  assert.match(fixture.errors[0], /^Cannot write the known peers to .*peers\.json: /);
  for (const waitMs of [2000, 4000, 8000]) {
    await fixture.clock.advance(waitMs - 1);
    assert.equal(fixture.clock.waiting, 1);
    await fixture.clock.advance(1);
    await known.flush();
  }
  assert.equal(fixture.errors.length, 1);
  await Deno.remove(fixture.path, { recursive: true });
  assert.equal(fixture.clock.waiting, 1);
  await fixture.clock.advance(60_000);
  await known.flush();
  assert.equal((await fixture.written()).length, 1);
});

Deno.test("a damaged file is an error that names the remedy, and stays as it is", async () => {
  await using fixture = await Fixture.make();
  const peer = {
    id: ANN,
    nickname: "ann",
    firstSeen: 1,
    lastSeen: 2,
    verified: false,
    blocked: false,
  };
  const file = (...peers: unknown[]) => JSON.stringify({ format: 1, peers });
  await Deno.writeTextFile(fixture.path, file(peer, { ...peer, id: BOB, nickname: undefined }));
  const opened = await fixture.open();
  assert.ok(opened.byId(ANN) && opened.byId(BOB));
  const cases: [text: string, cause: RegExp][] = [
    ["", /not JSON/],
    [file(peer).slice(0, -1), /not JSON/],
    ["[]", /not a list of known peers/],
    ["null", /not a list/],
    ['{"format":1}', /not a list/],
    ['{"format":"1","peers":[]}', /not a list/],
    ['{"format":2,"peers":[]}', /format 2, and this program knows 1/],
    [file(null), /peer 1 is broken/],
    [file(peer, []), /peer 2 is broken/],
    [file({ ...peer, id: ANN.toLowerCase() }), /peer 1 is broken/],
    [file({ ...peer, nickname: "" }), /peer 1 is broken/],
    [file({ ...peer, nickname: null }), /peer 1 is broken/],
    [file({ ...peer, firstSeen: -1 }), /peer 1 is broken/],
    [file({ ...peer, lastSeen: 1.5 }), /peer 1 is broken/],
    [file({ ...peer, verified: 1 }), /peer 1 is broken/],
    [file({ ...peer, blocked: undefined }), /peer 1 is broken/],
    [file(peer, { ...peer, nickname: "other" }), /peer 2 has the id/],
    [file(peer, { ...peer, id: BOB }), /peer 2 has the id or the nickname/],
    [JSON.stringify({ format: 1, peers: Array(10_001).fill(0) }), /more than 10000 peers/],
    [" ".repeat(5 * 2 ** 20), /more than 4194304 bytes/],
  ];
  for (const [text, cause] of cases) {
    await Deno.writeTextFile(fixture.path, text);
    const error = await fixture.open().then(() => undefined, (error) => error);
    assert.ok(error instanceof Error, text.slice(0, 100));
    assert.match(error.message, cause);
    assert.match(error.message, /^Cannot read .*peers\.json: .*away/);
    assert.equal(await Deno.readTextFile(fixture.path), text);
  }
});

Deno.test("the largest possible file can be written and read again", async () => {
  await using fixture = await Fixture.make();
  {
    await using known = await fixture.open();
    const suffix = '"\\'.repeat(14); // what JSON escapes takes most room
    for (let number = 0; number < 10_000; number++) {
      known.remember(`${number.toString(36).padStart(4, "0")}${suffix}`.slice(0, 32), idOf(number));
    }
    assert.equal((await fixture.all(known)).length, 10_000);
    known.remember("one more", idOf(10_000));
    assert.equal((await fixture.all(known)).length, 10_000);
  }
  assert.ok((await Deno.stat(fixture.path)).size < 4 * 2 ** 20);
  assert.ok((await fixture.open()).byId(idOf(9998)));
  assert.deepEqual(await namesIn(fixture.path.replace(/\/[^/]*$/, "")), ["peers.json"]);
});

Deno.test("whatever happens, nicknames stand for one id each, and the file says the same", async () => {
  await using fixture = await Fixture.make();
  const nickname = fc.constantFrom("a", "b", "c", "d");
  const number = fc.nat(5);
  const step = fc.tuple(
    fc.constantFrom("remember", "accept", "verify", "block", "unblock", "forget", "lose"),
    nickname,
    number,
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      await Deno.remove(fixture.path).catch(() => {});
      await using known = await fixture.open(4);
      for (const [operation, name, number] of steps) {
        const id = idOf(number);
        const before: Trust = known.assess(name, id);
        const holder = known.byNickname(name)?.id;
        await fixture.clock.advance(1000);
        try {
          if (operation === "remember") {
            assert.equal(known.remember(name, id).trust, before);
            // Only the user moves a nickname from one id to another.
            if (before === "changed") assert.equal(known.byNickname(name)?.id, holder);
          } else if (operation === "accept") {
            known.accept(name, id);
            assert.equal(known.byNickname(name)?.id, id);
          } else if (operation === "lose") known.forget(name);
          else known[operation as "verify"](id);
        } catch (error) {
          assert.ok(error instanceof LimitError, String(error));
        }
        if (before === "blocked" && operation !== "unblock" && operation !== "forget") {
          assert.ok(known.byId(id)?.blocked || operation === "lose");
        }
        const all = await fixture.all(known);
        assert.ok(all.length <= 4);
        for (const peer of all) {
          if (peer.nickname !== undefined) assert.deepEqual(known.byNickname(peer.nickname), peer);
          assert.deepEqual(known.byId(peer.id), peer);
        }
        for (const name of ["a", "b", "c", "d"]) {
          const holder = known.byNickname(name);
          if (holder !== undefined) assert.equal(holder.nickname, name);
        }
      }
      const all = await fixture.all(known);
      const again = await fixture.open();
      for (let number = 0; number <= 5; number++) {
        assert.deepEqual(again.byId(idOf(number)), known.byId(idOf(number)));
      }
      for (const { nickname } of all) {
        assert.deepEqual(again.byNickname(nickname ?? ""), known.byNickname(nickname ?? ""));
      }
    }),
    { numRuns: 50 },
  );
});
