/**
 * A WebSocket client on a bare TCP connection (RFC 6455): cheap enough to simulate thousands of
 * clients in one process, and free to do what a proper client never does. For benchmarks and
 * tests only: masks are zero, and nothing is checked beyond what they need.
 *
 * @module
 */

/** Frame types (RFC 6455, section 5.2). */
export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** One frame as it arrived. */
export interface RawFrame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Uint8Array<ArrayBuffer>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The bytes of a client's frame. A mask of zeros is a mask, and leaves the payload as it is. */
export function clientFrame(
  opcode: number,
  payload: Uint8Array | string,
  final = true,
): Uint8Array<ArrayBuffer> {
  const body = typeof payload === "string" ? encoder.encode(payload) : payload;
  const head = clientFrameHead(opcode, body.length, final);
  const frame = new Uint8Array(head.length + body.length);
  frame.set(head);
  frame.set(body, head.length);
  return frame;
}

/** The head alone, for frames that promise more than they hold. */
export function clientFrameHead(
  opcode: number,
  length: number,
  final = true,
): Uint8Array<ArrayBuffer> {
  const extended = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const head = new Uint8Array(2 + extended + 4);
  const view = new DataView(head.buffer);
  head[0] = (final ? 0x80 : 0) | opcode;
  head[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) view.setUint16(2, length);
  if (extended === 8) view.setBigUint64(2, BigInt(length));
  return head;
}

/** Dials and upgrades; `caCerts` (PEM) vouch for a `wss:` server. Gives the connection, and what followed the response's head. */
export async function dialUpgraded(
  url: URL,
  tls: { readonly caCerts?: string[] } = {},
): Promise<{ conn: Deno.Conn; rest: Uint8Array<ArrayBuffer> }> {
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const address = { hostname, port: Number(url.port) };
  const conn = url.protocol === "wss:"
    ? await Deno.connectTls({ ...address, ...tls })
    : await Deno.connect(address);
  try {
    await writeAll(
      conn,
      encoder.encode(
        `GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\n` +
          "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
          "Sec-WebSocket-Version: 13\r\n\r\n",
      ),
    );
    let received = new Uint8Array(0);
    for (;;) {
      const chunk = new Uint8Array(1024);
      const count = await conn.read(chunk);
      if (count === null) throw new Error(`Cannot upgrade at ${url}: connection ended`);
      received = concat(received, chunk.subarray(0, count));
      const end = decoder.decode(received).indexOf("\r\n\r\n"); // the head is ASCII
      if (end === -1) continue;
      const status = decoder.decode(received).split("\r\n", 1)[0];
      if (!status.startsWith("HTTP/1.1 101")) {
        throw new Error(`Cannot upgrade at ${url}: ${status}`);
      }
      return { conn, rest: received.slice(end + 4) };
    }
  } catch (error) {
    conn.close();
    throw error;
  }
}

/** Writes all of `bytes`, which one call of `write` may not do. */
export async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** One connection with its frames, read only when asked for. */
export class RawWebSocket implements Disposable {
  #received: Uint8Array<ArrayBuffer>;
  #closed = false;

  private constructor(readonly conn: Deno.Conn, rest: Uint8Array<ArrayBuffer>) {
    this.#received = rest;
  }

  /** Dials `ws:`, or `wss:` where `caCerts` (PEM) vouch for the server. */
  static async dial(
    url: string | URL,
    tls?: { readonly caCerts?: string[] },
  ): Promise<RawWebSocket> {
    const { conn, rest } = await dialUpgraded(new URL(url), tls);
    return new RawWebSocket(conn, rest);
  }

  /** Sends one whole text frame. */
  sendText(text: string): Promise<void> {
    return writeAll(this.conn, clientFrame(Opcode.text, text));
  }

  /** Sends any bytes. */
  sendBytes(bytes: Uint8Array): Promise<void> {
    return writeAll(this.conn, bytes);
  }

  /** The next frame; `undefined` once the connection has ended. */
  async readFrame(): Promise<RawFrame | undefined> {
    for (;;) {
      const head = readHead(this.#received, 0);
      if (head !== undefined && this.#received.length >= head.size + head.length) {
        const payload = this.#received.slice(head.size, head.size + head.length);
        this.#received = this.#received.slice(head.size + head.length);
        return { opcode: head.opcode, final: head.final, payload };
      }
      const chunk = new Uint8Array(65536);
      let count: number | null;
      try {
        count = await this.conn.read(chunk);
      } catch {
        return undefined; // reset by the other side
      }
      if (count === null) return undefined;
      this.#received = concat(this.#received, chunk.subarray(0, count));
    }
  }

  /** The next text frame as JSON; throws when something else, or nothing, comes. */
  async readJson(): Promise<Record<string, unknown>> {
    const frame = await this.readFrame();
    if (frame?.opcode !== Opcode.text) {
      throw new Error(`Expected a text frame, got opcode ${frame?.opcode}`);
    }
    return JSON.parse(decoder.decode(frame.payload));
  }

  /** The code and reason of the next frame, which must be a close frame. */
  async readClose(): Promise<{ code: number; reason: string }> {
    const frame = await this.readFrame();
    if (frame?.opcode !== Opcode.close) {
      throw new Error(`Expected a close frame, got opcode ${frame?.opcode}`);
    }
    const code = new DataView(frame.payload.buffer).getUint16(0);
    return { code, reason: decoder.decode(frame.payload.subarray(2)) };
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.conn.close();
  }
}

/** A frame's head at `at`, or `undefined` where it is not complete. */
export function readHead(
  bytes: Uint8Array,
  at: number,
): { opcode: number; final: boolean; size: number; length: number } | undefined {
  if (bytes.length - at < 2) return undefined;
  const short = bytes[at + 1] & 0x7f;
  const size = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length - at < size) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, size);
  const length = short < 126
    ? short
    : short === 126
    ? view.getUint16(2)
    : Number(view.getBigUint64(2));
  return { opcode: bytes[at] & 0x0f, final: (bytes[at] & 0x80) !== 0, size, length };
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
