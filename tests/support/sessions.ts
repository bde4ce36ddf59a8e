import { namespaceTest } from "./namespaces.ts";

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

/** A test that needs sessions: skipped by name where the program cannot open any. */
export function sessionTest(
  name: string,
  fn: () => Promise<void>,
  { ignore = false }: { ignore?: boolean } = {},
): void {
  if (plainOnly) return Deno.test({ name: `${SKIPPED}: ${name}`, ignore: true, fn });
  Deno.test({ name, ignore, fn });
}

/** The same for a test that needs namespaces, too. */
export function namespaceSessionTest(name: string, fn: () => Promise<void>): void {
  if (plainOnly) return Deno.test({ name: `${SKIPPED}: ${name}`, ignore: true, fn });
  namespaceTest(name, fn);
}
