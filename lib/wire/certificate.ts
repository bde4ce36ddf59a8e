/**
 * Strict reading of the certificates that are peers' identities.
 *
 * The runtime checks the handshake's signature only of certificates that it can read in full. One
 * of version 1, or on the dialling side one with a malformed extension, it lets through unchecked:
 * a certificate around somebody else's key would pass. So whatever is not of version 3, without
 * extensions and of the one validity that ours have is refused, by a reading that knows one
 * encoding only (DER, X.690) and takes nothing that two readers could understand in two ways.
 *
 * @module
 */
import { accepted, type Decoded, refused } from "./decoded.ts";
import { formatPeerId, type PeerId } from "./peer_id.ts";

/** Largest certificate, in bytes; those that Parlance makes have 230. */
export const MAX_CERTIFICATE_BYTES = 4096;

/** SEQUENCE { OBJECT IDENTIFIER 1.3.101.112 }: Ed25519, without parameters (RFC 8410, section 3). */
const ED25519 = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
/** [0] { INTEGER 2 }: version 3 (RFC 5280, section 4.1.2.1). */
const VERSION_3 = [0xa0, 0x03, 0x02, 0x01, 0x02];
/** UTCTime 2000-01-01 00:00:00 and GeneralizedTime 9999-12-31 23:59:59 (RFC 5280, 4.1.2.5). */
const VALIDITY = [
  ...[0x30, 0x20, 0x17, 0x0d, ...new TextEncoder().encode("000101000000Z")],
  ...[0x18, 0x0f, ...new TextEncoder().encode("99991231235959Z")],
];
/** What stands before the 32 bytes of an Ed25519 key (RFC 8410, section 4). */
const KEY_HEADER = [0x30, 0x2a, ...ED25519, 0x03, 0x21, 0x00];
/** What stands before the 64 bytes of an Ed25519 signature (RFC 8410, section 6). */
const SIGNATURE_HEADER = [0x03, 0x41, 0x00];

/** The parts of a certificate that matter; they are views of its bytes. */
export interface CertificateParts {
  /** What the signature covers (`tbsCertificate`). */
  readonly signed: Uint8Array<ArrayBuffer>;
  /** The Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** The signature, 64 bytes; not checked here. */
  readonly signature: Uint8Array<ArrayBuffer>;
}

/**
 * Says why `der` is not a certificate that can be a peer's identity, or `undefined` when it is one:
 * X.509 version 3 in DER, with an Ed25519 key and an Ed25519 signature, valid from 2000-01-01 to
 * 9999-12-31, without extensions, at most {@linkcode MAX_CERTIFICATE_BYTES} long and nothing after
 * it. The signature is not looked at: an id stands for all bytes of the certificate, and TLS proves
 * the key.
 */
export function certificateProblem(der: Uint8Array): string | undefined {
  const read = readCertificate(der);
  return read.ok ? undefined : read.cause;
}

/** Reads a certificate; refuses what {@linkcode certificateProblem} has a cause for. */
export function readCertificate(der: Uint8Array): Decoded<CertificateParts> {
  if (der.length > MAX_CERTIFICATE_BYTES) {
    return refused(`certificate above ${MAX_CERTIFICATE_BYTES} bytes`);
  }
  try {
    return accepted(parts(new Uint8Array(der)));
  } catch (error) {
    if (error instanceof Malformed) return refused(error.message);
    throw error;
  }
}

/** The id that a certificate stands for: the SHA-256 of all of its bytes. */
export async function peerIdOfCertificate(der: Uint8Array): Promise<PeerId> {
  const bytes = new Uint8Array(der); // Web Crypto takes no shared memory
  return formatPeerId(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** The id of a certificate, or why it can have none; see {@linkcode certificateProblem}. */
export async function identifyCertificate(der: Uint8Array): Promise<Decoded<PeerId>> {
  const problem = certificateProblem(der);
  return problem === undefined ? accepted(await peerIdOfCertificate(der)) : refused(problem);
}

/** Carries the cause of a refusal out of the reader. */
class Malformed extends Error {}

function parts(der: Uint8Array<ArrayBuffer>): CertificateParts {
  const outer = new Reader(der);
  const certificate = new Reader(outer.take(SEQUENCE, "certificate").content);
  outer.end("data after the certificate");
  const signed = certificate.take(SEQUENCE, "certificate");
  const tbs = new Reader(signed.content);
  version(tbs);
  serialNumber(tbs.take(INTEGER, "serial number").content);
  tbs.exactly(ED25519, "signature algorithm is not Ed25519");
  name(tbs.take(SEQUENCE, "issuer"));
  tbs.exactly(VALIDITY, "certificate's validity is not from 2000-01-01 to 9999-12-31");
  name(tbs.take(SEQUENCE, "subject"));
  tbs.exactly(KEY_HEADER, "key is not Ed25519");
  const publicKey = tbs.bytes(32);
  if (tbs.peek() === EXTENSIONS) throw new Malformed("certificate has extensions");
  tbs.end("unknown field in the certificate");
  certificate.exactly(ED25519, "signature algorithm is not Ed25519");
  certificate.exactly(SIGNATURE_HEADER, "signature is not one of Ed25519");
  const signature = certificate.bytes(64);
  certificate.end("data after the certificate's signature");
  return { signed: signed.whole, publicKey, signature };
}

function version(tbs: Reader): void {
  if (tbs.startsWith(VERSION_3)) return void tbs.bytes(VERSION_3.length);
  if (tbs.peek() === INTEGER) throw new Malformed("certificate is X.509 version 1, not 3");
  throw new Malformed("certificate has a version other than X.509 version 3, or a broken one");
}

/** At most 20 bytes, above 0 (RFC 5280, section 4.1.2.2), and in the shortest form. */
function serialNumber(content: Uint8Array): void {
  const [first, second = 0] = content;
  if (content.length < 1 || content.length > 20 || first > 0x7f) {
    throw new Malformed("certificate's serial number is not positive, or above 20 bytes");
  }
  const zeroFirst = first === 0 && (content.length === 1 || second < 0x80);
  if (zeroFirst) {
    throw new Malformed("certificate's serial number is 0 or not in its shortest form");
  }
}

/** A list of sets of pairs: OID and a value, which is a text of some type (RFC 5280, 4.1.2.4). */
function name(field: Element): void {
  const sets = new Reader(field.content);
  while (!sets.atEnd) {
    const set = new Reader(sets.take(SET, "part of a name").content);
    do {
      const pair = new Reader(set.take(SEQUENCE, "part of a name").content);
      pair.take(OBJECT_IDENTIFIER, "type of a name");
      const tag = pair.peek() ?? 0;
      if (!TEXTS.includes(tag)) throw new Malformed("no text where a name has one");
      pair.take(tag, "name");
      pair.end("data after a name");
    } while (!set.atEnd);
  }
}

const INTEGER = 0x02;
const OBJECT_IDENTIFIER = 0x06;
/** UTF8String, PrintableString, TeletexString, IA5String, UniversalString and BMPString. */
const TEXTS: readonly number[] = [0x0c, 0x13, 0x14, 0x16, 0x1c, 0x1e];
const SEQUENCE = 0x30;
const SET = 0x31;
/** [3], constructed: the extensions of a version 3 certificate. */
const EXTENSIONS = 0xa3;

interface Element {
  readonly content: Uint8Array<ArrayBuffer>;
  /** With tag and length. */
  readonly whole: Uint8Array<ArrayBuffer>;
}

/** Reads DER elements one after another; whatever is not DER throws {@linkcode Malformed}. */
class Reader {
  #at = 0;

  constructor(private readonly der: Uint8Array<ArrayBuffer>) {}

  get atEnd(): boolean {
    return this.#at === this.der.length;
  }

  peek(): number | undefined {
    return this.der[this.#at];
  }

  startsWith(bytes: readonly number[]): boolean {
    return bytes.every((byte, index) => this.der[this.#at + index] === byte);
  }

  exactly(bytes: readonly number[], otherwise: string): void {
    if (!this.startsWith(bytes)) throw new Malformed(otherwise);
    this.#at += bytes.length;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const end = this.#at + length;
    if (end > this.der.length) throw new Malformed("certificate ends too early");
    const bytes = this.der.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  end(otherwise: string): void {
    if (!this.atEnd) throw new Malformed(otherwise);
  }

  /** Takes the element with this tag. Tags of several bytes occur in no certificate. */
  take(tag: number, what: string): Element {
    if (this.peek() !== tag || (tag & 0x1f) === 0x1f) {
      throw new Malformed(`no ${what} where it belongs`);
    }
    const start = this.#at++;
    const content = this.bytes(this.#length());
    return { content, whole: this.der.subarray(start, this.#at) };
  }

  /** A length in its only form of DER: definite, and not a byte longer than needed. */
  #length(): number {
    const [first] = this.bytes(1);
    if (first < 0x80) return first;
    const count = first & 0x7f;
    // 0x80 is BER's indefinite length; two bytes suffice for all that is allowed here.
    if (count === 0 || count > 2) throw new Malformed("certificate has a length that is not DER");
    const length = this.bytes(count).reduce((value, byte) => value << 8 | byte, 0);
    if (length < (count === 1 ? 0x80 : 0x100)) {
      throw new Malformed("certificate has a length that is not DER");
    }
    return length;
  }
}
