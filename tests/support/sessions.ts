import { namespacesMissing } from "./namespaces.ts";
import { testNeeding } from "./needing.ts";

/**
 * Tests of two programs that talk through an encrypted session.
 *
 * @module
 */

/**
 * Whether the compiled program under test can only talk in plain text: the runtime that it embeds
 * is older than Deno 2.8, whose `node:tls` waits for ever on a stream that is no socket.
 */
export const plainOnly = Deno.env.has("PARLANCE_BIN") &&
  Deno.env.get("PARLANCE_BIN_PLAIN") === "1";

const SKIPPED = "SKIPPED (compiled with a runtime that cannot open sessions)";

/**
 * A test that needs sessions. It is off only in the second of two runs, of programs compiled with a
 * runtime that has none: there they cannot do what is tested, and say so at their start. The same
 * test has run from source before, with a runtime as releases carry it.
 */
export function sessionTest(name: string, fn: () => Promise<void>, missing?: string): void {
  if (plainOnly) Deno.test({ name: `${SKIPPED}: ${name}`, ignore: true, fn });
  else testNeeding(missing, name, fn);
}

/** The same for a test that needs namespaces, too. */
export function namespaceSessionTest(name: string, fn: () => Promise<void>): void {
  sessionTest(name, fn, namespacesMissing);
}
