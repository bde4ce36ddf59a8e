import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import fc from "fast-check";
import { systemRandom } from "../../lib/base/random.ts";
import { makeCertificate } from "../../lib/identity/certificate_maker.ts";
import {
  certificateProblem,
  MAX_CERTIFICATE_BYTES,
  peerIdOfCertificate,
  readCertificate,
} from "../../lib/wire/certificate.ts";
import { peerIdHash } from "../../lib/wire/peer_id.ts";

const ED25519 = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
const KEY = new Uint8Array(32).fill(7);
const VERSION_3 = [0xa0, 3, 2, 1, 2];
const SERIAL = [2, 2, 1, 1];
const NAME = tlv(0x30, tlv(0x31, tlv(0x30, [6, 3, 0x55, 4, 3], tlv(0x0c, [0x62, 0x6f, 0x62]))));
const VALIDITY = tlv(0x30, time(0x17, "000101000000Z"), time(0x18, "99991231235959Z"));
const SPKI = tlv(0x30, ED25519, tlv(3, [0], KEY));
const SIGNATURE = tlv(3, [0], new Uint8Array(64).fill(9));
const EXTENSIONS = tlv(0xa3, tlv(0x30, tlv(0x30, [6, 3, 0x55, 0x1d, 0x13], tlv(4, [0x30, 0]))));

function time(tag: number, text: string): number[] {
  return tlv(tag, new TextEncoder().encode(text));
}

function length(value: number): number[] {
  if (value < 0x80) return [value];
  return value < 0x100 ? [0x81, value] : [0x82, value >> 8, value & 255];
}

function tlv(tag: number, ...parts: Iterable<number>[]): number[] {
  const content = parts.flatMap((part) => [...part]);
  return [tag, ...length(content.length), ...content];
}

/** A certificate put together from its parts, any of which a test may replace. */
function certificate(parts: {
  version?: number[];
  serial?: number[];
  innerAlgorithm?: number[];
  issuer?: number[];
  validity?: number[];
  spki?: number[];
  extensions?: number[];
  afterTbs?: number[];
  outerAlgorithm?: number[];
  signature?: number[];
  afterSignature?: number[];
} = {}): Uint8Array {
  const tbs = tlv(
    0x30,
    parts.version ?? VERSION_3,
    parts.serial ?? SERIAL,
    parts.innerAlgorithm ?? ED25519,
    parts.issuer ?? NAME,
    parts.validity ?? VALIDITY,
    NAME,
    parts.spki ?? SPKI,
    parts.extensions ?? [],
    parts.afterTbs ?? [],
  );
  return Uint8Array.from(tlv(
    0x30,
    tbs,
    parts.outerAlgorithm ?? ED25519,
    parts.signature ?? SIGNATURE,
    parts.afterSignature ?? [],
  ));
}

function refusedFor(parts: Parameters<typeof certificate>[0], cause: RegExp): void {
  assert.match(certificateProblem(certificate(parts)) ?? "accepted", cause, JSON.stringify(parts));
}

Deno.test("a version 3 certificate is accepted", () => {
  assert.equal(certificateProblem(certificate()), undefined);
  const read = readCertificate(certificate());
  assert.ok(read.ok);
  assert.deepEqual(read.value.publicKey, KEY);
  assert.deepEqual(read.value.signature, new Uint8Array(64).fill(9));
  assert.equal(read.value.signed[0], 0x30);
});

Deno.test("a version 1 certificate around somebody's key is refused", () => {
  refusedFor({ version: [] }, /X\.509 version 1/);
  refusedFor({ version: [], extensions: EXTENSIONS }, /X\.509 version 1/);
  const numbers = [[0xa0, 3, 2, 1, 0], [0xa0, 3, 2, 1, 1], [0xa0, 3, 2, 1, 3], [
    0xa0,
    3,
    2,
    1,
    0xff,
  ]];
  for (const version of numbers) refusedFor({ version }, /version other than X\.509 version 3/);
});

Deno.test("a version that is not encoded as DER has it is refused", () => {
  const broken = [
    [0xa0, 4, 2, 2, 0, 2], // two bytes for the number
    [0xa0, 4, 2, 0x81, 1, 2], // a long form for its length
    [0xa0, 0x81, 3, 2, 1, 2], // and for the field's
    [0xa0, 0x82, 0, 3, 2, 1, 2],
    [0xa0, 0x80, 2, 1, 2, 0, 0], // an indefinite length
    [0xa0, 6, 2, 1, 2, 2, 1, 2], // two numbers
    [0xa0, 5, 2, 1, 2, 5, 0],
    [0xa0, 0],
    [0xa0, 2, 2, 0],
    [0xa0, 3, 0x0a, 1, 2], // an ENUMERATED
    [0x80, 1, 2], // primitive, with an implicit tag
    [0x80, 3, 2, 1, 2],
    [0xa1, 3, 2, 1, 2],
    [0xbf, 0, 3, 2, 1, 2], // tag 0 in the form for large numbers
    [0xa0, 0x84, 0, 0, 0, 3, 2, 1, 2],
    [...VERSION_3, ...VERSION_3],
    [5, 0],
  ];
  for (const version of broken) refusedFor({ version }, /version|serial number/);
});

Deno.test("data after the certificate, or within it where none belongs, is refused", () => {
  const good = certificate();
  assert.match(certificateProblem(Uint8Array.of(...good, 0))!, /data after the certificate/);
  assert.match(certificateProblem(Uint8Array.of(...good, ...good))!, /data after the certificate/);
  refusedFor({ afterSignature: [5, 0] }, /data after the certificate's signature/);
  refusedFor({ afterTbs: [5, 0] }, /unknown field/);
  refusedFor({ extensions: tlv(0x81, [0, 1, 2]) }, /unknown field/); // issuerUniqueID
  refusedFor({ validity: tlv(0x30, VALIDITY.slice(2), [5, 0]) }, /validity is not/);
});

Deno.test("another algorithm than Ed25519 is refused in each of the three places", () => {
  const ed448 = [0x30, 5, 6, 3, 0x2b, 0x65, 0x71];
  const withNull = [0x30, 7, 6, 3, 0x2b, 0x65, 0x70, 5, 0];
  const rsa = tlv(0x30, [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b], [5, 0]);
  for (const algorithm of [ed448, withNull, rsa]) {
    refusedFor({ innerAlgorithm: algorithm }, /algorithm is not Ed25519/);
    refusedFor({ outerAlgorithm: algorithm }, /algorithm is not Ed25519/);
    refusedFor({ spki: tlv(0x30, algorithm, tlv(3, [0], KEY)) }, /key is not Ed25519/);
  }
});

Deno.test("a key or signature of another size is refused", () => {
  for (const size of [0, 31, 33, 57]) {
    refusedFor({ spki: tlv(0x30, ED25519, tlv(3, [0], new Uint8Array(size))) }, /key is not/);
  }
  for (const size of [0, 63, 65, 114]) {
    refusedFor({ signature: tlv(3, [0], new Uint8Array(size)) }, /signature is not/);
  }
  refusedFor({ signature: tlv(3, [1], new Uint8Array(64)) }, /signature is not/);
  refusedFor({ spki: tlv(0x30, ED25519, tlv(3, [4], KEY)) }, /key is not/);
});

Deno.test("a serial number that is negative, 0, padded or too long is refused", () => {
  const broken = [[2, 0], [2, 1, 0], [2, 1, 0x80], [2, 2, 0xff, 0xff], [2, 2, 0, 0x7f]];
  for (const serial of [...broken, tlv(2, new Uint8Array(21).fill(1))]) {
    refusedFor({ serial }, /serial number/);
  }
  refusedFor({ serial: [0x22, 3, 2, 1, 1] }, /no serial number where/);
  for (const serial of [[2, 1, 1], [2, 2, 0, 0x80], tlv(2, new Uint8Array(20).fill(1))]) {
    assert.equal(certificateProblem(certificate({ serial })), undefined);
  }
});

const OID = [6, 3, 0x55, 4, 3];

Deno.test("names that are not lists of sets of texts are refused", () => {
  const named = (...parts: number[][]) => tlv(0x30, tlv(0x31, tlv(0x30, ...parts)));
  const broken: number[][] = [
    [0x30, 0x80, 0, 0],
    [0x30, 0x81, 0],
    [0x30, 5, 0],
    tlv(0x30, [0, 0]),
    tlv(0x30, [0x11, 0]), // a primitive SET
    tlv(0x30, tlv(0x30, tlv(0x30, OID, [0x0c, 0]))), // no SET
    tlv(0x30, tlv(0x31)), // an empty one
    tlv(0x31, []),
    named(),
    named(OID),
    named(OID, [0x0c, 5, 1]), // a length that leads out of the name
    named(OID, [0x0c, 0], [5, 0]),
    named(OID, tlv(0x2c, [0x0c, 0])), // a text in parts
    named(OID, tlv(0x30, [0x0c, 0])),
    named(OID, [0x1f, 0x81, 0]),
    named([0x0c, 0], OID),
  ];
  for (const issuer of broken) refusedFor({ issuer }, /DER|where it belongs|early|name/);
  const fine = [[0x30, 0], named(OID, [0x13, 1, 0x41]), tlv(0x30, NAME.slice(2), NAME.slice(2))];
  for (const issuer of fine) assert.equal(certificateProblem(certificate({ issuer })), undefined);
});

Deno.test("a certificate with extensions is refused, well-formed or not", () => {
  const extended = (...parts: number[][]) => tlv(0xa3, tlv(0x30, tlv(0x30, ...parts)));
  const lists = [
    EXTENSIONS,
    extended(OID, [4, 0]),
    extended(OID, [1, 1, 0xff], [4, 1, 0]),
    extended(),
    extended([4, 0]),
    extended(OID, [1, 1, 0], [4, 0]),
    [0xa3, 0],
    [0xa3, 0x80, ...extended(OID, [4, 0]).slice(2), 0, 0],
  ];
  for (const extensions of lists) refusedFor({ extensions }, /certificate has extensions/);
});

Deno.test("a large certificate is refused for its size, an oversized length for its end", () => {
  const large = new Uint8Array(MAX_CERTIFICATE_BYTES + 1);
  assert.match(certificateProblem(large)!, /above 4096 bytes/);
  const fits = certificate({
    issuer: tlv(0x30, tlv(0x31, tlv(0x30, OID, tlv(12, new Uint8Array(3800))))),
  });
  assert.ok(fits.length > 3900 && fits.length <= MAX_CERTIFICATE_BYTES);
  assert.equal(certificateProblem(fits), undefined);
  assert.match(certificateProblem(Uint8Array.of(0x30, 0x82, 0xff, 0xff))!, /too early/);
  for (const head of [[0x84, 0xff, 0xff, 0xff, 0xff], [0x83, 0, 1, 0], [0xff], [0x82, 0, 0x90]]) {
    assert.match(certificateProblem(Uint8Array.of(0x30, ...head))!, /not DER|too early/);
  }
});

Deno.test("a length in a longer form than needed is refused", () => {
  const good = certificate();
  assert.deepEqual([...good.slice(0, 2)], [0x30, 0x81]); // a length of one byte after the form
  const [, , size, ...rest] = good;
  for (const form of [[0x82, 0, size], [0x83, 0, 0, size], [0x84, 0, 0, 0, size], [0x80]]) {
    assert.match(certificateProblem(Uint8Array.of(0x30, ...form, ...rest))!, /not DER/);
  }
});

Deno.test("a validity other than the one of all identities is refused", () => {
  const [from, to] = [time(0x17, "000101000000Z"), time(0x18, "99991231235959Z")];
  const broken = [
    tlv(0x30),
    tlv(0x30, from),
    tlv(0x30, from, [0x17, 0]),
    tlv(0x30, from, time(0x17, "0001010000Z")), // without seconds
    tlv(0x30, from, time(0x18, "99991231235959+0000")),
    tlv(0x30, from, time(0x18, "99991231235959.5Z")),
    tlv(0x30, from, time(0x17, "99991231235959Z")),
    tlv(0x30, from, time(0x0c, "99991231235959Z")),
    tlv(0x31, from, to),
    tlv(0x30, time(0x17, "000101000001Z"), to),
    tlv(0x30, time(0x17, "009999999999Z"), to),
    tlv(0x30, from, time(0x18, "20010101000000Z")),
    tlv(0x30, time(0x18, "20000101000000Z"), to),
  ];
  for (const validity of broken) refusedFor({ validity }, /validity/);
});

Deno.test("every beginning of a certificate is refused", () => {
  const good = certificate({ extensions: EXTENSIONS });
  for (let end = 0; end < good.length; end++) {
    assert.notEqual(certificateProblem(good.slice(0, end)), undefined, String(end));
  }
});

Deno.test("a flipped bit anywhere but in values is refused", () => {
  const good = certificate();
  // Where values stand, from the end of a part; NAME has an OID and its text, bob.
  const values: [part: number[], from: number, to: number][] = [
    [SERIAL, 2, SERIAL.length],
    [NAME, 8, 11],
    [NAME, NAME.length - 3, NAME.length],
    [SPKI, SPKI.length - 32, SPKI.length],
    [SIGNATURE, SIGNATURE.length - 64, SIGNATURE.length],
  ];
  const free = new Set<number>();
  for (const [part, from, to] of values) {
    for (let start = indexOf(good, part, 0); start >= 0; start = indexOf(good, part, start + 1)) {
      for (let at = start + from; at < start + to; at++) free.add(at);
    }
  }
  // The types of text differ in a bit or two.
  const textTags = new Set([0x0c, 0x13, 0x14, 0x16, 0x1c, 0x1e]);
  let fixed = 0;
  for (let at = 0; at < good.length; at++) {
    if (free.has(at)) continue;
    fixed++;
    for (let bit = 0; bit < 8; bit++) {
      const mutated = good.slice();
      mutated[at] ^= 1 << bit;
      if (good[at] === 0x0c && textTags.has(mutated[at])) continue;
      assert.notEqual(certificateProblem(mutated), undefined, `byte ${at}, bit ${bit}`);
    }
  }
  assert.ok(fixed > 60, String(fixed));
});

function indexOf(bytes: Uint8Array, part: number[], from: number): number {
  for (let at = from; at + part.length <= bytes.length; at++) {
    if (part.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}

Deno.test("a mutated certificate is refused or stands for another id, and is version 3", async () => {
  const { certificateDer } = await makeCertificate(systemRandom);
  const id = await peerIdOfCertificate(certificateDer);
  const good = [...certificateDer];
  const version = indexOf(certificateDer, VERSION_3, 0);
  const splice = fc.record({
    at: fc.nat(good.length),
    remove: fc.nat(3),
    insert: fc.uint8Array({ maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(splice, { minLength: 1, maxLength: 2 }), async (splices) => {
      const bytes = [...good];
      for (const { at, remove, insert } of splices) bytes.splice(at, remove, ...insert);
      if (bytes.length === good.length && bytes.every((byte, at) => byte === good[at])) return;
      const mutated = Uint8Array.from(bytes);
      if (certificateProblem(mutated) !== undefined) return;
      assert.notEqual(await peerIdOfCertificate(mutated), id);
      assert.equal(indexOf(mutated, VERSION_3, 0), version);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("random bytes never make the reader throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    assert.notEqual(certificateProblem(bytes), undefined);
  }));
});

Deno.test("the id of a certificate is the SHA-256 of all of its bytes", async () => {
  const der = certificate();
  const expected = createHash("sha256").update(der).digest("hex");
  assert.equal(peerIdHash(await peerIdOfCertificate(der)).toHex(), expected);
});

Deno.test("a view into a larger buffer is read by itself", async () => {
  const good = certificate();
  const larger = new Uint8Array(good.length + 20).fill(0x30);
  larger.set(good, 10);
  const view = larger.subarray(10, 10 + good.length);
  assert.equal(certificateProblem(view), undefined);
  assert.equal(await peerIdOfCertificate(view), await peerIdOfCertificate(good));
});

Deno.test("certificates that Parlance makes are accepted, and read alike elsewhere", async () => {
  const { certificateDer, certificatePem } = await makeCertificate(systemRandom);
  assert.equal(certificateProblem(certificateDer), undefined);
  const other = new X509Certificate(certificatePem);
  const hash = peerIdHash(await peerIdOfCertificate(certificateDer)).toHex();
  assert.equal(other.fingerprint256.replaceAll(":", "").toLowerCase(), hash);
  assert.equal(other.subject, "CN=parlance");
});
