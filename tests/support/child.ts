import assert from "node:assert/strict";

/** How long a wait may last before the test fails, in milliseconds; an event ends it earlier. */
export const WAIT_LIMIT_MS = 30_000;
/** How much text of each output is kept for the message of a failed wait, in characters. */
const KEPT_TEXT = 4 * 1024 * 1024;
/** How much of it a failure shows. */
const SHOWN_TEXT = 8_000;

/** One object that a program printed on a line of its own. */
export type Event = Record<string, unknown>;

/** What an event must be: fields that it has with these values, or a test of it. */
export type Match = Event | ((event: Event) => boolean);

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** The whole environment of the program: nothing else is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether standard output is one JSON object a line and nothing else. */
  readonly json: boolean;
  /** Shown in failures. */
  readonly label: string;
  /** Directory to remove when the program has ended. */
  readonly ownedDirectory?: string;
}

/**
 * A program that was started by a test, and what it says. Whatever a test waits for is an event of
 * the program; a wait that lasts too long fails with everything that was said so far.
 */
export class Child implements AsyncDisposable {
  /** The objects on standard output so far, in their order. */
  readonly events: Event[] = [];
  /** Standard output so far, as text. */
  stdout = "";
  /** Standard error so far, as text. */
  stderr = "";
  /** Fulfilled when the program has ended and its output is read to the end. */
  readonly exit: Promise<Deno.CommandStatus>;
  readonly pid: number;
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #changed = new Set<() => void>();
  readonly #readers: Promise<void>[];
  #stdoutReader: ReadableStreamDefaultReader<Uint8Array>;
  #rest = "";
  #notJson: string | undefined;
  #ended: Deno.CommandStatus | undefined;

  constructor(private readonly options: ChildOptions) {
    this.#process = new Deno.Command(options.command, {
      args: [...options.args],
      cwd: options.cwd,
      env: { ...options.env },
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#process.pid;
    this.#stdin = this.#process.stdin.getWriter();
    this.#stdoutReader = this.#process.stdout.getReader();
    this.#readers = [
      this.#read(this.#stdoutReader, (text) => {
        this.stdout = (this.stdout + text).slice(-KEPT_TEXT);
        if (options.json) this.#take(text);
      }),
      this.#read(this.#process.stderr.getReader(), (text) => {
        this.stderr = (this.stderr + text).slice(-KEPT_TEXT);
      }),
    ];
    this.exit = this.#watchExit();
  }

  /** The next index of {@linkcode events}: what a later wait is to start from. */
  mark(): number {
    return this.events.length;
  }

  /**
   * Waits for an event on a line of standard output.
   *
   * @param match What it must be.
   * @param from Events before this index do not count.
   */
  waitFor(match: Match, from = 0): Promise<Event> {
    let next = from;
    const wanted = typeof match === "function" ? match.toString() : JSON.stringify(match);
    return this.#until(`an event that matches ${wanted}`, () => {
      while (next < this.events.length) {
        const event = this.events[next++];
        if (matches(event, match)) return event;
      }
    });
  }

  /** The events so far that match. */
  all(match: Match, from = 0): Event[] {
    return this.events.slice(from).filter((event) => matches(event, match));
  }

  /** Waits until standard output matches, and returns it. */
  waitForText(pattern: RegExp): Promise<string> {
    return this.#until(
      `output that matches ${pattern}`,
      () => pattern.test(this.stdout) ? this.stdout : undefined,
    );
  }

  /** Waits until standard error matches, and returns it. */
  waitForLog(pattern: RegExp): Promise<string> {
    return this.#until(
      `a log that matches ${pattern}`,
      () => pattern.test(this.stderr) ? this.stderr : undefined,
    );
  }

  /** Waits until `condition`, looked at whenever the program says something, is not undefined. */
  waitUntil<T>(what: string, condition: () => T | undefined): Promise<T> {
    return this.#until(what, condition);
  }

  /** Writes one object as a line to standard input. */
  send(command: Event): Promise<void> {
    return this.write(JSON.stringify(command) + "\n");
  }

  /** Writes text to standard input. */
  write(text: string): Promise<void> {
    return this.#stdin.write(new TextEncoder().encode(text));
  }

  /** Ends standard input. */
  async closeInput(): Promise<void> {
    await this.#stdin.close().catch(() => {});
  }

  /** Closes the reading end of standard output, as a pager that was left does. */
  async closeOutput(): Promise<void> {
    await this.#stdoutReader.cancel();
  }

  /** Sends a signal to this program. */
  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Waits for the end, and fails when that does not come. */
  exited(): Promise<Deno.CommandStatus> {
    return this.#until("its end", () => this.#ended);
  }

  /** Bytes of memory that the program holds at the moment (Linux only). */
  residentBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(status);
    assert(match, `no VmRSS in /proc/${this.pid}/status`);
    return Number(match[1]) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended === undefined) {
      try {
        this.#process.kill("SIGKILL");
      } catch {
        // It ended just now.
      }
    }
    await this.exit;
    await this.#stdin.abort().catch(() => {});
    if (this.options.ownedDirectory !== undefined) {
      await Deno.remove(this.options.ownedDirectory, { recursive: true }).catch(() => {});
    }
  }

  /** What the program said so far, for the message of a failure. */
  report(): string {
    const { label, command, args } = this.options;
    return `${label}: ${command} ${args.join(" ")}\n` +
      (this.#ended ? `ended with ${JSON.stringify(this.#ended)}\n` : "still running\n") +
      `--- standard output\n${this.stdout.slice(-SHOWN_TEXT)}\n` +
      `--- standard error\n${this.stderr.slice(-SHOWN_TEXT)}\n---`;
  }

  async #watchExit(): Promise<Deno.CommandStatus> {
    const status = await this.#process.status;
    await Promise.all(this.#readers);
    this.#ended = status;
    this.#notify();
    return status;
  }

  async #read(
    reader: ReadableStreamDefaultReader<Uint8Array>,
    sink: (text: string) => void,
  ): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        sink(decoder.decode(part.value, { stream: true }));
        this.#notify();
      }
    } catch {
      // Closed by the test.
    }
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      try {
        const event = JSON.parse(line);
        if (typeof event !== "object" || event === null || Array.isArray(event)) throw new Error();
        this.events.push(event);
      } catch {
        this.#notJson ??= line;
      }
    }
  }

  #notify(): void {
    for (const changed of [...this.#changed]) changed();
  }

  #until<T>(what: string, condition: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        finish();
        reject(new Error(`${this.options.label} did not show ${what}: ${why}\n${this.report()}`));
      };
      const look = () => {
        if (this.#notJson !== undefined) {
          return fail(`a line of standard output is not a JSON object: ${this.#notJson}`);
        }
        const value = condition();
        if (value !== undefined) {
          finish();
          resolve(value);
        } else if (this.#ended !== undefined) fail("it ended");
      };
      const timer = setTimeout(() => fail(`${WAIT_LIMIT_MS / 1000} s passed`), WAIT_LIMIT_MS);
      const finish = () => {
        clearTimeout(timer);
        this.#changed.delete(look);
      };
      this.#changed.add(look);
      look();
    });
  }
}

function matches(event: Event, match: Match): boolean {
  if (typeof match === "function") return match(event);
  return Object.entries(match).every(([key, value]) => event[key] === value);
}
