import { messageOf, ParlanceError } from "./errors.ts";

/** What a passphrase is read from. */
export interface PassphraseInput {
  isTerminal(): boolean;
  /** Whether the terminal leaves echo and line editing to us. */
  setRaw(raw: boolean): void;
  /** Waits for bytes; `null` at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes a prompt to where the user looks. */
  show(text: string): void;
}

/** The user has left instead of giving a passphrase. */
export class CancelledError extends ParlanceError {
  override name = "CancelledError";
}

/** Characters of a passphrase at most. */
const MAX_LENGTH = 1024;
/** Of the keys that send more than one character, such as the arrows; they mean nothing here. */
// deno-lint-ignore no-control-regex
const ESCAPE_SEQUENCES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?/gs;

/** Asks for passphrases on a terminal without showing them, or takes one from a pipe. */
export class Passphrases {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  readonly #cancelled: Promise<never>;
  /** What is read and not yet used, last character first. */
  #pending: string[] = [];

  /** @param signal Ends the asking with a {@linkcode CancelledError}. */
  constructor(private readonly input: PassphraseInput, signal: AbortSignal) {
    this.#cancelled = new Promise((_, reject) => {
      const cancel = () => reject(new CancelledError("Cancelled"));
      if (signal.aborted) cancel();
      else signal.addEventListener("abort", cancel, { once: true });
    });
    this.#cancelled.catch(() => {}); // whether somebody waits or not
  }

  /**
   * Asks for a passphrase.
   *
   * @throws {CancelledError} The user presses Ctrl-C, or Ctrl-D, or a signal comes.
   * @throws {ParlanceError} It is empty, too long or not UTF-8.
   */
  async ask(prompt: string): Promise<string> {
    const passphrase = this.input.isTerminal() ? await this.#typed(prompt) : await this.#piped();
    if (passphrase === "") throw unreadable("it is empty");
    return passphrase;
  }

  /**
   * Asks for a new passphrase, on a terminal twice, since nobody sees what is typed.
   *
   * @throws {CancelledError} and {@linkcode ParlanceError} as {@linkcode ask}, and where the two
   *   differ.
   */
  async askNew(prompt: string, again: string): Promise<string> {
    const passphrase = await this.ask(prompt);
    if (this.input.isTerminal() && passphrase !== await this.ask(again)) {
      throw unreadable("the two that were typed differ");
    }
    return passphrase;
  }

  async #typed(prompt: string): Promise<string> {
    // First, so that nothing that is typed after the prompt is shown.
    this.input.setRaw(true);
    try {
      this.input.show(prompt);
      return await this.#edited();
    } finally {
      this.input.setRaw(false);
      this.input.show("\n");
    }
  }

  async #edited(): Promise<string> {
    let typed: string[] = [];
    for (;;) {
      const key = await this.#next();
      switch (key) {
        case "\r":
        case "\n":
          return typed.join("");
        case "\b":
        case "\x7f":
          typed.pop();
          break;
        case "\x15": // Ctrl-U
          typed = [];
          break;
        case undefined:
        case "\x03": // Ctrl-C
        case "\x04": // Ctrl-D
          throw new CancelledError("Cancelled");
        default:
          if (/\p{Cc}/u.test(key)) break;
          typed.push(key);
          requireLength(typed);
      }
    }
  }

  async #piped(): Promise<string> {
    const line: string[] = [];
    for (;;) {
      const character = await this.#next();
      if (character === undefined || character === "\n") return line.join("").replace(/\r$/, "");
      line.push(character);
      requireLength(line);
    }
  }

  /** The next character, or `undefined` at the end of the input. */
  async #next(): Promise<string | undefined> {
    while (this.#pending.length === 0) {
      const buffer = new Uint8Array(256);
      const reading = this.input.read(buffer).catch((cause) => {
        throw unreadable(`standard input cannot be read, ${messageOf(cause)}`, cause);
      });
      const length = await Promise.race([this.#cancelled, reading]);
      const text = this.#decode(buffer.subarray(0, length ?? 0), length === null);
      // A pasted line end may be both characters, and would be an empty line of its own.
      const plain = this.input.isTerminal()
        ? text.replaceAll("\r\n", "\r").replace(ESCAPE_SEQUENCES, "")
        : text;
      this.#pending = [...plain].reverse();
      if (length === null) break;
    }
    return this.#pending.pop();
  }

  #decode(bytes: Uint8Array, isLast: boolean): string {
    try {
      return this.#decoder.decode(bytes, { stream: !isLast });
    } catch (cause) {
      throw unreadable("it is not UTF-8", cause);
    }
  }
}

function requireLength(characters: readonly string[]): void {
  if (characters.length > MAX_LENGTH) throw unreadable(`it has more than ${MAX_LENGTH} characters`);
}

function unreadable(why: string, cause?: unknown): ParlanceError {
  return new ParlanceError(`Cannot use the passphrase: ${why}; try again`, { cause });
}
