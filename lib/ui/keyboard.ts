import { Buffer } from "node:buffer";
import process from "node:process";
import type { Interface } from "node:readline";
import { PassThrough } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** From this many characters without a control key on, a text was pasted rather than typed. */
const PASTED = 32;

/** Text, or a key that is no text with the rest of its escape sequence. */
const KEYS_OR_TEXT = /\P{Cc}+|\p{Cc}\P{Cc}{0,8}/gu;

/**
 * The keyboard of a terminal for the line editor, which takes every key by itself and measures
 * the whole line each time: a pasted text of 10,000 characters would take it minutes. Here such a
 * text goes into the line at once.
 */
export class Keyboard implements Disposable {
  /** What the line editor is to read. */
  readonly input = new PassThrough();
  readonly #decoder = new StringDecoder("utf8");
  readonly #onData = (chunk: Uint8Array) => this.#take(this.#decoder.write(Buffer.from(chunk)));
  readonly #onEnd = () => this.input.end();
  #editor: Interface | undefined;

  /** Starts reading the keys, which the terminal does not show by itself any more. */
  attach(editor: Interface): void {
    this.#editor = editor;
    process.stdin.setRawMode(true);
    process.stdin.on("data", this.#onData);
    process.stdin.on("end", this.#onEnd);
    process.stdin.resume();
  }

  /** Leaves the terminal as it was. */
  [Symbol.dispose](): void {
    process.stdin.off("data", this.#onData);
    process.stdin.off("end", this.#onEnd);
    try {
      process.stdin.setRawMode(false);
    } catch {
      // The terminal is gone.
    }
    process.stdin.pause();
  }

  #take(text: string): void {
    for (const [part] of text.matchAll(KEYS_OR_TEXT)) {
      // At once, not by way of the stream's buffer: the parts must stay in order.
      if (part.length >= PASTED) this.#editor?.write(part);
      else this.input.emit("data", Buffer.from(part));
    }
  }
}
