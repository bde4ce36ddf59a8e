import assert from "node:assert/strict";
import { systemRandom } from "../../lib/base/random.ts";
import { decryptIdentity, encryptIdentity } from "../../lib/identity/backup.ts";
import { makeCertificate } from "../../lib/identity/certificate_maker.ts";
import { type Identity, makeIdentity } from "../../lib/identity/identity.ts";
import { decodePem, encodePem } from "../../lib/identity/pem.ts";

const LABEL = "PARLANCE IDENTITY BACKUP";
const PASSPHRASE = "correct horse battery";

async function newIdentity() {
  const { keyPem, certificatePem } = await makeCertificate(systemRandom);
  return await makeIdentity(keyPem, certificatePem);
}

/** An identity and its backup, made once: deriving a key costs half a second on purpose. */
const example = (() => {
  let made: Promise<{ identity: Identity; text: string }> | undefined;
  return () => made ??= make();
  async function make() {
    const identity = await newIdentity();
    return { identity, text: await encryptIdentity(identity, PASSPHRASE, systemRandom) };
  }
})();

async function changed(text: string, change: (bytes: Uint8Array) => void, mend = false) {
  const bytes = decodePem(LABEL, text)!;
  change(bytes);
  if (mend) {
    const hash = await crypto.subtle.digest("SHA-256", bytes.subarray(0, -8));
    bytes.set(new Uint8Array(hash).subarray(0, 8), bytes.length - 8);
  }
  return encodePem(LABEL, bytes);
}

Deno.test("a backup gives the identity back to who has the passphrase, and to nobody else", async () => {
  const { identity, text } = await example();
  assert.deepEqual(await decryptIdentity(text, PASSPHRASE), identity);
  assert.deepEqual(
    await decryptIdentity(`\r\n${text.replaceAll("\n", "\r\n")}`, PASSPHRASE),
    identity,
  );
  const wrong = { name: "InvalidInputError", message: /the passphrase is wrong; try again/ };
  await assert.rejects(decryptIdentity(text, "correct horse batterx"), wrong);
  await assert.rejects(decryptIdentity(text, ""), wrong);
});

Deno.test("a passphrase may be typed on a machine that composes letters in another way", async () => {
  const identity = await newIdentity();
  const text = await encryptIdentity(identity, "pass phrase e\u0301", systemRandom);
  assert.deepEqual(await decryptIdentity(text, "pass phrase \u00e9"), identity);
});

Deno.test("a backup shows nothing of the identity, and no two are alike", async () => {
  const { identity, text: one } = await example();
  const other = await encryptIdentity(identity, PASSPHRASE, systemRandom);
  const [a, b] = [one, other].map((text) => decodePem(LABEL, text)!);
  assert.notDeepEqual(a.subarray(1, 29), b.subarray(1, 29));
  assert.notDeepEqual(a.subarray(29), b.subarray(29));
  const key = decodePem("PRIVATE KEY", identity.keyPem)!;
  for (const bytes of [a, b]) {
    const text = new TextDecoder("latin1").decode(bytes);
    assert.ok(!text.includes("PRIVATE KEY") && !text.includes("parlance"));
    assert.ok(!bytes.toHex().includes(key.subarray(-32).toHex()));
  }
});

Deno.test("a damaged backup is told apart from a wrong passphrase", async () => {
  const { text } = await example();
  const damaged = { name: "IdentityError", message: /it is damaged; use another copy/ };
  const { length } = decodePem(LABEL, text)!;
  for (const at of [0, 1, 20, 29, 100, length - 20, length - 1]) {
    const bad = await changed(text, (bytes) => bytes[at] ^= 1);
    await assert.rejects(decryptIdentity(bad, PASSPHRASE), damaged);
  }
  for (const size of [0, 1, 7, 8, 9, 36, 52, length - 1]) {
    const bad = encodePem(LABEL, decodePem(LABEL, text)!.subarray(0, size));
    await assert.rejects(decryptIdentity(bad, PASSPHRASE), damaged, String(size));
  }
});

Deno.test("what is no backup is refused before the passphrase costs anything", async () => {
  const { text } = await example();
  const others = ["", "{}", text.slice(0, -40), text.slice(10), text + text];
  for (const other of [...others, encodePem(LABEL, new Uint8Array(100_000))]) {
    await assert.rejects(decryptIdentity(other, PASSPHRASE), {
      name: "IdentityError",
      message: /not a whole Parlance identity backup/,
    });
  }
  const later = await changed(text, (bytes) => bytes[0] = 2, true);
  await assert.rejects(decryptIdentity(later, PASSPHRASE), /format 2, and this program knows 1/);
});

Deno.test("a backup that was altered on purpose is never accepted", async () => {
  const { text } = await example();
  for (const at of [5, 20, 60]) { // salt, nonce, ciphertext
    const altered = await changed(text, (bytes) => bytes[at] ^= 1, true);
    await assert.rejects(decryptIdentity(altered, PASSPHRASE), { name: "InvalidInputError" });
  }
});

Deno.test("a passphrase that is too short makes no backup", async () => {
  for (const passphrase of ["", "1234567", "😀😀😀😀"]) {
    await assert.rejects(encryptIdentity(await newIdentity(), passphrase, systemRandom), {
      name: "InvalidInputError",
      message: /fewer than 8 characters; choose a longer one/,
    });
  }
});
