/**
 * The error classes that callers tell apart. Messages name the action that failed, the offending
 * value and the remedy; `cause` carries what lies beneath.
 *
 * @module
 */

/** Base of every error that Parlance raises on purpose: its message is meant for the user. */
export class ParlanceError extends Error {
  override name = "ParlanceError";
}

/** A value from the user (option, configuration, command) is not acceptable. */
export class InvalidInputError extends ParlanceError {
  override name = "InvalidInputError";
}

/** No known peer answers to the given target. */
export class UnknownPeerError extends ParlanceError {
  override name = "UnknownPeerError";
  constructor(
    /** What was asked for. */
    readonly target: string,
    /** Labels of known peers that look like it, best first. */
    readonly nearest: readonly string[],
  ) {
    const hint = nearest.length > 0
      ? `did you mean ${nearest.map((label) => JSON.stringify(label)).join(" or ")}?`
      : "/peers lists who is there";
    super(`Cannot reach ${JSON.stringify(target)}: no such peer; ${hint}`);
  }
}

/** The given target stands for more than one known peer. */
export class AmbiguousPeerError extends ParlanceError {
  override name = "AmbiguousPeerError";
  constructor(
    /** What was asked for. */
    readonly target: string,
    /** The labels that tell the candidates apart. */
    readonly choices: readonly string[],
  ) {
    super(
      `Cannot tell who ${JSON.stringify(target)} is: several peers could be meant; ` +
        `choose one of ${choices.map((label) => JSON.stringify(label)).join(", ")}`,
    );
  }
}

/** A known peer could not be reached at any of its addresses. */
export class ConnectError extends ParlanceError {
  override name = "ConnectError";
}

/** A message will never be taken by whom it is for. */
export class RefusedError extends ParlanceError {
  override name = "RefusedError";
  constructor(
    /** Whom it is for. */
    readonly target: string,
    /** Why, for the user. */
    readonly reason: string,
  ) {
    super(`Cannot send to ${JSON.stringify(target)}: ${reason}`);
  }
}

/** Something exceeds a limit; the message names it. */
export class LimitError extends ParlanceError {
  override name = "LimitError";
}

/** The message of anything that was thrown, for a line of text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
