import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import * as tls from "node:tls";
import { systemRandom } from "../../lib/base/random.ts";
import {
  type Identity,
  IdentityError,
  makeIdentity,
  openIdentity,
  readIdentity,
  storeIdentity,
} from "../../lib/identity/identity.ts";
import { makeCertificate } from "../../lib/identity/certificate_maker.ts";
import { encodePem } from "../../lib/identity/pem.ts";
import { isPeerId, peerIdHash } from "../../lib/wire/peer_id.ts";
import { modeOf, namesIn, TemporaryDirectory } from "./files_fixtures.ts";

const notWindows = Deno.build.os !== "windows";

async function newIdentity(): Promise<Identity> {
  const { keyPem, certificatePem } = await makeCertificate(systemRandom);
  return await makeIdentity(keyPem, certificatePem);
}

/** Whatever reading the identity in `directory` fails with. */
async function problemIn(directory: string): Promise<string> {
  const error = await readIdentity(directory).then(() => undefined, (error) => error);
  assert.ok(error instanceof Error, "the identity is accepted");
  await assert.rejects(openIdentity(directory, systemRandom), { message: error.message });
  return error.message;
}

Deno.test("the first start makes an identity, later ones find it again", async () => {
  await using directory = await TemporaryDirectory.make();
  assert.equal(await readIdentity(directory.path), undefined);
  const identity = await openIdentity(directory.path, systemRandom);
  assert.ok(isPeerId(identity.id));
  assert.deepEqual(await openIdentity(directory.path, systemRandom), identity);
  assert.deepEqual(await readIdentity(directory.path), identity);
  assert.deepEqual(await namesIn(directory.path), ["cert.pem", "key.pem"]);
  if (notWindows) assert.equal(await modeOf(`${directory.path}/key.pem`), "600");
});

Deno.test("a certificate says what it is made to say, and is signed by its key", async () => {
  const { certificatePem, id } = await newIdentity();
  const certificate = new X509Certificate(certificatePem);
  assert.equal(certificate.subject, "CN=parlance");
  assert.equal(certificate.issuer, "CN=parlance");
  assert.equal(new Date(certificate.validFrom).toISOString(), "2000-01-01T00:00:00.000Z");
  assert.equal(new Date(certificate.validTo).toISOString(), "9999-12-31T23:59:59.000Z");
  assert.match(certificate.serialNumber, /^[4-7][0-9A-F]{31}$/i);
  assert.equal(certificate.publicKey.asymmetricKeyType, "ed25519");
  assert.ok(certificate.verify(certificate.publicKey));
  const hash = certificate.fingerprint256.replaceAll(":", "").toLowerCase();
  assert.equal(peerIdHash(id).toHex(), hash);
});

Deno.test("two identities are never the same", async () => {
  const ids = await Promise.all(Array.from({ length: 5 }, async () => (await newIdentity()).id));
  assert.equal(new Set(ids).size, 5);
});

Deno.test("two identities can talk over mutual TLS 1.3 and see each other's certificate", async () => {
  const [alice, bob] = [await newIdentity(), await newIdentity()];
  const options = ({ keyPem, certificatePem }: Identity) => ({
    key: keyPem,
    cert: certificatePem,
    rejectUnauthorized: false,
    minVersion: "TLSv1.3" as const,
  });
  const seenByServer = Promise.withResolvers<Uint8Array>();
  const server = tls.createServer({ ...options(alice), requestCert: true }, (socket) => {
    seenByServer.resolve(socket.getPeerCertificate().raw);
    socket.end();
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const socket = tls.connect({ ...options(bob), host: "127.0.0.1", port });
  const seenByClient = await new Promise<Uint8Array>((resolve, reject) => {
    socket.once("secureConnect", () => resolve(socket.getPeerCertificate().raw));
    socket.once("error", reject);
  });
  assert.deepEqual(new Uint8Array(seenByClient), alice.certificateDer);
  assert.deepEqual(new Uint8Array(await seenByServer.promise), bob.certificateDer);
  socket.resume();
  socket.end();
  await new Promise((resolve) => socket.once("close", resolve));
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("one of the two files alone is damage, not a first start", async () => {
  for (const [gone, left] of [["key.pem", "cert.pem"], ["cert.pem", "key.pem"]]) {
    await using directory = await TemporaryDirectory.make();
    await openIdentity(directory.path, systemRandom);
    await Deno.remove(`${directory.path}/${gone}`);
    const message = await problemIn(directory.path);
    assert.match(message, new RegExp(`${gone} is missing`));
    assert.match(message, /parlance identity import/);
    assert.deepEqual(await namesIn(directory.path), [left]);
  }
});

Deno.test("damage anywhere in the files is an error that names the remedy, and replaces nothing", async () => {
  await using directory = await TemporaryDirectory.make();
  const identity = await openIdentity(directory.path, systemRandom);
  const other = await newIdentity();
  const der = identity.certificateDer;
  const flipped = (at: number) => {
    const bytes = der.slice();
    bytes[at] ^= 1;
    return encodePem("CERTIFICATE", bytes);
  };
  const rsa = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
  ]) as CryptoKeyPair;
  const foreignKind = new Uint8Array(await crypto.subtle.exportKey("pkcs8", rsa.privateKey));
  const cases: [file: string, text: string, cause: RegExp][] = [
    ["cert.pem", other.certificatePem, /key is not the certificate's key/],
    ["key.pem", other.keyPem, /key is not the certificate's key/],
    ["cert.pem", "", /certificate is no PEM/],
    ["cert.pem", identity.certificatePem.slice(0, -40), /certificate is no PEM/],
    ["cert.pem", identity.certificatePem + other.certificatePem, /certificate is no PEM/],
    ["cert.pem", identity.keyPem, /certificate is no PEM/],
    ["cert.pem", flipped(0), /certificate is unusable/],
    ["cert.pem", flipped(der.length - 1), /signature is wrong/],
    ["cert.pem", flipped(60), /signature is wrong|unusable/],
    ["key.pem", "", /key is no PEM/],
    ["key.pem", identity.keyPem.replace("PRIVATE", "PUBLIC"), /key is no PEM/],
    ["key.pem", identity.keyPem.replace(/\n.{8}/, "\nAAAAAAAA"), /not an Ed25519 key/],
    ["key.pem", encodePem("PRIVATE KEY", foreignKind), /not an Ed25519 key/],
    ["key.pem", "x".repeat(10_000), /more than 8192 bytes/],
    ["cert.pem", "\ufffd\ufffd", /certificate is no PEM/],
  ];
  for (const [file, text, cause] of cases) {
    const path = `${directory.path}/${file}`;
    const good = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text);
    const message = await problemIn(directory.path);
    assert.match(message, cause);
    assert.match(message, /^Cannot .*away/);
    assert.equal(await Deno.readTextFile(path), text);
    await Deno.writeTextFile(path, good);
  }
  await Deno.writeFile(`${directory.path}/key.pem`, Uint8Array.of(0xff, 0xfe));
  assert.match(await problemIn(directory.path), /it is not text/);
  await Deno.remove(`${directory.path}/key.pem`);
  await Deno.mkdir(`${directory.path}/key.pem`);
  assert.match(await problemIn(directory.path), /Cannot read .*key\.pem: .*away/);
});

Deno.test({
  name: "a key that others may read is refused, with what to do",
  ignore: !notWindows,
  async fn() {
    await using directory = await TemporaryDirectory.make();
    const { id } = await openIdentity(directory.path, systemRandom);
    const path = `${directory.path}/key.pem`;
    for (const mode of [0o644, 0o640, 0o602, 0o660]) {
      await Deno.chmod(path, mode);
      const message = await problemIn(directory.path);
      assert.ok(message.includes(`others may read it (mode ${mode.toString(8)})`), message);
      assert.ok(message.includes(`chmod 600 ${path}`), message);
    }
    for (const mode of [0o600, 0o400]) {
      await Deno.chmod(path, mode);
      assert.equal((await readIdentity(directory.path))?.id, id);
    }
  },
});

Deno.test("an identity is never written over another, nor over what is left of one", async () => {
  await using directory = await TemporaryDirectory.make();
  const first = await openIdentity(directory.path, systemRandom);
  const second = await newIdentity();
  const refusal = { name: "IdentityError", message: /is there already; move key.pem and cert.pem/ };
  await assert.rejects(storeIdentity(directory.path, second), refusal);
  for (const name of ["key.pem", "cert.pem"]) {
    await Deno.rename(`${directory.path}/${name}`, `${directory.path}/away`);
    await assert.rejects(storeIdentity(directory.path, second), refusal);
    await Deno.rename(`${directory.path}/away`, `${directory.path}/${name}`);
  }
  assert.deepEqual(await readIdentity(directory.path), first);
  assert.ok(new IdentityError("x") instanceof Error);
});

Deno.test("a stored identity is the one that is read", async () => {
  await using directory = await TemporaryDirectory.make();
  const identity = await newIdentity();
  await storeIdentity(directory.path, identity);
  assert.deepEqual(await readIdentity(directory.path), identity);
});

Deno.test("an identity whose making was interrupted is completed, or made anew", async () => {
  await using root = await TemporaryDirectory.make();
  const made = `${root.path}/made`;
  await Deno.mkdir(made);
  const identity = await openIdentity(made, systemRandom);
  assert.deepEqual(await namesIn(made), ["cert.pem", "key.pem"]);
  /** A profile in which the program was ended when it had these files. */
  const interrupted = async (name: string, files: Record<string, string>) => {
    const directory = `${root.path}/${name}`;
    await Deno.mkdir(directory);
    for (const [file, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${directory}/${file}`, text, { mode: 0o600 });
    }
    return directory;
  };
  const { keyPem, certificatePem } = identity;
  const both = await interrupted("both", { "key.pem": keyPem, "cert.pem.new": certificatePem });
  assert.equal((await openIdentity(both, systemRandom)).id, identity.id);
  assert.deepEqual(await namesIn(both), ["cert.pem", "key.pem"]);
  const first = await interrupted("first", { "cert.pem.new": certificatePem });
  assert.notEqual((await openIdentity(first, systemRandom)).id, identity.id);
  assert.deepEqual(await namesIn(first), ["cert.pem", "key.pem"]);
  const other = await makeCertificate(systemRandom);
  const foreign = await interrupted("foreign", {
    "key.pem": other.keyPem,
    "cert.pem.new": certificatePem,
  });
  await assert.rejects(openIdentity(foreign, systemRandom), /cert.pem is missing/);
});

Deno.test("an identity that cannot be written is told with its place and the remedy", async () => {
  await using directory = await TemporaryDirectory.make();
  const path = `${directory.path}/gone`;
  await assert.rejects(
    openIdentity(path, systemRandom),
    (error) =>
      error instanceof IdentityError &&
      /^Cannot write an identity into .*gone: .*; make room there, or choose/.test(error.message),
  );
});
