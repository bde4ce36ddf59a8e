import { fileURLToPath } from "node:url";
import { PipedProgram } from "./piped_program.ts";

/** The project's folder. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A program and how it is started. */
export interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
}

/**
 * An empty directory in which the measured programs run, so that no configuration of the user, or
 * of the folder in which the benchmarks are started, takes part.
 */
export class Workspace implements Disposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "parlance-bench-" });

  /** Starts a program here. */
  start({ command, args }: CommandLine, label: string): PipedProgram {
    return new PipedProgram({
      command,
      args,
      label,
      cwd: this.directory,
      env: {
        XDG_CONFIG_HOME: `${this.directory}/config`,
        XDG_DATA_HOME: `${this.directory}/data`,
        DENO_NO_UPDATE_CHECK: "1",
      },
    });
  }

  /** Starts the client from source, on the loopback interface alone. */
  startClient(nickname: string): PipedProgram {
    return this.start(fromSource("main.ts", ...clientOptions(nickname)), `client ${nickname}`);
  }

  /** Starts a client without a store; without an identity it sends and hears plain text only. */
  startSessionClient(nickname: string, isPlain: boolean): PipedProgram {
    const identity = isPlain ? [] : [`${this.directory}/${nickname}`];
    return this.startSupport("session_client.ts", nickname, ...identity);
  }

  /** Starts a module of `bench/support` as a program of its own. */
  startSupport(module: string, ...args: string[]): PipedProgram {
    return this.start(fromSource(`bench/support/${module}`, ...args), module);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** A module of the project as Deno runs it. */
export function fromSource(module: string, ...args: string[]): CommandLine {
  return {
    command: Deno.execPath(),
    args: ["run", "--quiet", "-A", "--config", `${ROOT}/deno.json`, `${ROOT}/${module}`, ...args],
  };
}

/** A compiled program, or `undefined` where `deno task compile` has not made it. */
export function compiled(name: string, ...args: string[]): CommandLine | undefined {
  const command = `${ROOT}/dist/${name}${Deno.build.os === "windows" ? ".exe" : ""}`;
  try {
    Deno.statSync(command);
  } catch {
    return undefined;
  }
  return { command, args };
}

/** The options of every client that is measured. */
export function clientOptions(nickname: string): string[] {
  return ["--nickname", nickname, "--interface", "127.0.0.1", "--json"];
}

/** A nickname that nobody else on this machine uses: discovery shares one port. */
export function unique(nickname: string): string {
  return `${nickname}-${crypto.randomUUID().slice(0, 8)}`;
}
