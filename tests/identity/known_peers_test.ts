import assert from "node:assert/strict";
import fc from "fast-check";
import { silentLog } from "../../lib/base/log.ts";
import { LimitError } from "../../lib/errors.ts";
import { KnownPeers, type Trust } from "../../lib/identity/known_peers.ts";
import { formatPeerId, type PeerId } from "../../lib/wire/peer_id.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { modeOf, namesIn, TemporaryDirectory } from "./files_fixtures.ts";

const DAY_MS = 24 * 3600 * 1000;

/** A different id for each number. */
function idOf(number: number): PeerId {
  const hash = new Uint8Array(32);
  new DataView(hash.buffer).setUint32(0, number);
  return formatPeerId(hash);
}
const [ANN, BOB, EVE] = [idOf(1), idOf(2), idOf(3)];

/** Known peers on a disk of their own and with a clock that the test moves. */
class Fixture implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly errors: string[] = [];
  readonly warnings: string[] = [];

  private constructor(private readonly directory: TemporaryDirectory) {}

  static async make(): Promise<Fixture> {
    return new Fixture(await TemporaryDirectory.make());
  }

  get path(): string {
    return `${this.directory.path}/peers.json`;
  }

  open(limit?: number): Promise<KnownPeers> {
    const { clock, directory: { path: directory } } = this;
    const log = {
      ...silentLog,
      error: (message: string) => void this.errors.push(message),
      warn: (message: string) => void this.warnings.push(message),
    };
    return KnownPeers.open({ directory, clock, log, limit });
  }

  // deno-lint-ignore no-explicit-any
  async written(): Promise<any> {
    return JSON.parse(await Deno.readTextFile(this.path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.directory[Symbol.asyncDispose]();
  }
}

Deno.test("the first contact is new, the next one known, and both are remembered", async () => {
  await using fixture = await Fixture.make();
  {
    await using known = await fixture.open();
    assert.equal(known.assess("ann", ANN), "new");
    assert.deepEqual(known.remember("ann", ANN), { trust: "new" });
    assert.equal(known.assess("ann", ANN), "known");
    await fixture.clock.advance(90_000);
    assert.deepEqual(known.remember("ann", ANN), { trust: "known" });
  }
  await using known = await fixture.open();
  assert.deepEqual(known.byId(ANN), {
    id: ANN,
    nickname: "ann",
    firstSeen: 1_700_000_000,
    lastSeen: 1_700_000_090,
    verified: false,
    blocked: false,
  });
  assert.deepEqual(known.byNickname("ann"), known.byId(ANN));
  assert.deepEqual(known.idsOf("ann"), [ANN]);
  assert.deepEqual(known.idsOf("Ann"), []);
  assert.equal(known.size, 1);
});

Deno.test("a known nickname with another id is changed, and stays so until it is accepted", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  known.remember("bob", BOB);
  for (let attempt = 0; attempt < 3; attempt++) {
    assert.deepEqual(known.remember("bob", EVE), { trust: "changed" });
  }
  assert.equal(known.byId(EVE), undefined);
  assert.equal(known.byNickname("bob")?.id, BOB);
  assert.equal(known.assess("bob", BOB), "known");

  known.verify(BOB);
  known.accept("bob", EVE);
  assert.equal(known.assess("bob", EVE), "known");
  assert.equal(known.assess("bob", BOB), "changed");
  assert.equal(known.byId(BOB)?.nickname, undefined);
  assert.equal(known.byId(BOB)?.verified, true);
  assert.equal(known.byId(EVE)?.verified, false);
  // Whoever lost the nickname comes back under another, still verified.
  assert.deepEqual(known.remember("robert", BOB), { trust: "verified" });
  assert.equal(known.byNickname("robert")?.id, BOB);
});

Deno.test("a known peer takes a known nickname of somebody else as little as a stranger does", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  known.remember("bob", BOB);
  known.remember("eve", EVE);
  known.verify(EVE);
  assert.deepEqual(known.remember("bob", EVE), { trust: "changed" });
  assert.equal(known.byId(EVE)?.nickname, "eve");
  known.accept("bob", EVE);
  assert.equal(known.byNickname("eve"), undefined);
  assert.equal(known.byId(EVE)?.nickname, "bob");
});

Deno.test("a peer under a new nickname keeps the one that it is known by, until the user says so", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  known.remember("ann", ANN);
  known.verify(ANN);
  await fixture.clock.advance(5000);
  // An announce can join anybody's id to any free nickname.
  assert.equal(known.assess("anna", ANN), "new");
  assert.deepEqual(known.remember("anna", ANN), { trust: "new", formerNickname: "ann" });
  assert.equal(known.byNickname("ann")?.id, ANN);
  assert.equal(known.assess("ann", EVE), "changed");
  known.accept("anna", ANN);
  assert.equal(known.assess("anna", ANN), "verified");
  assert.equal(known.byNickname("ann"), undefined);
  assert.equal(known.byId(ANN)?.firstSeen, 1_700_000_000);
  assert.equal(known.byId(ANN)?.lastSeen, 1_700_000_005);
});

Deno.test("who is blocked stays blocked under any nickname, and occupies none", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  known.remember("eve", EVE);
  known.block(EVE);
  for (const nickname of ["eve", "bob"]) {
    assert.equal(known.assess(nickname, EVE), "blocked");
    assert.deepEqual(known.remember(nickname, EVE), { trust: "blocked" });
  }
  assert.equal(known.byNickname("bob"), undefined);
  assert.equal(known.assess("eve", BOB), "changed");
  assert.equal(known.unblock(EVE), true);
  assert.equal(known.assess("eve", EVE), "known");
  known.block(BOB); // never met
  assert.equal(known.assess("bob", BOB), "blocked");
  assert.equal(known.byId(BOB)?.nickname, undefined);
});

Deno.test("only somebody who is known can be verified or unblocked", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  assert.equal(known.verify(ANN), false);
  assert.equal(known.unblock(ANN), false);
  assert.equal(known.size, 0);
  known.remember("ann", ANN);
  assert.equal(known.verify(ANN), true);
  assert.equal(known.assess("ann", ANN), "verified");
});

Deno.test("who is forgotten, by nickname or by id, is new again", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  known.remember("ann", ANN);
  known.remember("bob", BOB);
  known.block(BOB);
  assert.equal(known.forget("ann")?.id, ANN);
  assert.equal(known.forget(BOB)?.nickname, "bob");
  assert.equal(known.forget("ann"), undefined);
  assert.equal(known.assess("ann", BOB), "new");
  assert.equal(known.size, 0);
});

Deno.test("what is no nickname is not remembered", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  for (const nickname of ["", "a\nb", "x".repeat(33)]) {
    assert.throws(() => known.remember(nickname, ANN), { name: "InvalidInputError" });
    assert.throws(() => known.accept(nickname, ANN), { name: "InvalidInputError" });
  }
  known.remember("__proto__", ANN);
  assert.equal(known.byNickname("__proto__")?.id, ANN);
  assert.equal(known.byNickname("constructor"), undefined);
});

Deno.test("the file is written at most once per second, whatever happens", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  const { clock } = fixture;
  const writes = async () => {
    await known.flush(); // waits for a write under way; nothing is left to write then
    const { peers } = await fixture.written();
    return peers.length;
  };
  known.remember("ann", ANN);
  await clock.advance(0);
  assert.equal(await writes(), 1);
  for (let number = 10; number < 20; number++) known.remember(`n${number}`, idOf(number));
  assert.equal(clock.waiting, 1);
  await clock.advance(999);
  assert.equal((await fixture.written()).peers.length, 1);
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
    known.verify(ANN);
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
  assert.equal((await fixture.written()).peers[0].verified, true);
  known.block(ANN);
  assert.equal(fixture.clock.waiting, 0);
});

Deno.test("a failed write is logged and tried again", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  await Deno.mkdir(`${fixture.path}/in the way`, { recursive: true });
  known.remember("ann", ANN);
  await known.flush();
  assert.equal(fixture.errors.length, 1);
  assert.match(fixture.errors[0], /^Cannot write the known peers to .*peers\.json: /);
  await Deno.remove(fixture.path, { recursive: true });
  assert.equal(fixture.clock.waiting, 1);
  await fixture.clock.advance(1000);
  await known.flush();
  assert.equal((await fixture.written()).peers.length, 1);
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
  assert.equal((await fixture.open()).size, 2);
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

Deno.test("who was not seen for the longest time makes room, never who is verified or blocked", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open(4);
  for (const number of [1, 2, 3, 4]) {
    known.remember(`n${number}`, idOf(number));
    await fixture.clock.advance(1000);
  }
  known.verify(idOf(1));
  known.block(idOf(2));
  known.remember("n3", idOf(3)); // seen again, so 4 is the oldest
  known.remember("n5", idOf(5));
  assert.deepEqual(known.all().map(({ nickname }) => nickname).sort(), ["n1", "n2", "n3", "n5"]);
  assert.equal(known.byNickname("n4"), undefined);
  known.verify(idOf(3));
  known.verify(idOf(5));
  assert.deepEqual(known.remember("n6", idOf(6)), { trust: "new" });
  assert.equal(known.byId(idOf(6)), undefined);
  assert.equal(fixture.warnings.length, 1);
  assert.throws(() => known.accept("n6", idOf(6)), LimitError);
  assert.throws(() => known.block(idOf(6)), LimitError);
  known.accept("n1", idOf(3)); // needs no room
  assert.equal(known.size, 4);
});

Deno.test("a flood of strangers drives out itself, and nobody who was met on different days", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open(20);
  for (let number = 1; number <= 5; number++) known.remember(`friend${number}`, idOf(number));
  await fixture.clock.advance(2 * DAY_MS);
  for (let number = 1; number <= 5; number++) known.remember(`friend${number}`, idOf(number));
  await fixture.clock.advance(30 * DAY_MS);
  for (let number = 100; number < 1000; number++) {
    known.remember(`flood${number}`, idOf(number));
    await fixture.clock.advance(1000);
  }
  for (let number = 1; number <= 5; number++) {
    assert.equal(known.assess(`friend${number}`, idOf(number)), "known");
    assert.equal(known.assess(`friend${number}`, EVE), number === 3 ? "known" : "changed");
  }
  assert.equal(known.size, 20);
});

Deno.test("a flood of strangers does not drive out who was met a moment before it", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open(20);
  for (let number = 1; number <= 5; number++) known.remember(`friend${number}`, idOf(number));
  for (let number = 100; number < 1000; number++) {
    await fixture.clock.advance(1000);
    known.remember(`flood${number}`, idOf(number));
  }
  for (let number = 1; number <= 5; number++) {
    assert.equal(known.assess(`friend${number}`, idOf(number)), "known");
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
    assert.equal(known.size, 10_000);
    known.remember("one more", idOf(10_000));
    assert.equal(known.size, 10_000);
  }
  assert.ok((await Deno.stat(fixture.path)).size < 4 * 2 ** 20);
  assert.equal((await fixture.open()).size, 10_000);
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
        assert.ok(known.size <= 4);
        for (const peer of known.all()) {
          if (peer.nickname !== undefined) assert.equal(known.byNickname(peer.nickname), peer);
          assert.equal(known.byId(peer.id), peer);
        }
        for (const name of ["a", "b", "c", "d"]) {
          const holder = known.byNickname(name);
          if (holder !== undefined) assert.equal(holder.nickname, name);
        }
      }
      await known.flush();
      const again = await fixture.open();
      assert.deepEqual(again.all(), known.all());
    }),
    { numRuns: 50 },
  );
});
