/** Where a program of a test runs: on this machine, or on a host of the test's own. */
export interface Host {
  /** The command line that runs `command` there; the process that it starts becomes the command. */
  enter(command: string, args: readonly string[]): { command: string; args: string[] };
}

/** This machine. Only its loopback address may be used. */
export const thisMachine: Host = {
  enter: (command, args) => ({ command, args: [...args] }),
};
