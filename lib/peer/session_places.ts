import type { PeerId } from "../wire/peer_id.ts";
import type { Session } from "./session.ts";

/** Sessions at the same time, and of them those that peers of one host have dialled. */
const MAX_SESSIONS = 1024;
const MAX_INCOMING_PER_HOST = 128;
/** Sessions beyond those for the user's own dials, where nobody can make room. */
const RESERVE = 128;

/**
 * The open sessions, in a limited number. The longest idle session of a stranger makes room for
 * another one: strangers cost nothing, so that they must not keep anybody out.
 */
export class SessionPlaces implements Iterable<Session> {
  /** The longest idle one first. */
  readonly #sessions = new Set<Session>();
  #latest: Session | undefined;

  /** @param keeps Whether a peer is no stranger, so that its session makes room for nobody. */
  constructor(private readonly keeps: (id: PeerId) => boolean) {}

  get size(): number {
    return this.#sessions.size;
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#sessions.values();
  }

  /**
   * Sees to room for one more session; may end another one.
   *
   * @param host The other side's.
   * @param isDialled Whether this side dialled.
   * @returns Why there is none; a fixed text.
   */
  makeRoom(host: string, isDialled: boolean): string | undefined {
    const isOfHost = (session: Session) => !session.isDialler && session.remote.hostname === host;
    if (!isDialled && this.#count(isOfHost) >= MAX_INCOMING_PER_HOST) {
      if (this.#evict(isOfHost)) return undefined;
      return `sessions above the limit of ${MAX_INCOMING_PER_HOST} per host`;
    }
    if (this.size < MAX_SESSIONS || this.#evict(() => true)) return undefined;
    if (isDialled && this.size < MAX_SESSIONS + RESERVE) return undefined;
    return `sessions above the limit of ${MAX_SESSIONS}`;
  }

  add(session: Session): void {
    this.#sessions.add(session);
    this.#latest = session;
  }

  /** Notes that a session is used now. */
  use(session: Session): void {
    if (session === this.#latest || !this.#sessions.delete(session)) return;
    this.add(session);
  }

  delete(session: Session): void {
    this.#sessions.delete(session);
    if (session === this.#latest) this.#latest = undefined;
  }

  #count(isMeant: (session: Session) => boolean): number {
    let count = 0;
    for (const session of this.#sessions) if (isMeant(session)) count++;
    return count;
  }

  #evict(isMeant: (session: Session) => boolean): boolean {
    for (const session of this.#sessions) {
      if (!isMeant(session) || this.keeps(session.peerId)) continue;
      void session.close("others need the room");
      return true;
    }
    return false;
  }
}
