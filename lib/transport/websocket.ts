import { AsyncQueue } from "../base/async_queue.ts";
import type { DialTextChannel, TextChannel } from "./text_channel.ts";

/** Longest text that is taken, in UTF-16 units: a list of 10,000 peers is a quarter of it. */
const MAX_TEXT = 8 * 1024 * 1024;
/** Texts that may wait to be read: the runtime cannot make a WebSocket's other side wait. */
const MAX_WAITING = 64;
/** What these may hold together, in UTF-16 units: one that is read late, and the next one. */
const MAX_WAITING_LENGTH = 2 * MAX_TEXT;
/** The close code for a broken limit: the runtime lets a client use none but 1000 and 3000 to 4999. */
const LIMIT_CODE = 4008;
/** How long closing politely may take, in milliseconds. */
const CLOSE_MS = 1000;

/** Opens a WebSocket as a client (RFC 6455). */
export const dialWebSocket: DialTextChannel = (url, signal) => {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = new WebSocket(url);
    const onAbort = () => {
      socket.close();
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.onopen = () => {
      signal.removeEventListener("abort", onAbort);
      resolve(new WebSocketChannel(socket));
    };
    socket.onerror = (event) => {
      signal.removeEventListener("abort", onAbort);
      reject(new Error(event instanceof ErrorEvent ? event.message : "connection failed"));
    };
  });
};

class WebSocketChannel implements TextChannel {
  readonly #texts = new AsyncQueue<string>(MAX_WAITING);
  readonly #closed = Promise.withResolvers<void>();
  #failure: Error | undefined;
  /** UTF-16 units of the texts that wait. */
  #waiting = 0;

  constructor(private readonly socket: WebSocket) {
    socket.onmessage = ({ data }) => {
      if (this.#failure !== undefined) return; // what still comes while closing
      if (typeof data !== "string") return this.#fail("the server sent a binary frame");
      if (data.length > MAX_TEXT) return this.#fail(`the server sent over ${MAX_TEXT} characters`);
      this.#waiting += data.length;
      if (this.#texts.length >= MAX_WAITING || this.#waiting > MAX_WAITING_LENGTH) {
        return this.#fail("the server sends too fast");
      }
      this.#texts.push(data);
    };
    socket.onerror = (event) => {
      this.#failure ??= new Error(event instanceof ErrorEvent ? event.message : "connection broke");
    };
    socket.onclose = ({ code, reason }) => {
      // 1000, 1001 and an end without a code (1005) are orderly; anything else is worth telling
      // (RFC 6455, section 7.4.1).
      if (code !== 1000 && code !== 1001 && code !== 1005) {
        this.#failure ??= new Error(
          `connection closed with code ${code}${reason && ` (${reason})`}`,
        );
      }
      this.#texts.close();
      this.#closed.resolve();
    };
  }

  get messages(): AsyncIterable<string> {
    return this.#read();
  }

  send(text: string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close(1000);
    const timer = setTimeout(() => this.#closed.resolve(), CLOSE_MS);
    await this.#closed.promise;
    clearTimeout(timer);
    await this.#texts.return();
  }

  async *#read(): AsyncGenerator<string> {
    for await (const text of this.#texts) {
      this.#waiting -= text.length;
      yield text;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(reason: string): void {
    this.#failure ??= new Error(reason);
    this.socket.close(LIMIT_CODE, reason);
    this.#texts.close();
  }
}
