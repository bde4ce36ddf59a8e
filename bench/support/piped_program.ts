/**
 * What has not come within this many milliseconds does not come any more. Far above what the
 * slowest machine takes: a bench fails for what is lost, never for what is slow.
 */
const LIMIT_MS = 60_000;
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
   * @param until By `performance.now()`.
   * @throws When none come until then.
   */
  async read(until = inTime()): Promise<Uint8Array<ArrayBuffer> | undefined> {
    let timer;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${this.#label} did not say it within ${LIMIT_MS / 1000} s`)),
        Math.max(0, until - performance.now()),
      );
    });
    try {
      return (await Promise.race([this.#output.read(), late])).value;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The next line of standard output. */
  async line(until = inTime()): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const bytes = await this.read(until);
      if (bytes === undefined) throw new Error(`${this.#label} has ended`);
      this.#rest += this.#decoder.decode(bytes, { stream: true });
    }
  }

  /** The next line that is an object with these members. */
  async event(wanted: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    const until = inTime();
    for (;;) {
      const event = JSON.parse(await this.line(until));
      if (Object.entries(wanted).every(([key, value]) => event[key] === value)) return event;
    }
  }

  /**
   * Reads until at least `count` more lines have come.
   *
   * @param beginning Counts only lines that begin so.
   * @returns The bytes of whole lines as they came, to be looked at when the clock has stopped.
   * @throws When the program ends before that, or they do not come.
   */
  async lines(count: number, beginning = ""): Promise<Uint8Array[]> {
    const until = inTime();
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    const counter = new LineCounter(beginning);
    const take = (bytes: Uint8Array<ArrayBuffer>) => {
      chunks.push(bytes);
      counter.push(bytes);
    };
    if (this.#rest !== "") take(new TextEncoder().encode(this.#rest));
    this.#rest = "";
    while (counter.count < count) {
      let bytes;
      let cause: unknown = `${this.#label} has ended`;
      try {
        bytes = await this.read(until);
      } catch (error) {
        cause = error;
      }
      if (bytes === undefined) {
        throw new Error(`Only ${counter.count} of ${count} lines came`, { cause });
      }
      take(bytes);
    }
    const last = chunks.pop();
    if (last === undefined) return chunks;
    const end = last.lastIndexOf(NEWLINE) + 1;
    this.#rest = this.#decoder.decode(last.subarray(end), { stream: true });
    return [...chunks, last.subarray(0, end)];
  }

  /** Waits until the program has ended by itself. */
  async ended(): Promise<void> {
    while (await this.read() !== undefined);
    await this.#child.status;
  }

  /** Asks the program to end, for those that do not end with their input. */
  terminate(): void {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
  }

  /** Ends its input, which ends most programs, and waits for the end. */
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

/** The latest moment for what is waited for from now on. */
function inTime(): number {
  return performance.now() + LIMIT_MS;
}

/** Counts lines that begin in some way, in pieces, at little cost. */
class LineCounter {
  count = 0;
  readonly #beginning: Uint8Array;
  /** Bytes of the current line that agree with the beginning; none any more at -1. */
  #agreed = 0;

  constructor(beginning: string) {
    this.#beginning = new TextEncoder().encode(beginning);
  }

  push(bytes: Uint8Array): void {
    const wanted = this.#beginning;
    for (let at = 0; at < bytes.length;) {
      while (this.#agreed >= 0 && this.#agreed < wanted.length && at < bytes.length) {
        this.#agreed = bytes[at++] === wanted[this.#agreed] ? this.#agreed + 1 : -1;
        if (this.#agreed < 0) at--;
      }
      const end = bytes.indexOf(NEWLINE, at);
      if (end < 0) return;
      if (this.#agreed === wanted.length) this.count++;
      this.#agreed = 0;
      at = end + 1;
    }
  }
}
