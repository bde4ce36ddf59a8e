import { Buffer } from "node:buffer";

const VERSION_3 = [0xa0, 3, 2, 1, 2];

/** A certificate in DER with other bytes in place of its version field; lengths follow. */
function withVersion(der: Uint8Array, version: readonly number[]): Uint8Array {
  const outer = content(der, 0);
  const tbs = content(der, outer.from);
  const inner = [...der.subarray(tbs.from, tbs.to)];
  if (VERSION_3.some((byte, at) => inner[at] !== byte)) throw new Error("Not version 3");
  const rest = [...version, ...inner.slice(VERSION_3.length)];
  return Uint8Array.from(
    sequence([...sequence(rest), ...der.subarray(tbs.to, outer.to)]),
  );
}

/** X.509 version 1 around the same key; the signature is left as it is, and so is wrong. */
export function asVersion1(der: Uint8Array): Uint8Array {
  return withVersion(der, []);
}

/** Certificates that claim version 3 in ways that DER does not have. */
export function withBrokenVersions(der: Uint8Array): Uint8Array[] {
  return [
    [0xa0, 4, 2, 2, 0, 2],
    [0xa0, 4, 2, 0x81, 1, 2],
    [0xa0, 0x81, 3, 2, 1, 2],
    [0xa0, 5, 2, 1, 2, 5, 0],
    [0xa0, 3, 2, 1, 3],
  ].map((version) => withVersion(der, version));
}

/** The same certificate with extensions; the signature is left as it is, and so is wrong. */
export function withExtensions(der: Uint8Array, extensions: readonly number[]): Uint8Array {
  const outer = content(der, 0);
  const tbs = content(der, outer.from);
  const rest = [...der.subarray(tbs.from, tbs.to), ...extensions];
  return Uint8Array.from(sequence([...sequence(rest), ...der.subarray(tbs.to, outer.to)]));
}

/**
 * Lists of one extension each. The runtime's dialling side does not check the handshake's signature
 * of a certificate that has one of the broken ones.
 */
export const EXTENSIONS = {
  "an empty subjectAltName": extension(0x11, [4, 0]),
  "a broken subjectAltName": extension(0x11, [4, 3, 1, 2, 3]),
  "broken basicConstraints": extension(0x13, [4, 3, 1, 2, 3]),
  "a broken extendedKeyUsage": extension(0x25, [4, 3, 1, 2, 3]),
  "well-formed basicConstraints": extension(0x13, [4, 2, 0x30, 0]),
};

function extension(type: number, value: readonly number[]): number[] {
  const one = sequence([6, 3, 0x55, 0x1d, type, ...value]);
  const list = sequence(one);
  return [0xa3, list.length, ...list];
}

/** Writes a certificate in PEM. */
export function certificatePem(der: Uint8Array): string {
  const lines = Buffer.from(der).toString("base64").match(/.{1,64}/g)!;
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function content(der: Uint8Array, at: number): { from: number; to: number } {
  const first = der[at + 1];
  const size = first < 0x80 ? 0 : first & 0x7f;
  let length = size === 0 ? first : 0;
  for (let index = 0; index < size; index++) length = length * 256 + der[at + 2 + index];
  const from = at + 2 + size;
  return { from, to: from + length };
}

function sequence(bytes: readonly number[]): number[] {
  const { length } = bytes;
  const size = length < 0x80 ? [length] : length < 256 ? [0x81, length] : [
    0x82,
    length >> 8,
    length & 255,
  ];
  return [0x30, ...size, ...bytes];
}
