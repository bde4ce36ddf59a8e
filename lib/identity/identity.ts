import type { Random } from "../base/random.ts";
import { messageOf, ParlanceError } from "../errors.ts";
import { peerIdOfCertificate, readCertificate } from "../wire/certificate.ts";
import type { PeerId } from "../wire/peer_id.ts";
import { makeCertificate } from "./certificate_maker.ts";
import { openToOthers, readProfileFile, renameForGood, writeAtomically } from "./files.ts";
import { decodePem } from "./pem.ts";

/** Who a peer is: its certificate, and the key that proves it. */
export interface Identity {
  readonly id: PeerId;
  readonly certificatePem: string;
  readonly certificateDer: Uint8Array<ArrayBuffer>;
  /** The secret, PKCS #8. */
  readonly keyPem: string;
}

/** A profile's identity is damaged, open to others, or in the way of another. */
export class IdentityError extends ParlanceError {
  override name = "IdentityError";
}

const KEY_FILE = "key.pem";
const CERTIFICATE_FILE = "cert.pem";
/** The certificate until its key is there: whatever ends the program, both or neither are left. */
const NEW_CERTIFICATE_FILE = "cert.pem.new";
/** Ours have 119 and about 370 bytes; what is longer is something else. */
const MAX_PEM_BYTES = 8192;

/**
 * Checks that key and certificate make an identity: the certificate is one that peers accept, and
 * signed by this key.
 *
 * @throws {IdentityError} They do not; the message says what is wrong, but not what to do.
 */
export async function makeIdentity(keyPem: string, certificatePem: string): Promise<Identity> {
  const certificateDer = decodePem("CERTIFICATE", certificatePem);
  if (certificateDer === undefined) throw new IdentityError("the certificate is no PEM text");
  const certificate = readCertificate(certificateDer);
  if (!certificate.ok) throw new IdentityError(`the certificate is unusable: ${certificate.cause}`);
  const { signed, publicKey, signature } = certificate.value;
  const verifier = await crypto.subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
  if (!await crypto.subtle.verify("Ed25519", verifier, signature, signed)) {
    throw new IdentityError("the certificate's signature is wrong");
  }
  const keyDer = decodePem("PRIVATE KEY", keyPem);
  if (keyDer === undefined) throw new IdentityError("the key is no PEM text");
  let signer: CryptoKey;
  try {
    signer = await crypto.subtle.importKey("pkcs8", keyDer, "Ed25519", false, ["sign"]);
  } catch (cause) {
    throw new IdentityError("the key is not an Ed25519 key", { cause });
  }
  const proof = await crypto.subtle.sign("Ed25519", signer, signed);
  if (!await crypto.subtle.verify("Ed25519", verifier, proof, signed)) {
    throw new IdentityError("the key is not the certificate's key");
  }
  return { id: await peerIdOfCertificate(certificateDer), certificatePem, certificateDer, keyPem };
}

/**
 * Reads the identity of a profile, which another process may be using, or returns `undefined` where
 * it has none yet: neither of the two files is there.
 *
 * @throws {IdentityError} The files are damaged, one is missing, or others may read the key.
 */
export async function readIdentity(directory: string): Promise<Identity | undefined> {
  const [keyPem, certificatePem] = await Promise.all([
    readProfileFile(`${directory}/${KEY_FILE}`, MAX_PEM_BYTES),
    readProfileFile(`${directory}/${CERTIFICATE_FILE}`, MAX_PEM_BYTES),
  ]);
  if (keyPem === undefined && certificatePem === undefined) return undefined;
  if (keyPem === undefined) throw damaged(directory, `${KEY_FILE} is missing`);
  if (certificatePem === undefined) throw damaged(directory, `${CERTIFICATE_FILE} is missing`);
  const path = `${directory}/${KEY_FILE}`;
  const mode = await openToOthers(path);
  if (mode !== undefined) {
    throw new IdentityError(
      `Cannot use the key in ${path}: others may read it (${mode}); run \`chmod 600 ${path}\`, ` +
        "and if somebody did read it, move the key away for a new identity",
    );
  }
  try {
    return await makeIdentity(keyPem, certificatePem);
  } catch (error) {
    if (error instanceof IdentityError) throw damaged(directory, error.message, error);
    throw error;
  }
}

function damaged(directory: string, why: string, cause?: unknown): IdentityError {
  return new IdentityError(
    `Cannot use the identity in ${directory}: ${why}; move ${KEY_FILE} and ${CERTIFICATE_FILE} ` +
      "away, then restore a backup with `parlance identity import FILE`, or start again to get a " +
      "new identity, which your peers will have to trust anew",
    { cause },
  );
}

/**
 * Reads the identity of a profile or, at its first start, makes one.
 *
 * @param directory Of an open {@linkcode Profile}: its lock keeps others from doing the same.
 * @throws {IdentityError} As {@linkcode readIdentity}; nothing is ever replaced.
 */
export async function openIdentity(directory: string, random: Random): Promise<Identity> {
  await completeIdentity(directory);
  const existing = await readIdentity(directory);
  if (existing !== undefined) return existing;
  const { keyPem, certificatePem } = await makeCertificate(random);
  const identity = await makeIdentity(keyPem, certificatePem);
  await storeIdentity(directory, identity);
  return identity;
}

/**
 * Writes an identity into a profile that has none.
 *
 * @param directory Of an open {@linkcode Profile}.
 * @throws {IdentityError} The profile has an identity, or parts of one.
 */
export async function storeIdentity(directory: string, identity: Identity): Promise<void> {
  for (const name of [KEY_FILE, CERTIFICATE_FILE]) {
    if (await exists(`${directory}/${name}`)) {
      throw new IdentityError(
        `Cannot write an identity into ${directory}: ${name} is there already; move ` +
          `${KEY_FILE} and ${CERTIFICATE_FILE} away, or choose another \`--profile\``,
      );
    }
  }
  const encoder = new TextEncoder();
  const { keyPem, certificatePem } = identity;
  const certificate = encoder.encode(certificatePem);
  try {
    await writeAtomically(`${directory}/${NEW_CERTIFICATE_FILE}`, certificate, 0o644);
    await writeAtomically(`${directory}/${KEY_FILE}`, encoder.encode(keyPem), 0o600);
    await renameForGood(
      `${directory}/${NEW_CERTIFICATE_FILE}`,
      `${directory}/${CERTIFICATE_FILE}`,
    );
  } catch (error) {
    throw new IdentityError(
      `Cannot write an identity into ${directory}: ${messageOf(error)}; make room there, or ` +
        "choose another place with `--data-dir`",
      { cause: error },
    );
  }
}

/** Ends what {@linkcode storeIdentity} had begun when the program was ended. */
async function completeIdentity(directory: string): Promise<void> {
  const path = `${directory}/${NEW_CERTIFICATE_FILE}`;
  const certificatePem = await readProfileFile(path, MAX_PEM_BYTES);
  if (certificatePem === undefined || await exists(`${directory}/${CERTIFICATE_FILE}`)) return;
  const keyPem = await readProfileFile(`${directory}/${KEY_FILE}`, MAX_PEM_BYTES);
  if (keyPem === undefined) return; // it was never used, and is written anew
  try {
    await makeIdentity(keyPem, certificatePem);
  } catch {
    return; // of another key
  }
  await renameForGood(path, `${directory}/${CERTIFICATE_FILE}`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
