import type { Random } from "../base/random.ts";
import { encodePem } from "./pem.ts";

/** A new key and the self-signed certificate around it. */
export interface KeyAndCertificate {
  /** PKCS #8 in PEM: the secret. */
  readonly keyPem: string;
  /** X.509 version 3 in PEM. */
  readonly certificatePem: string;
  /** The same certificate in DER; its SHA-256 is the peer's id. */
  readonly certificateDer: Uint8Array<ArrayBuffer>;
}

/**
 * Makes an Ed25519 key and a self-signed X.509 version 3 certificate for it (RFC 5280, RFC 8410):
 * a random serial number of 16 bytes, issuer and subject CN=parlance, valid from 2000-01-01 to
 * 9999-12-31, since whoever has the certificate's id wants that very key whatever the date.
 *
 * @param random For the serial number; the key comes from Web Crypto.
 */
export async function makeCertificate(random: Random): Promise<KeyAndCertificate> {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const { privateKey, publicKey } = pair as CryptoKeyPair;
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
  const serial = random.bytes(16);
  serial[0] = serial[0] & 0x3f | 0x40; // positive, not 0, and in its shortest form
  const name = element(SEQUENCE, element(SET, element(SEQUENCE, COMMON_NAME, utf8("parlance"))));
  const signed = element(
    SEQUENCE,
    VERSION_3,
    element(INTEGER, serial),
    ED25519,
    name,
    element(SEQUENCE, ascii(UTC_TIME, "000101000000Z"), ascii(GENERALIZED_TIME, "99991231235959Z")),
    name,
    spki,
  );
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, signed));
  const unusedBits = new Uint8Array(1);
  const certificateDer = element(
    SEQUENCE,
    signed,
    ED25519,
    element(BIT_STRING, unusedBits, signature),
  );
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey));
  return {
    keyPem: encodePem("PRIVATE KEY", key),
    certificatePem: encodePem("CERTIFICATE", certificateDer),
    certificateDer,
  };
}

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;

/** [0] { INTEGER 2 }. */
const VERSION_3 = Uint8Array.of(0xa0, 0x03, 0x02, 0x01, 0x02);
/** SEQUENCE { OBJECT IDENTIFIER 1.3.101.112 }. */
const ED25519 = Uint8Array.of(0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70);
/** OBJECT IDENTIFIER 2.5.4.3. */
const COMMON_NAME = Uint8Array.of(0x06, 0x03, 0x55, 0x04, 0x03);

function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const header = length < 0x80 ? [tag, length] : [tag, 0x81, length]; // nothing here has 256 bytes
  const bytes = new Uint8Array(header.length + length);
  bytes.set(header);
  let at = header.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function ascii(tag: number, text: string): Uint8Array {
  return element(tag, new TextEncoder().encode(text));
}

function utf8(text: string): Uint8Array {
  return element(UTF8_STRING, new TextEncoder().encode(text));
}
