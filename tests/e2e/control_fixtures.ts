import type { Child } from "../support/child.ts";
import { startClient, startPlainClient } from "../support/program.ts";
import { plainOnly } from "../support/sessions.ts";
import { unique } from "../support/unique.ts";

export const LOOPBACK = ["--interface", "127.0.0.1"];

/** What a program says on standard error, but for what every one says that cannot encrypt. */
export function complaints({ stderr }: Child): string {
  return plainOnly
    ? stderr.replace(/^\S+ warning This program was compiled with .*\n/, "")
    : stderr;
}

/** Where a client lives, and what is run there. */
export function place(directory: string, nickname = unique("alice")) {
  const args = ["-n", nickname, "--data-dir", directory, ...LOOPBACK];
  return {
    nickname,
    client: () => startClient(nickname, { args: args.slice(2) }),
    start: (...command: string[]) =>
      startPlainClient({ args: [command[0], ...args, ...command.slice(1)] }),
    async run(...command: string[]) {
      await using program = startPlainClient({ args: [command[0], ...args, ...command.slice(1)] });
      await program.closeInput();
      const { code } = await program.exited();
      return { code, out: program.stdout, err: complaints(program) };
    },
  };
}
