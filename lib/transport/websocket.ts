import { AsyncQueue } from "../base/async_queue.ts";
import type { DialTextChannel, TextChannel } from "./text_channel.ts";

/** Longest text that is taken, in UTF-16 units: a list of 10,000 peers is a quarter of it. */
const MAX_TEXT = 8 * 1024 * 1024;
/** Texts that may wait to be read: the runtime cannot make a WebSocket's other side wait. */
const MAX_WAITING = 64;
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

  constructor(private readonly socket: WebSocket) {
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return this.#fail("the server sent a binary frame");
      if (data.length > MAX_TEXT) return this.#fail(`the server sent over ${MAX_TEXT} characters`);
      if (this.#texts.length >= MAX_WAITING) return this.#fail("the server sends too fast");
      this.#texts.push(data);
    };
    socket.onerror = (event) => {
      this.#failure ??= new Error(event instanceof ErrorEvent ? event.message : "connection broke");
    };
    socket.onclose = ({ code, reason }) => {
      // 1000 and 1001 are orderly ends; anything else is worth telling (RFC 6455, section 7.4.1).
      if (code !== 1000 && code !== 1001) {
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
    yield* this.#texts;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(reason: string): void {
    this.#failure ??= new Error(reason);
    this.socket.close(1008, reason);
    this.#texts.close();
  }
}
