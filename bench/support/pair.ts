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
 * What is measured: the client as users start it; what its sessions can do without a store; the same
 * without identities, in plain text.
 */
export type PairKind = "client" | "session" | "plain";

/** Starts two programs and waits until they know each other. */
export async function startPair(workspace: Workspace, kind: PairKind = "client"): Promise<Pair> {
  await using parts = new AsyncDisposableStack();
  const [aliceName, bobName] = [unique("alice"), unique("bob")];
  const start = (nickname: string) =>
    parts.use(
      kind === "client"
        ? workspace.startClient(nickname)
        : workspace.startSessionClient(nickname, kind === "plain"),
    );
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
