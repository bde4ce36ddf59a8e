/** The oldest Deno that runs Parlance: before it, TLS over a stream of one's own hangs. */
const OLDEST = [2, 8] as const;

/** The parts of the `Deno` object that {@linkcode runtimeProblem} looks at. */
export interface Runtime {
  readonly version?: { readonly deno?: string };
  readonly build?: { readonly standalone?: boolean };
}

/** Says why `runtime` cannot run Parlance, or `undefined`. A compiled program carries its own. */
export function runtimeProblem(runtime: Runtime | undefined): string | undefined {
  const version = runtime?.version?.deno;
  if (version === undefined) {
    return "Parlance runs on Deno, which this is not; see https://deno.com, or use `npx -y deno`";
  }
  if (runtime?.build?.standalone) return undefined;
  if (canSecureStreams(version)) return undefined;
  return `Parlance needs Deno ${OLDEST.join(".")} or later, and this is ${version}; ` +
    "run `deno upgrade`, or use `npx -y deno`";
}

/** Whether this version of Deno can put TLS on a stream that is no socket: the oldest that can is 2.8. */
export function canSecureStreams(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

/** Ends the program with status 1 and one line on standard error where this Deno is too old. */
export function requireDeno(): void {
  const problem = runtimeProblem((globalThis as { Deno?: Runtime }).Deno);
  if (problem === undefined) return;
  console.error(problem);
  Deno.exit(1);
}
