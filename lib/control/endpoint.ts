import { ParlanceError } from "../errors.ts";
import type { Stream } from "../transport/stream.ts";

/** A stream of bytes within this machine. */
export type ControlStream = Pick<Stream, "read" | "write" | "closeWrite" | "close">;

/**
 * What both sides show each other before anything else, where the system does not see to it that
 * only the same user connects.
 */
export interface Secrets {
  /** Shown by whoever connects. */
  readonly token: string;
  /** Shown by the client in return. */
  readonly answer: string;
}

/** Accepts streams of programs of the same user. */
export interface ControlListener extends AsyncDisposable {
  readonly secrets?: Secrets;
  /** Waits for the next stream; rejects once the listener is disposed of. */
  accept(): Promise<ControlStream>;
}

/** A way for programs of one user, on one machine, to reach the client that uses a profile. */
export interface ControlEndpoint {
  /**
   * Listens. What an earlier process left behind is replaced, so only the holder of the profile's
   * lock may call this.
   *
   * @param directory The profile's.
   * @throws {ParlanceError} It is not possible there.
   */
  listen(directory: string): Promise<ControlListener>;
  /** Connects; `undefined` where nobody listens. */
  dial(directory: string): Promise<{ stream: ControlStream; secrets?: Secrets } | undefined>;
}

/** Something in the profile's directory is not what it should be. */
export class ControlError extends ParlanceError {
  override name = "ControlError";
}

/** Whether connecting failed because nobody listens, now or any more. */
export function isNobody(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.ConnectionRefused ||
    error instanceof Deno.errors.ConnectionReset ||
    // More connections wait already than the system keeps, or the socket is being closed.
    error instanceof Deno.errors.WouldBlock || error instanceof Deno.errors.BrokenPipe;
}

/** Writes the whole of a text; rejects where nobody reads it. */
export async function writeAll(stream: Pick<ControlStream, "write">, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await stream.write(bytes.subarray(at));
}
