import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  comparePeerIds,
  formatPeerId,
  isPeerId,
  parsePeerId,
  type PeerId,
  peerIdHash,
  shortId,
} from "../../lib/wire/peer_id.ts";

/** The example that Syncthing's documentation and tests use. */
const ID = "P56IOI7-MZJNU2Y-IQGDREY-DM2MGTI-MGL3BXN-PQ6W5BM-TBBZ4TJ-XZWICQ2" as PeerId;

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });

function causeOf(text: string): string {
  const parsed = parsePeerId(text);
  assert.ok(!parsed.ok, `${text} is accepted`);
  return parsed.cause;
}

Deno.test("an id is written as Syncthing writes it", () => {
  assert.equal(formatPeerId(peerIdHash(ID)), ID);
  // base32 of "all zero" is all A, and so is its check character.
  assert.equal(formatPeerId(new Uint8Array(32)), Array(8).fill("AAAAAAA").join("-"));
  const check = (text: string) => formatPeerId(hashOfBase32(text)).slice(0, 15).replace("-", "");
  assert.equal(check("WG2IWWALPC2HZ"), "WG2IWWALPC2HZH");
  assert.equal(check("KHQNO2S5QSILR"), "KHQNO2S5QSILRK");
});

/** 32 bytes that begin with these 13 characters of base32. */
function hashOfBase32(text: string): Uint8Array {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...text].map((at) => alphabet.indexOf(at).toString(2).padStart(5, "0")).join("");
  return Uint8Array.from({ length: 32 }, (_, at) => {
    return parseInt(bits.slice(8 * at, 8 * at + 8).padEnd(8, "0"), 2);
  });
}

Deno.test("an id of any hash is canonical, and gives the hash back", () => {
  fc.assert(fc.property(hash, (bytes) => {
    const id = formatPeerId(bytes);
    assert.match(id, /^([A-Z2-7]{7}-){7}[A-Z2-7]{7}$/);
    assert.ok(isPeerId(id));
    assert.deepEqual(parsePeerId(id), { ok: true, value: id });
    assert.deepEqual(peerIdHash(id), bytes);
  }));
});

Deno.test("a hash of another length makes no id", () => {
  for (const length of [0, 31, 33]) {
    assert.throws(() => formatPeerId(new Uint8Array(length)), RangeError);
  }
});

Deno.test("a typed id may have any case, grouping and digits that look like letters", () => {
  const forms = [
    ID.toLowerCase(),
    ID.replaceAll("-", ""),
    ID.replaceAll("-", " "),
    ID.replaceAll("-", " - "),
    `  ${ID}\n`,
    ID.replaceAll("-", "").match(/.{1,5}/g)!.join("-"),
    "P561017MZJNU2YIQGDREYDM2MGTIMGL3BXNPQ6W5BMT88Z4TJXZWICQ2",
    "p561017mzjnu2yiqgdreydm2mgtimgl3bxnpq6w5bmt88z4tjxzwicq2",
  ];
  for (const form of forms) assert.deepEqual(parsePeerId(form), { ok: true, value: ID }, form);
});

Deno.test("only the canonical form is an id for the wire", () => {
  assert.ok(isPeerId(ID));
  const others = [ID.toLowerCase(), ID.replaceAll("-", ""), ` ${ID}`, `${ID}\n`, `${ID}-`, "", 5];
  for (const other of [...others, null, undefined, [ID], ID.replace("P5", "P6")]) {
    assert.ok(!isPeerId(other), String(other));
  }
});

Deno.test("a mistyped id is refused with the groups that are wrong", () => {
  assert.equal(causeOf(ID.replace("P56", "P57")), "group 1 or 2 is mistyped");
  assert.equal(causeOf(ID.replace("XZWICQ2", "XZWICQ3")), "group 7 or 8 is mistyped");
  assert.equal(causeOf(ID.replace("DM2", "DM9")), "group 4 has a character that ids never have");
  assert.equal(causeOf(ID.replace("DM2", "DMß")), "group 4 has a character that ids never have");
  assert.equal(causeOf(ID.replace("DM2", "DM")), "group 4 has not 7 characters");
  assert.equal(causeOf(`${ID}A`), "group 8 has not 7 characters");
  assert.equal(causeOf(ID.slice(0, 55)), "it has not 8 groups of 7 letters and digits");
  assert.equal(causeOf(""), "it has not 8 groups of 7 letters and digits");
  assert.equal(causeOf("A".repeat(1_000_000)), "it is too long");
  // Syncthing takes ids without check characters; a mistyped one would not be noticed.
  const bare = ID.replaceAll("-", "").replace(/(.{13})./g, "$1");
  assert.equal(causeOf(bare), "it has not 8 groups of 7 letters and digits");
});

Deno.test("one wrong letter anywhere is noticed", () => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  for (let at = 0; at < ID.length; at++) {
    if (ID[at] === "-") continue;
    const group = Math.floor(at / 8) + 1;
    for (const letter of alphabet) {
      if (letter === ID[at]) continue;
      const cause = causeOf(ID.slice(0, at) + letter + ID.slice(at + 1));
      assert.match(cause, new RegExp(`\\b${group}\\b`), cause);
    }
  }
});

Deno.test("two neighbours that changed places are noticed, but for the check character", () => {
  const bare = ID.replaceAll("-", "");
  for (let at = 0; at + 1 < bare.length; at++) {
    if (bare[at] === bare[at + 1]) continue;
    const swapped = bare.slice(0, at) + bare[at + 1] + bare[at] + bare.slice(at + 2);
    // Syncthing's factors give the thirteenth character and the check character the same weight.
    // Such an id is another peer's, so it is not found rather than taken for the right one.
    if (at % 14 === 12 && at < 54) assert.ok(parsePeerId(swapped).ok);
    else assert.match(causeOf(swapped), /mistyped/);
  }
});

Deno.test("an id whose last bits are not zero is not canonical", () => {
  // 52 characters have 260 bits, four more than the hash: two texts must not be one id.
  const last = ID.slice(-2, -1);
  assert.equal(last, "Q");
  for (const letter of "BCDEFGHIJKLMNOPRSTUVWXYZ234567") {
    for (const check of "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") {
      const text = ID.slice(0, -2) + letter + check;
      assert.ok(!isPeerId(text), text);
      assert.match(causeOf(text), /8 is mistyped/);
    }
  }
});

Deno.test("no text makes the reader throw, and what it accepts is canonical", () => {
  const piece = fc.constantFrom(...ID.split("-"), "-", " ", "0", "ﬁ", "ı", "\u0000", "A");
  fc.assert(fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
    const parsed = parsePeerId(pieces.join(""));
    if (parsed.ok) assert.ok(isPeerId(parsed.value));
  }));
});

Deno.test("ids are ordered as their hashes", () => {
  fc.assert(fc.property(hash, hash, fc.nat(32), (a, other, common) => {
    const b = Uint8Array.from([...a.slice(0, common), ...other.slice(common)]);
    const order = comparePeerIds(formatPeerId(a), formatPeerId(b));
    assert.equal(Math.sign(order), Buffer.compare(a, b));
  }));
});

Deno.test("the short form is the first group", () => {
  assert.equal(shortId(ID), "P56IOI7");
});
