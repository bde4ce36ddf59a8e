import { Buffer } from "node:buffer";
import crypto from "node:crypto";
import { ALPN_PROTOCOL } from "../../lib/wire/session.ts";

/**
 * TLS 1.3 (RFC 8446) by hand, for peers that lie: it shows any bytes as its certificate and signs
 * with any key, which no TLS library lets its user do. Only X25519, AES-128-GCM and Ed25519, no
 * retries, no tickets; what the other side proves is not checked.
 */

/** What an attacker shows, and the key that it has. */
export interface Shown {
  /** DER; none is an empty list of certificates. */
  readonly certificate?: Uint8Array;
  /** PKCS #8 in PEM; signs the handshake, whatever the certificate says. */
  readonly keyPem: string;
}

const HANDSHAKE = 22;
const ALERT = 21;
const APPLICATION = 23;
const CLIENT_HELLO = 1;
const SERVER_HELLO = 2;
const ENCRYPTED_EXTENSIONS = 8;
const CERTIFICATE = 11;
const CERTIFICATE_REQUEST = 13;
const CERTIFICATE_VERIFY = 15;
const FINISHED = 20;
const AES_128_GCM_SHA256 = [0x13, 0x01];
const X25519 = [0, 0x1d];
const ED25519 = [8, 7];
/** SubjectPublicKeyInfo before the 32 bytes of an X25519 key (RFC 8410). */
const X25519_SPKI = Buffer.from("302a300506032b656e032100", "hex");

const hash = (bytes: Uint8Array) => crypto.createHash("sha256").update(bytes).digest();
const hmac = (key: Uint8Array, bytes: Uint8Array) =>
  crypto.createHmac("sha256", key).update(bytes).digest();

/** Bytes with their length before them, in `size` bytes. */
function vector(size: number, ...parts: Iterable<number>[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Uint8Array.from(part)));
  const length = Buffer.alloc(size);
  length.writeUIntBE(content.length, 0, size);
  return Buffer.concat([length, content]);
}

function extension(type: number, content: Iterable<number>): Buffer {
  return Buffer.from([0, type, ...vector(2, content)]);
}

function handshakeMessage(type: number, ...content: Iterable<number>[]): Buffer {
  return Buffer.from([type, ...vector(3, ...content)]);
}

const alpn = extension(16, vector(2, vector(1, Buffer.from(ALPN_PROTOCOL))));

/** HKDF-Expand-Label for up to 32 bytes (RFC 8446, section 7.1). */
function expand(secret: Uint8Array, label: string, context: Uint8Array, length: number): Buffer {
  const info = Buffer.concat([
    Uint8Array.of(0, length),
    vector(1, Buffer.from(`tls13 ${label}`)),
    vector(1, context),
  ]);
  return hmac(secret, Buffer.concat([info, Uint8Array.of(1)])).subarray(0, length);
}

/** One direction's keys: encrypts and decrypts records in order. */
class Protection {
  readonly #key: Buffer;
  readonly #iv: Buffer;
  #count = 0;

  constructor(readonly secret: Buffer) {
    this.#key = expand(secret, "key", Buffer.alloc(0), 16);
    this.#iv = expand(secret, "iv", Buffer.alloc(0), 12);
  }

  #nonce(): Buffer {
    const nonce = Buffer.from(this.#iv);
    const count = Buffer.alloc(12);
    count.writeUIntBE(this.#count++, 6, 6);
    return nonce.map((byte, at) => byte ^ count[at]) as Buffer;
  }

  seal(type: number, content: Uint8Array): Buffer {
    const plain = Buffer.concat([content, Uint8Array.of(type)]);
    const header = Buffer.from([APPLICATION, 3, 3, 0, 0]);
    header.writeUInt16BE(plain.length + 16, 3);
    const cipher = crypto.createCipheriv("aes-128-gcm", this.#key, this.#nonce());
    cipher.setAAD(header);
    return Buffer.concat([header, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  open(header: Buffer, sealed: Buffer): { type: number; content: Buffer } {
    const decipher = crypto.createDecipheriv("aes-128-gcm", this.#key, this.#nonce());
    decipher.setAAD(header);
    decipher.setAuthTag(sealed.subarray(-16));
    const plain = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
    let end = plain.length;
    while (end > 0 && plain[end - 1] === 0) end--;
    return { type: plain[end - 1], content: plain.subarray(0, end - 1) };
  }
}

/** One connection of a lying peer. */
export class RawTls implements Disposable {
  #transcript = Buffer.alloc(0);
  #received = Buffer.alloc(0);
  #messages = Buffer.alloc(0);
  #reading: Protection | undefined;
  #writing: Protection | undefined;
  /** The first alert of the other side (RFC 8446, section 6). */
  alert: number | undefined;
  /** What the other side showed, in DER. */
  peerCertificate: Buffer | undefined;

  /** @param connection Below it, for whoever puts bytes in. */
  private constructor(readonly connection: Deno.TcpConn) {}

  /** Shakes hands over a connection that this side opened; resolves after its Finished. */
  static async client(connection: Deno.TcpConn, shown: Shown): Promise<RawTls> {
    const tls = new RawTls(connection);
    const { privateKey, share } = keyShare();
    await tls.#sendPlain(handshakeMessage(
      CLIENT_HELLO,
      [3, 3],
      crypto.randomBytes(32),
      vector(1, crypto.randomBytes(32)),
      vector(2, AES_128_GCM_SHA256),
      vector(1, [0]),
      vector(
        2,
        extension(43, vector(1, [3, 4])),
        extension(10, vector(2, X25519)),
        extension(13, vector(2, ED25519)),
        extension(51, vector(2, X25519, vector(2, share))),
        alpn,
      ),
    ));
    const hello = await tls.#message(SERVER_HELLO);
    const afterSession = 4 + 2 + 32 + 1 + hello[38];
    const keys = tls.#handshakeKeys(privateKey, peerShare(hello, afterSession + 3));
    tls.#reading = new Protection(keys.server);
    let asked = false;
    let end: Buffer;
    do {
      end = await tls.#message();
      if (end[0] === CERTIFICATE) tls.#keepCertificate(end);
      if (end[0] === CERTIFICATE_REQUEST) asked = true;
    } while (end[0] !== FINISHED);
    const application = tls.#applicationKeys(keys.master);
    tls.#writing = new Protection(keys.client);
    if (asked) await tls.#prove(shown, "client");
    await tls.#finish();
    tls.#reading = new Protection(application.server);
    tls.#writing = new Protection(application.client);
    return tls;
  }

  /** Shakes hands over a connection that was accepted; resolves after the other side's Finished. */
  static async server(connection: Deno.TcpConn, shown: Shown): Promise<RawTls> {
    const tls = new RawTls(connection);
    const hello = await tls.#message(CLIENT_HELLO);
    const session = hello.subarray(38, 39 + hello[38]);
    const suites = 38 + session.length;
    const methods = suites + 2 + hello.readUInt16BE(suites);
    const { privateKey, share } = keyShare();
    const theirs = peerShare(hello, methods + 1 + hello[methods]);
    await tls.#sendPlain(handshakeMessage(
      SERVER_HELLO,
      [3, 3],
      crypto.randomBytes(32),
      session,
      AES_128_GCM_SHA256,
      [0],
      vector(2, extension(43, [3, 4]), extension(51, [...X25519, ...vector(2, share)])),
    ));
    const keys = tls.#handshakeKeys(privateKey, theirs);
    tls.#writing = new Protection(keys.server);
    await tls.#send(handshakeMessage(ENCRYPTED_EXTENSIONS, vector(2, alpn)));
    await tls.#send(
      handshakeMessage(CERTIFICATE_REQUEST, [0], vector(2, extension(13, vector(2, ED25519)))),
    );
    await tls.#prove(shown, "server");
    await tls.#finish();
    const application = tls.#applicationKeys(keys.master);
    tls.#reading = new Protection(keys.client);
    let end: Buffer;
    do {
      end = await tls.#message();
      if (end[0] === CERTIFICATE) tls.#keepCertificate(end);
    } while (end[0] !== FINISHED);
    tls.#reading = new Protection(application.client);
    tls.#writing = new Protection(application.server);
    return tls;
  }

  /** Sends bytes of the application. */
  write(text: string): Promise<void> {
    return this.#sendRecord(APPLICATION, Buffer.from(text));
  }

  /** Bytes of the application, or `null` where the connection ended, by an alert or without. */
  async read(): Promise<string | null> {
    try {
      while (true) {
        const { type, content } = await this.#record();
        if (type === APPLICATION) return content.toString();
      }
    } catch {
      return null;
    }
  }

  [Symbol.dispose](): void {
    try {
      this.connection.close();
    } catch {
      // Closed already.
    }
  }

  #keepCertificate(message: Buffer): void {
    const list = 4 + 1 + message[4] + 3;
    if (message.length < list + 3) return;
    this.peerCertificate = message.subarray(list + 3, list + 3 + message.readUIntBE(list, 3));
  }

  #handshakeKeys(privateKey: crypto.KeyObject, theirs: Buffer) {
    const zero = Buffer.alloc(32);
    const empty = hash(Buffer.alloc(0));
    const shared = crypto.diffieHellman({
      privateKey,
      publicKey: crypto.createPublicKey({
        key: Buffer.concat([X25519_SPKI, theirs]),
        format: "der",
        type: "spki",
      }),
    });
    const secret = hmac(expand(hmac(zero, zero), "derived", empty, 32), shared);
    const context = hash(this.#transcript);
    return {
      client: expand(secret, "c hs traffic", context, 32),
      server: expand(secret, "s hs traffic", context, 32),
      master: hmac(expand(secret, "derived", empty, 32), zero),
    };
  }

  /** To be called when the server's Finished is the end of the transcript. */
  #applicationKeys(master: Buffer) {
    const context = hash(this.#transcript);
    return {
      client: expand(master, "c ap traffic", context, 32),
      server: expand(master, "s ap traffic", context, 32),
    };
  }

  async #prove({ certificate, keyPem }: Shown, role: "client" | "server"): Promise<void> {
    const list = certificate === undefined ? [] : [...vector(3, certificate), 0, 0];
    await this.#send(handshakeMessage(CERTIFICATE, [0], vector(3, list)));
    if (certificate === undefined) return;
    const signed = Buffer.concat([
      Buffer.alloc(64, 0x20),
      Buffer.from(`TLS 1.3, ${role} CertificateVerify\0`),
      hash(this.#transcript),
    ]);
    const signature = crypto.sign(null, signed, crypto.createPrivateKey(keyPem));
    await this.#send(handshakeMessage(CERTIFICATE_VERIFY, ED25519, vector(2, signature)));
  }

  async #finish(): Promise<void> {
    const key = expand(this.#writing!.secret, "finished", Buffer.alloc(0), 32);
    await this.#send(handshakeMessage(FINISHED, hmac(key, hash(this.#transcript))));
  }

  async #sendPlain(message: Buffer): Promise<void> {
    this.#transcript = Buffer.concat([this.#transcript, message]);
    await this.#writeAll(Buffer.from([HANDSHAKE, 3, 1, ...vector(2, message)]));
  }

  async #send(message: Buffer): Promise<void> {
    this.#transcript = Buffer.concat([this.#transcript, message]);
    await this.#sendRecord(HANDSHAKE, message);
  }

  #sendRecord(type: number, content: Buffer): Promise<void> {
    return this.#writeAll(this.#writing!.seal(type, content));
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.connection.write(bytes.slice(at));
  }

  /** The next message of the handshake; of any type unless one is given. */
  async #message(type?: number): Promise<Buffer> {
    const isComplete = () =>
      this.#messages.length >= 4 && this.#messages.length >= 4 + this.#messages.readUIntBE(1, 3);
    while (!isComplete()) {
      const record = await this.#record();
      if (record.type === HANDSHAKE) {
        this.#messages = Buffer.concat([this.#messages, record.content]);
      }
    }
    const message = this.#messages.subarray(0, 4 + this.#messages.readUIntBE(1, 3));
    this.#messages = this.#messages.subarray(message.length);
    this.#transcript = Buffer.concat([this.#transcript, message]);
    if (type !== undefined && message[0] !== type) {
      throw new Error(`Expected handshake message ${type}, got ${message[0]}`);
    }
    return message;
  }

  async #record(): Promise<{ type: number; content: Buffer }> {
    const header = await this.#bytes(5);
    const content = await this.#bytes(header.readUInt16BE(3));
    const record = header[0] === APPLICATION && this.#reading !== undefined
      ? this.#reading.open(header, content)
      : { type: header[0], content };
    if (record.type === ALERT) {
      this.alert ??= record.content[1];
      throw new Error(`The other side sent the alert ${this.alert}`);
    }
    return record;
  }

  async #bytes(count: number): Promise<Buffer> {
    const buffer = new Uint8Array(16 * 1024);
    while (this.#received.length < count) {
      const size = await this.connection.read(buffer);
      if (size === null) throw new Error("The other side ended the connection");
      this.#received = Buffer.concat([this.#received, buffer.slice(0, size)]);
    }
    const bytes = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return bytes;
  }
}

function keyShare(): { privateKey: crypto.KeyObject; share: Buffer } {
  const { privateKey, publicKey } = crypto.generateKeyPairSync("x25519");
  return { privateKey, share: publicKey.export({ format: "der", type: "spki" }).subarray(-32) };
}

/** The X25519 key in the extension key_share; `at` is where the extensions begin. */
function peerShare(hello: Buffer, at: number): Buffer {
  const end = at + 2 + hello.readUInt16BE(at);
  for (let next = at + 2; next < end;) {
    const type = hello.readUInt16BE(next);
    const size = hello.readUInt16BE(next + 2);
    const content = hello.subarray(next + 4, next + 4 + size);
    next += 4 + size;
    if (type !== 51) continue;
    // A server's hello has one entry, a client's a list of them.
    for (let entry = hello[0] === CLIENT_HELLO ? 2 : 0; entry < content.length;) {
      const group = content.readUInt16BE(entry);
      const length = content.readUInt16BE(entry + 2);
      if (group === 0x1d) return content.subarray(entry + 4, entry + 4 + length);
      entry += 4 + length;
    }
  }
  throw new Error("The other side offers no X25519 key");
}
