import { Child } from "./child.ts";
import { clientCommand, type ProgramOptions } from "./program.ts";
import { Screen } from "./screen.ts";

const COLUMNS = 80;

/**
 * The client on a pseudo-terminal of 80 by 24, made by `script` of Debian's essential `bsdutils`.
 * What is written to it is typed; `stdout` is every byte that the terminal gets.
 */
export class Terminal implements AsyncDisposable {
  readonly #child: Child;

  constructor(options: ProgramOptions = {}) {
    const { host, ...inside } = options;
    const { command, args, env, cwd } = clientCommand(inside);
    const line = `stty cols ${COLUMNS} rows 24; exec ${[command, ...args].map(quoted).join(" ")}`;
    const script = ["-qfec", line, "--echo", "always", "/dev/null"];
    const entered = host?.enter("script", script) ?? { command: "script", args: script };
    // Colour is wanted here: this is a terminal.
    const { NO_COLOR: _, ...rest } = env;
    this.#child = new Child({
      ...entered,
      env: { ...rest, TERM: "xterm-256color", SHELL: "/bin/sh", ...options.env },
      cwd,
      json: false,
      label: "client on a terminal",
      ownedDirectory: cwd,
    });
  }

  /** Every byte that the terminal got so far, as text. */
  get output(): string {
    return this.#child.stdout;
  }

  /** What the terminal shows now. */
  get screen(): Screen {
    const screen = new Screen(COLUMNS);
    screen.write(this.output);
    return screen;
  }

  /** Types text; Enter is `\r`. */
  type(text: string): Promise<void> {
    return this.#child.write(text);
  }

  /** Waits until the terminal got something that matches. */
  waitForOutput(pattern: RegExp): Promise<string> {
    return this.#child.waitForText(pattern);
  }

  /** Waits until what is shown is as wanted. */
  waitForScreen(what: string, wanted: (rows: string[]) => boolean): Promise<string[]> {
    return this.#child.waitUntil(what, () => {
      const { rows } = this.screen;
      return wanted(rows) ? rows : undefined;
    });
  }

  /** Waits for the end of the program; its status is that of `script`. */
  exited(): Promise<Deno.CommandStatus> {
    return this.#child.exited();
  }

  /** Closes the terminal, as a window is closed; the system sends the program SIGHUP. */
  hangUp(): void {
    this.#child.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // `script` alone would leave the program to the hang-up signal, which it may outlive.
    const path = `/proc/${this.#child.pid}/task/${this.#child.pid}/children`;
    const children = await Deno.readTextFile(path).catch(() => "");
    for (const pid of children.split(" ").filter((word) => word !== "")) {
      try {
        Deno.kill(Number(pid), "SIGKILL");
      } catch {
        // It ended just now.
      }
    }
    await this.#child[Symbol.asyncDispose]();
  }
}

/** A word for the shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
