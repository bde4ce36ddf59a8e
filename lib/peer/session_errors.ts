import type { Peer } from "../discovery/peer.ts";
import { ConnectError, messageOf, RefusedError } from "../errors.ts";
import type { PeerId } from "../wire/peer_id.ts";
import type { Session } from "./session.ts";

/** Whom a message is for. */
export interface Addressee {
  readonly id: PeerId;
  /** What errors call the peer. */
  readonly label: string;
  /** What the peer has to call itself; `undefined` where its id says enough. */
  readonly nickname: string | undefined;
  /** Throws when the message must not go there any more; asked before each time it is sent. */
  readonly admit?: () => void;
}

/** The connection to a peer broke when it had proved its id, and before its hello. */
export class BrokenDialError extends ConnectError {
  override name = "BrokenDialError";
}

/** The error for a message that is given up: whoever reads it is to know whether it was sent. */
export function failure(
  { label, wasSent }: { readonly label: string; readonly wasSent?: boolean },
  why: string | Error,
): Error {
  if (!wasSent && why instanceof Error) return why;
  const to = JSON.stringify(label);
  return new ConnectError(
    wasSent
      ? `Cannot tell whether the message to ${to} arrived: ${
        why instanceof RefusedError ? why.reason : messageOf(why)
      }`
      : `Cannot send to ${to}: ${why}`,
    { cause: why },
  );
}

/** What a message is rejected with when sending to a peer has ended. */
export function sendingHasEnded({ label }: Pick<Peer, "label">): ConnectError {
  return new ConnectError(`Cannot send to ${JSON.stringify(label)}: sending has ended`);
}

/** Why a message must not go over a session. */
export function problemOf(
  { peerHello }: Session,
  { label, nickname, admit }: Omit<Addressee, "id">,
): Error | undefined {
  // An announce may join a nickname and an id that do not belong together.
  if (nickname !== undefined && nickname !== peerHello.nickname) {
    return new RefusedError(
      label,
      `who has its id calls itself ${JSON.stringify(peerHello.nickname)}; ` +
        "send to that nickname if it is meant",
    );
  }
  try {
    admit?.();
  } catch (error) {
    return error instanceof Error ? error : new Error(messageOf(error));
  }
}
