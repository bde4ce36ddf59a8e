import type { Peer } from "../discovery/peer.ts";
import { ParlanceError } from "../errors.ts";
import type { KnownPeers, Trust } from "../identity/known_peers.ts";
import type { PeerId } from "../wire/peer_id.ts";

/** What may go over connections that are not encrypted (`[security] plaintext`). */
export type PlaintextPolicy = "allow" | "receive" | "deny";

/**
 * What is known of who a peer, or the sender of a message, is: {@linkcode Trust}, or for what has
 * no id `plain`, or `unverified` where the nickname belongs to somebody who has one.
 */
export type PeerTrust = Trust | "plain" | "unverified";

/** Decides whom to send to and what to think of what arrives. */
export class TrustPolicy {
  constructor(
    private readonly known: KnownPeers,
    private readonly plaintext: PlaintextPolicy,
    /** Whether an id was met for the first time in this run, and the user has not answered. */
    private readonly isNew: (id: PeerId) => boolean,
  ) {}

  /** What an announced peer is worth; its id is only a claim until a session proves it. */
  ofPeer({ nickname, id }: Pick<Peer, "nickname" | "id">): PeerTrust {
    if (id === undefined) return this.ofNickname(nickname);
    const trust = this.known.assess(nickname, id);
    return trust === "known" && this.isNew(id) ? "new" : trust;
  }

  /** What somebody without an id is worth. */
  ofNickname(nickname: string): "plain" | "unverified" {
    return this.known.byNickname(nickname) === undefined ? "plain" : "unverified";
  }

  /**
   * Whether this is who the nickname stands for, so that namesakes do not make it ambiguous: the
   * user has turned to it. Whoever only came first may have taken the nickname from somebody.
   */
  isKnown({ nickname, id }: Pick<Peer, "nickname" | "id">): boolean {
    return id !== undefined && this.known.byNickname(nickname)?.id === id &&
      this.known.isAddressed(id);
  }

  /** Whether the nickname is known with this id, in whatever way. */
  isHolder({ nickname, id }: Pick<Peer, "nickname" | "id">): boolean {
    return id !== undefined && this.known.byNickname(nickname)?.id === id;
  }

  /** Ids whom a label may mean as well, though they are away: they begin with its tag. */
  alike({ nickname, id }: Pick<Peer, "nickname" | "id">, tag: string): PeerId[] {
    return this.known.addressedFrom(tag.toUpperCase())
      .filter((other) => other.id !== id && (other.nickname ?? nickname) === nickname)
      .map(({ id }) => id);
  }

  /** Whether messages in plain text are taken at all. */
  get takesPlaintext(): boolean {
    return this.plaintext !== "deny";
  }

  /**
   * Refuses to send where that would not reach, or not protect, whom the user means.
   *
   * @throws {ParlanceError} With what to do.
   */
  admit(peer: Pick<Peer, "nickname" | "id" | "label">): void {
    const { nickname, id } = peer;
    const to = () => `Cannot send to ${JSON.stringify(peer.label)}`;
    switch (this.ofPeer(peer)) {
      case "changed":
        throw new ParlanceError(
          `${to()}: its identity has changed, so it may be somebody else. ` +
            `Known is ${this.known.byNickname(nickname)!.id}, now it is ${id}. ` +
            "Ask it by another way, then /trust it, or /forget who it was",
        );
      case "blocked":
        throw new ParlanceError(`${to()}: you have blocked it; /unblock it first`);
      case "unverified":
        throw new ParlanceError(
          `${to()} in plain text: this nickname is known with the id ` +
            `${this.known.byNickname(nickname)!.id}; wait until that peer is back, or /forget it`,
        );
      case "plain":
        if (this.plaintext === "allow") return;
        throw new ParlanceError(
          `${to()}: it cannot encrypt, and plaintext is ${JSON.stringify(this.plaintext)} in the ` +
            "section [security] of the configuration",
        );
    }
  }

  /** Why there is to be no session with an id at all. */
  objection(id: PeerId): string | undefined {
    return this.known.byId(id)?.blocked ? "the peer is blocked" : undefined;
  }
}
