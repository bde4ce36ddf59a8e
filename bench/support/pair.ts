import type { PipedProgram } from "./piped_program.ts";
import { unique, type Workspace } from "./workspace.ts";

/** Two clients on this machine that know each other. */
export interface Pair extends AsyncDisposable {
  readonly alice: PipedProgram;
  readonly bob: PipedProgram;
  readonly aliceName: string;
  readonly bobName: string;
}

/**
 * Starts two clients and waits until they know each other.
 *
 * @param isPlain Without identities, so that they talk in plain text.
 */
export async function startPair(workspace: Workspace, isPlain = false): Promise<Pair> {
  await using parts = new AsyncDisposableStack();
  const [aliceName, bobName] = [unique("alice"), unique("bob")];
  const start = (nickname: string) =>
    parts.use(isPlain ? workspace.startPlainClient(nickname) : workspace.startClient(nickname));
  const [alice, bob] = [start(aliceName), start(bobName)];
  await alice.event({ event: "peer_up", nickname: bobName });
  await bob.event({ event: "peer_up", nickname: aliceName });
  const owned = parts.move();
  return {
    alice,
    bob,
    aliceName,
    bobName,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Objects on lines that came as bytes. */
export function parseLines(chunks: readonly Uint8Array[]): Record<string, unknown>[] {
  const decoder = new TextDecoder();
  const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}
