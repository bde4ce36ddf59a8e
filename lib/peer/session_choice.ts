import { comparePeerIds, type PeerId } from "../wire/peer_id.ts";
import type { Hello } from "../wire/session.ts";
import type { Session } from "./session.ts";

/**
 * Which of two established sessions with one peer stays. Both sides come to the same answer from
 * the two hellos of each session, in whatever order the sessions reach them:
 *
 * - with another run of the peer, the newer one: the older run is gone;
 * - dialled by the same side, the one with the greater ordinal: it dials again only when it has
 *   lost or given up the other one, whichever hello arrives here first;
 * - one that was dialled when its dialler already had the other one: it replaces that;
 * - else both were under way at once, and the one dialled by the smaller id stays.
 */
export function stayingSession(own: PeerId, older: Session, newer: Session): Session {
  if (older.peerHello.instance !== newer.peerHello.instance) return newer;
  if (older.isDialler === newer.isDialler) {
    return diallersHello(newer).ordinal >= diallersHello(older).ordinal ? newer : older;
  }
  if (replaces(newer, older)) return newer;
  if (replaces(older, newer)) return older;
  const isOwnSmaller = comparePeerIds(own, older.peerId) < 0;
  return older.isDialler === isOwnSmaller ? older : newer;
}

function diallersHello(session: Session): Hello {
  return session.isDialler ? session.hello : session.peerHello;
}

function replaces(one: Session, other: Session): boolean {
  const [dialler, sameDialler] = one.isDialler
    ? [one.hello, other.hello]
    : [one.peerHello, other.peerHello];
  return dialler.dialled !== undefined && dialler.dialled >= sameDialler.ordinal;
}
