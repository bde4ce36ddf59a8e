import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import tls from "node:tls";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../errors.ts";
import type { SocketAddress } from "../wire/address.ts";
import { ALPN_PROTOCOL } from "../wire/session.ts";
import type { Stream } from "./stream.ts";

/** A handshake has to be complete within this many milliseconds. */
const HANDSHAKE_MS = 5000;
/** What may wait between the network and TLS, in bytes. */
const READ_BUFFER = 64 * 1024;
/** The reading buffer grows while the peer fills it; most sessions are quiet. */
const MIN_READ = 4 * 1024;
/** What is encrypted at once, in bytes; the caller comes back with the rest. */
const MAX_WRITE = 256 * 1024;

/** A key and the certificate that it belongs to, in PEM. */
export interface TlsCredentials {
  readonly keyPem: string;
  readonly certificatePem: string;
}

/** What {@linkcode secure} needs. */
export interface TlsOptions {
  readonly clock: Clock;
  readonly credentials: TlsCredentials;
  /** The side that dialled is the client. */
  readonly role: "client" | "server";
  /**
   * Judges the other side's certificate (DER) before a byte of the application is sent or read.
   *
   * @returns Why it is refused, or `undefined`.
   */
  readonly judge: (certificate: Uint8Array) => Promise<string | undefined>;
  /** Gives up by rejecting. */
  readonly signal?: AbortSignal;
}

/**
 * Upgrades a stream to mutual TLS 1.3: both sides show a certificate and prove its key.
 *
 * The runtime checks that proof only for certificates that it can read in full, so `judge` has to
 * refuse all but those of X.509 version 3 without extensions. There is no session resumption: no tickets are kept, and every session begins with a
 * full handshake that shows the certificate.
 *
 * @returns The encrypted stream, which owns the one below. When this rejects, that is closed.
 * @throws {Error} When the handshake fails or takes longer than 5 s, or the certificate is refused.
 */
export async function secure(stream: Stream, options: TlsOptions): Promise<Stream> {
  const { clock, credentials, role, judge, signal } = options;
  const common = {
    cert: credentials.certificatePem,
    key: credentials.keyPem,
    minVersion: "TLSv1.3" as const,
    maxVersion: "TLSv1.3" as const,
    ALPNProtocols: [ALPN_PROTOCOL],
    // Certificates are signed by nobody but their owner: `judge` decides, not an authority.
    rejectUnauthorized: false,
  };
  const below = new StreamDuplex(stream);
  const socket = role === "client"
    ? tls.connect({ ...common, socket: below, checkServerIdentity: () => undefined })
    : new tls.TLSSocket(below, { ...common, isServer: true, requestCert: true });
  const secured = new TlsStream(socket, below, stream);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {}); // nobody waits for it where the signal was faster
  const cancel = clock.after(
    HANDSHAKE_MS,
    () => reject(new Error(`no TLS handshake within ${HANDSHAKE_MS / 1000} s`)),
  );
  const onAbort = () => reject(signal!.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  socket.once(role === "client" ? "secureConnect" : "secure", resolve);
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("the connection ended in the TLS handshake")));
  try {
    if (signal?.aborted) throw signal.reason;
    await promise;
    if (socket.getProtocol() !== "TLSv1.3") throw new Error("the other side spoke no TLS 1.3");
    if (socket.alpnProtocol !== ALPN_PROTOCOL) {
      throw new Error(`the other side did not agree on ${ALPN_PROTOCOL}`);
    }
    const certificate = socket.getPeerCertificate(true)?.raw;
    if (certificate === undefined) throw new Error("the other side showed no certificate");
    const problem = await judge(new Uint8Array(certificate));
    if (signal?.aborted) throw signal.reason;
    if (problem !== undefined) throw new Error(problem);
    return secured;
  } catch (error) {
    secured.close();
    throw explained(error);
  } finally {
    cancel();
    signal?.removeEventListener("abort", onAbort);
  }
}

/** The runtime calls a wrong signature of the handshake by the name of what it was told to allow. */
function explained(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(messageOf(error));
  if ((error as { code?: unknown }).code !== "DEPTH_ZERO_SELF_SIGNED_CERT") return error;
  return new Error("the other side did not prove the key of its certificate", { cause: error });
}

/** The bytes of a stream as the runtime's TLS wants them. */
class StreamDuplex extends Duplex {
  readonly #stream: Stream;
  #buffer = new Uint8Array(MIN_READ);
  #written = Promise.resolve();
  #isHeld = false;
  /** Whether enough is decrypted and not read yet. */
  isFull: () => boolean = () => false;
  /** Why writing failed: the runtime's TLS reports such writes as done. */
  failure: Error | undefined;

  constructor(stream: Stream) {
    super({ highWaterMark: READ_BUFFER });
    this.#stream = stream;
  }

  override _read(): void {
    // The runtime's TLS decrypts whatever it gets, read or not: it gets no more than is read.
    if (this.isFull()) this.#isHeld = true;
    else this.#readOn();
  }

  /** Reads on if it waits for {@linkcode isFull}. */
  drained(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#readOn();
  }

  #readOn(): void {
    this.#stream.read(this.#buffer).then(
      (count) => this.#take(count),
      (error) => this.destroy(error),
    );
  }

  #take(count: number | null): void {
    if (count === null) return void this.push(null);
    // A copy, since the next read comes before this one was decrypted.
    const bytes = Buffer.from(this.#buffer.slice(0, count));
    if (count === this.#buffer.length && count < READ_BUFFER) {
      this.#buffer = new Uint8Array(count * 4);
    }
    this.push(bytes);
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#written = this.#writeAll(chunk, done);
  }

  override _writev(
    chunks: { chunk: Uint8Array }[],
    done: (error?: Error | null) => void,
  ): void {
    const bytes = Buffer.concat(chunks.map(({ chunk }) => chunk));
    this.#written = this.#writeAll(bytes, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.closeWrite().then(() => done(), () => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const close = () => {
      this.#stream.close();
      done(error);
    };
    // At an orderly end the runtime may come here while the last bytes are still on their way.
    if (error === null) void this.#written.then(close);
    else close();
  }

  async #writeAll(bytes: Uint8Array, done: (error?: Error) => void): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#stream.write(bytes.subarray(at));
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(messageOf(error));
      return done(this.failure);
    }
    done();
  }
}

/** The decrypted side as a stream. */
class TlsStream implements Stream {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  #rest: Uint8Array | undefined;
  #error: Error | undefined;
  #ended = false;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(
    private readonly socket: tls.TLSSocket,
    private readonly duplex: StreamDuplex,
    private readonly below: Stream,
  ) {
    this.local = below.local;
    this.remote = below.remote;
    duplex.isFull = () => socket.readableLength >= READ_BUFFER;
    socket.on("readable", () => this.#wake?.());
    socket.on("end", () => {
      this.#ended = true;
      this.#wake?.();
    });
    const fail = (error: Error) => {
      this.#error ??= error;
      this.#wake?.();
    };
    socket.on("error", fail);
    // The runtime answers a record that does not decrypt with an alert, and tells nobody else of it.
    socket.on("_tlsError", fail);
    socket.on("close", () => {
      this.#error ??= new Error("Connection is closed");
      this.#wake?.();
    });
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    if (buffer.length === 0) return 0;
    while (true) {
      if (this.#rest === undefined) {
        this.#rest = this.socket.read() ?? undefined;
        this.duplex.drained();
      }
      if (this.#rest !== undefined) return this.#take(buffer);
      if (this.#ended) return null;
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) return reject(this.#error);
      const part = bytes.subarray(0, MAX_WRITE);
      const settle = (error?: Error | null) => {
        this.socket.off("close", onClose);
        const failure = error ?? this.duplex.failure ?? this.#error;
        if (failure) reject(failure);
        else resolve(part.length);
      };
      const onClose = () => settle(this.#error ?? new Error("Connection is closed"));
      this.socket.once("close", onClose);
      this.socket.write(part, settle);
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.once("close", resolve);
      this.socket.end(() => {
        this.socket.off("close", resolve);
        resolve();
      });
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error ??= new Error("Stream is closed");
    this.socket.destroy();
    this.below.close();
    this.#wake?.();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #take(buffer: Uint8Array): number {
    const rest = this.#rest!;
    const count = Math.min(rest.length, buffer.length);
    buffer.set(rest.subarray(0, count));
    this.#rest = count === rest.length ? undefined : rest.subarray(count);
    return count;
  }
}
