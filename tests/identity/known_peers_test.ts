import assert from "node:assert/strict";
import { ANN, BOB, EVE, Fixture } from "./known_peers_fixtures.ts";

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
  assert.equal(known.byNickname("Ann"), undefined);
  assert.equal((await fixture.all(known)).length, 1);
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

Deno.test("an id is verified, met or not, and only who is known can be unblocked", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  assert.equal(known.unblock(ANN), false);
  assert.equal((await fixture.all(known)).length, 0);
  known.remember("bob", BOB);
  known.verify(ANN);
  assert.equal(known.byId(ANN)?.nickname, undefined);
  assert.equal(known.assess("ann", ANN), "verified");
  assert.equal(
    known.assess("bob", ANN),
    "changed",
    "another's nickname is no more its than before",
  );
  known.remember("ann", ANN);
  assert.equal(known.byNickname("ann")?.id, ANN);
});

Deno.test("one's own nickname is bound to nobody, whoever uses it", async () => {
  await using fixture = await Fixture.make();
  await using known = await fixture.open();
  assert.deepEqual(known.remember("me", ANN, true), { trust: "new" });
  assert.equal(known.byNickname("me"), undefined);
  assert.deepEqual(known.remember("me", ANN, true), { trust: "known" });
  assert.deepEqual(known.remember("me", BOB, true), { trust: "new" });
  assert.deepEqual(known.remember("ann", ANN), { trust: "known" });
  assert.deepEqual(known.remember("me", ANN, true), { trust: "new", formerNickname: "ann" });
  assert.equal(known.byId(ANN)?.nickname, "ann");
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
  assert.equal((await fixture.all(known)).length, 0);
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
