/**
 * Whether the command line asks for the version and nothing else. Entry files check this first:
 * the answer then needs neither the command line's parser nor anything else to be loaded.
 */
export function isVersionRequest(args: readonly string[]): boolean {
  return args.length === 1 && args[0] === "--version";
}
