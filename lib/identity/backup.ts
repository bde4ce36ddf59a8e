/**
 * Backups of an identity: one text file, encrypted with a passphrase.
 *
 * @module
 */
import { scrypt } from "node:crypto";
import type { Random } from "../base/random.ts";
import { InvalidInputError } from "../errors.ts";
import { type Identity, IdentityError, makeIdentity } from "./identity.ts";
import { decodePem, encodePem } from "./pem.ts";

/** Longest text that is looked at, in UTF-16 units; ours have about 1,000. */
export const MAX_BACKUP_LENGTH = 32 * 1024;
/** Shortest passphrase, in characters. */
export const MIN_PASSPHRASE_LENGTH = 8;

const LABEL = "PARLANCE IDENTITY BACKUP";
/** First byte; it also stands for all parameters below, so that no file can ask for others. */
const FORMAT = 1;
/** 128 MiB and about half a second for each passphrase that is tried (RFC 7914). */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 160 * 2 ** 20 } as const;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const HEADER_BYTES = 1 + SALT_BYTES + NONCE_BYTES;
/** A part of the SHA-256 of all before it: tells a damaged file from a wrong passphrase. */
const CHECKSUM_BYTES = 8;
const TAG_BYTES = 16;

/**
 * Encrypts an identity with a passphrase: scrypt (N = 2^17, r = 8, p = 1), then AES-256-GCM. The
 * text is one PEM block: format (1 byte), salt (16), nonce (12), ciphertext with tag, checksum (8).
 *
 * @param passphrase Normalised (NFKC), so that it can be typed on another machine.
 * @throws {InvalidInputError} The passphrase has fewer than 8 characters.
 */
export async function encryptIdentity(
  identity: Identity,
  passphrase: string,
  random: Random,
): Promise<string> {
  if ([...passphrase].length < MIN_PASSPHRASE_LENGTH) {
    throw new InvalidInputError(
      `Cannot use this passphrase: it has fewer than ${MIN_PASSPHRASE_LENGTH} characters; ` +
        "choose a longer one",
    );
  }
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = FORMAT;
  header.set(random.bytes(SALT_BYTES + NONCE_BYTES), 1);
  const { keyPem, certificatePem } = identity;
  const secret = new TextEncoder().encode(JSON.stringify({ key: keyPem, cert: certificatePem }));
  const key = await deriveKey(passphrase, header);
  const sealed = await crypto.subtle.encrypt(gcm(header), key, secret);
  const body = new Uint8Array([...header, ...new Uint8Array(sealed)]);
  return encodePem(LABEL, new Uint8Array([...body, ...await checksum(body)]));
}

/**
 * Reads a backup.
 *
 * @param text The file's content; what is longer than {@linkcode MAX_BACKUP_LENGTH} is refused.
 * @throws {IdentityError} The text is no backup, of a later format, or damaged.
 * @throws {InvalidInputError} The passphrase is wrong. (Somebody who alters a file on purpose can
 *   make it look so, too; what they cannot do is to have it accepted.)
 */
export async function decryptIdentity(text: string, passphrase: string): Promise<Identity> {
  const bytes = text.length > MAX_BACKUP_LENGTH ? undefined : decodePem(LABEL, text);
  if (bytes === undefined) {
    throw new IdentityError(
      "Cannot read the backup: it is not a whole Parlance identity backup; " +
        "take the file that `parlance identity export` wrote",
    );
  }
  const body = bytes.subarray(0, -CHECKSUM_BYTES);
  const expected = await checksum(body);
  const whole = body.length >= HEADER_BYTES + TAG_BYTES &&
    expected.every((byte, at) => byte === bytes[body.length + at]);
  if (!whole) throw new IdentityError("Cannot read the backup: it is damaged; use another copy");
  const header = body.subarray(0, HEADER_BYTES);
  if (header[0] !== FORMAT) {
    throw new IdentityError(
      `Cannot read the backup: it has format ${header[0]}, and this program knows ${FORMAT}; ` +
        "use a newer Parlance",
    );
  }
  const key = await deriveKey(passphrase, header);
  let secret: ArrayBuffer;
  try {
    secret = await crypto.subtle.decrypt(gcm(header), key, body.subarray(HEADER_BYTES));
  } catch (cause) {
    throw new InvalidInputError("Cannot read the backup: the passphrase is wrong; try again", {
      cause,
    });
  }
  const { key: keyPem, cert } = JSON.parse(new TextDecoder().decode(secret));
  return await makeIdentity(String(keyPem), String(cert));
}

/** The header is authenticated too, so that nothing of a file can be exchanged. */
function gcm(header: Uint8Array<ArrayBuffer>): AesGcmParams {
  return { name: "AES-GCM", iv: header.subarray(1 + SALT_BYTES), additionalData: header };
}

async function deriveKey(passphrase: string, header: Uint8Array): Promise<CryptoKey> {
  const salt = header.subarray(1, 1 + SALT_BYTES);
  const raw = await new Promise<Uint8Array<ArrayBuffer>>((resolve, reject) => {
    scrypt(passphrase.normalize("NFKC"), salt, 32, SCRYPT, (error, derived) => {
      if (error) reject(error);
      else resolve(new Uint8Array(derived));
    });
  });
  return await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
}

async function checksum(body: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", body)).subarray(0, CHECKSUM_BYTES);
}
