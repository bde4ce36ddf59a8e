/** Without any output for this long, what is waited for does not come any more; milliseconds. */
const SILENCE_MS = 30_000;
/** A program that was asked to end is stopped after this time, in milliseconds. */
const END_MS = 5000;

const NEWLINE = 0x0a;

export interface PipedProgramOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Shown in failures. */
  readonly label: string;
  readonly cwd: string;
  /** Added to the variables of this process. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * A program between two pipes, whose output is read as bytes, so that looking at it costs the
 * measurement little. One read may be under way at the same time.
 */
export class PipedProgram implements AsyncDisposable {
  readonly #label: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #decoder = new TextDecoder();
  /** What was read behind the last line that was taken. */
  #rest = "";

  constructor({ command, args, label, cwd, env }: PipedProgramOptions) {
    this.#label = label;
    this.#child = new Deno.Command(command, {
      args: [...args],
      cwd,
      env: { ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.getReader();
  }

  /** Writes to standard input; waits while the program takes no more. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#input.write(bytes);
  }

  /** Writes an object as a line to standard input. */
  send(object: object): Promise<void> {
    return this.write(new TextEncoder().encode(`${JSON.stringify(object)}\n`));
  }

  /** Ends standard input. */
  async closeInput(): Promise<void> {
    await this.#input.close().catch(() => {});
  }

  /**
   * The next bytes of standard output; `undefined` at its end.
   *
   * @throws When none come for half a minute.
   */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    let timer;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${this.#label} has said nothing for ${SILENCE_MS / 1000} s`)),
        SILENCE_MS,
      );
    });
    try {
      return (await Promise.race([this.#output.read(), silence])).value;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The next line of standard output. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const bytes = await this.read();
      if (bytes === undefined) throw new Error(`${this.#label} has ended`);
      this.#rest += this.#decoder.decode(bytes, { stream: true });
    }
  }

  /** The next line that is an object with these members. */
  async event(wanted: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    for (;;) {
      const event = JSON.parse(await this.line());
      if (Object.entries(wanted).every(([key, value]) => event[key] === value)) return event;
    }
  }

  /**
   * Reads until `count` more lines have come, from the start of a line on.
   *
   * @returns The bytes as they came, to be looked at when the clock has stopped.
   * @throws When the program ends, or is silent, before that.
   */
  async lines(count: number): Promise<Uint8Array[]> {
    const chunks: Uint8Array[] = [];
    let seen = 0;
    if (this.#rest !== "") {
      const bytes = new TextEncoder().encode(this.#rest);
      this.#rest = "";
      chunks.push(bytes);
      seen += countLines(bytes);
    }
    while (seen < count) {
      let bytes;
      try {
        bytes = await this.read();
      } catch (error) {
        throw new Error(`Only ${seen} of ${count} lines came`, { cause: error });
      }
      if (bytes === undefined) {
        throw new Error(`Only ${seen} of ${count} lines came: ${this.#label} has ended`);
      }
      chunks.push(bytes);
      seen += countLines(bytes);
    }
    return chunks;
  }

  /** Waits until the program has ended by itself. */
  async ended(): Promise<void> {
    while (await this.read() !== undefined);
    await this.#child.status;
  }

  /** Ends its input, which ends every program that is measured here, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeInput();
    const timer = setTimeout(() => {
      try {
        this.#child.kill("SIGKILL");
      } catch {
        // It has just ended by itself.
      }
    }, END_MS);
    try {
      while (!(await this.#output.read()).done);
    } catch {
      // Nothing to read any more.
    }
    await this.#child.status;
    clearTimeout(timer);
  }
}

function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}
