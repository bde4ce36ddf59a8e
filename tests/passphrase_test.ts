import assert from "node:assert/strict";
import { type PassphraseInput, Passphrases } from "../lib/passphrase.ts";

/** Standard input that holds what a test gives it, and tells what was done to it. */
class Input implements PassphraseInput {
  shown = "";
  /** Whether echo is off, at each step. */
  readonly raw: boolean[] = [];
  readonly #parts: (Uint8Array | string)[];

  /** @param end What comes behind the last part: the end, or nothing ever. */
  constructor(
    parts: (Uint8Array | string)[],
    private readonly terminal = true,
    private readonly end: Promise<null> = Promise.resolve(null),
  ) {
    this.#parts = parts;
  }

  isTerminal(): boolean {
    return this.terminal;
  }

  setRaw(raw: boolean): void {
    this.raw.push(raw);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const part = this.#parts.shift();
    if (part === undefined) return this.end;
    const bytes = typeof part === "string" ? new TextEncoder().encode(part) : part;
    const taken = bytes.subarray(0, buffer.length);
    buffer.set(taken);
    if (taken.length < bytes.length) this.#parts.unshift(bytes.subarray(taken.length));
    return Promise.resolve(taken.length);
  }

  show(text: string): void {
    assert.deepEqual(this.raw.length === 0 && this.terminal, false, "shown before echo is off");
    this.shown += text;
  }
}

const never = new AbortController().signal;

async function typed(...parts: (Uint8Array | string)[]): Promise<string> {
  const input = new Input(parts);
  const passphrase = await new Passphrases(input, never).ask("? ");
  assert.equal(input.shown, "? \n", "nothing but the prompt and the end of its line");
  assert.deepEqual(input.raw, [true, false]);
  return passphrase;
}

Deno.test("a passphrase is typed without being shown, and can be mended", async () => {
  assert.equal(await typed("secret\r"), "secret");
  assert.equal(await typed("s", "e", "cret\n"), "secret");
  assert.equal(await typed("sex\x7fcrett\b\r"), "secret");
  assert.equal(await typed("\x7f\x7fa\r"), "a");
  assert.equal(await typed("wrong\x15right\r"), "right");
  assert.equal(await typed("a\x1b[Db\x1b[3~c\x1bOHd\te\r"), "abcde");
  assert.equal(await typed("a😀\x7fb\r"), "ab");
  const bytes = new TextEncoder().encode("pässwörd\r");
  assert.equal(await typed(...[...bytes].map((byte) => Uint8Array.of(byte))), "pässwörd");
});

Deno.test("a new passphrase is typed twice, and both have to be the same", async () => {
  const input = new Input(["one\rone\r"]);
  assert.equal(await new Passphrases(input, never).askNew("New: ", "Again: "), "one");
  assert.equal(input.shown, "New: \nAgain: \n");
  const pasted = new Passphrases(new Input(["one\r\none\r\n"]), never);
  assert.equal(await pasted.askNew("New: ", "Again: "), "one");
  const different = new Input(["one\rtwo\r"]);
  await assert.rejects(new Passphrases(different, never).askNew("New: ", "Again: "), {
    name: "ParlanceError",
    message: "Cannot use the passphrase: the two that were typed differ; try again",
  });
  assert.deepEqual(different.raw, [true, false, true, false]);
});

Deno.test("who leaves gets the terminal back as it was", async () => {
  for (const keys of ["abc\x03", "\x04", "abc"]) {
    const input = new Input([keys]);
    await assert.rejects(new Passphrases(input, never).ask("? "), { name: "CancelledError" });
    assert.deepEqual(input.raw, [true, false]);
  }
  const stop = new AbortController();
  const input = new Input(["abc"], true, new Promise(() => {}));
  const asking = new Passphrases(input, stop.signal).ask("? ");
  stop.abort();
  await assert.rejects(asking, { name: "CancelledError" });
  assert.deepEqual(input.raw, [true, false]);
});

Deno.test("a pipe gives one line, without any question", async () => {
  const piped = async (...parts: (Uint8Array | string)[]) => {
    const input = new Input(parts, false);
    const passphrase = await new Passphrases(input, never).askNew("New: ", "Again: ");
    assert.deepEqual([input.shown, input.raw], ["", []]);
    return passphrase;
  };
  assert.equal(await piped("secret\nmore\n"), "secret");
  assert.equal(await piped("sec", "ret"), "secret");
  assert.equal(await piped(" a b\x7f \r\n"), " a b\x7f ");
});

Deno.test("what can be no passphrase is refused", async () => {
  const refusal = async (part: Uint8Array | string, why: string) => {
    for (const terminal of [true, false]) {
      const input = new Input([part], terminal);
      await assert.rejects(new Passphrases(input, never).ask("? "), {
        name: "ParlanceError",
        message: `Cannot use the passphrase: ${why}; try again`,
      });
      assert.deepEqual(input.raw, terminal ? [true, false] : []);
    }
  };
  await refusal("\n", "it is empty");
  await refusal(Uint8Array.of(0x61, 0xff, 0x0a), "it is not UTF-8");
  await refusal("x".repeat(1_000_000), "it has more than 1024 characters");
});

Deno.test("standard input that cannot be read is an error for the user", async () => {
  const broken = Promise.reject<null>(new Deno.errors.IsADirectory("Is a directory"));
  await assert.rejects(new Passphrases(new Input([], false, broken), never).ask("? "), {
    name: "ParlanceError",
    message: "Cannot use the passphrase: standard input cannot be read, Is a directory; try again",
  });
});
