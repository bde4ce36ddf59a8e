import type { Peer } from "../discovery/peer.ts";
import { ParlanceError, UnknownPeerError } from "../errors.ts";
import type { KnownPeer, KnownPeers } from "../identity/known_peers.ts";
import type { Contact, ContactName } from "../store/contacts.ts";
import type { MessageId } from "../wire/message_id.ts";
import { parsePeerId, type PeerId } from "../wire/peer_id.ts";
import type { Destination } from "./messages.ts";
import type { PeerTrust, TrustPolicy } from "./trust.ts";

/** Version 1 peers that messages on their way were meant for. */
const MAX_MEANT = 10_000;

/** What {@linkcode Destinations} works with. */
export interface DestinationsOptions {
  /** Whom the user knows by an id; nobody in a node without an identity. */
  readonly known: KnownPeers | undefined;
  readonly trust: TrustPolicy | undefined;
  /** The one peer that a target stands for now; throws where there is none, or several. */
  readonly find: (target: string) => Peer;
  /** Who is announced under a nickname now. */
  readonly named: (nickname: string) => readonly Peer[];
  /** Version 1 peers that messages were exchanged with, by their nickname. */
  readonly contactsNamed: (nickname: string) => readonly Contact[];
  /** Whether messages to version 1 peers wait for them. */
  readonly queuePlain: boolean;
}

/** Whom messages go to: who is there, and who is away but known. */
export class Destinations {
  readonly #options: DestinationsOptions;
  /** The very peers that were meant, where a nickname alone does not say so. */
  readonly #meant = new Map<MessageId, Peer>();

  constructor(options: DestinationsOptions) {
    this.#options = options;
  }

  /**
   * Whom a target stands for.
   *
   * @throws {ParlanceError} When it is unclear, nobody, or somebody who may not be sent to.
   */
  resolve(target: string, messageId: MessageId): Destination {
    const { trust, find } = this.#options;
    let peer: Peer;
    try {
      peer = find(target);
    } catch (error) {
      if (!(error instanceof UnknownPeerError)) throw error;
      return this.#away(target, error);
    }
    trust?.admit(peer);
    const { nickname, label } = peer;
    const id = trust && peer.id;
    if (id === undefined) this.#remember(messageId, peer);
    return { contact: { id, nickname }, label, trust: this.#trustOf({ id, nickname }) };
  }

  /** Whether there is to be no session with an id at all. */
  isBlocked(id: PeerId): boolean {
    return this.#options.trust?.objection(id) !== undefined;
  }

  /** Whether messages may go to somebody now, as far as trust goes. */
  mayReach({ id, nickname }: ContactName): boolean {
    if (id !== undefined && this.#options.trust?.objection(id) !== undefined) return false;
    const trust = this.#trustOf({ id, nickname });
    return trust !== "changed" && trust !== "unverified";
  }

  /** Whether an id is meant whatever it calls itself now: known by this nickname, or named itself. */
  isKnownAs({ id, nickname }: ContactName): boolean {
    if (id === undefined) return false;
    if (this.#options.known?.byNickname(nickname)?.id === id) return true;
    const named = parsePeerId(nickname);
    return named.ok && named.value === id;
  }

  /** The version 1 peer that a message is for: who was meant, or who has the nickname now. */
  plainPeer(nickname: string, messageId?: MessageId): Peer | undefined {
    const { trust, named, queuePlain } = this.#options;
    const plain = named(nickname).filter(({ id }) => id === undefined || trust === undefined);
    const meant = messageId && this.#meant.get(messageId);
    const [only, another] = plain;
    const byNickname = another === undefined ? only : undefined;
    if (meant === undefined) return byNickname;
    const isThere = plain.some(({ key }) => key === meant.key);
    // Whoever waits takes who has the nickname then.
    return isThere || !queuePlain ? meant : byNickname;
  }

  /** The fate of a message is known. */
  settled(messageId: MessageId): void {
    this.#meant.delete(messageId);
  }

  /** The contacts whose history a target stands for, among those that have the name. */
  meant(target: string, named: readonly Contact[]): readonly ContactName[] {
    const known = this.#known(target);
    if (known !== undefined) return [{ id: known.id, nickname: target }];
    if (named.length > 0) return named;
    try {
      const { id, nickname } = this.#options.find(target);
      return [{ id, nickname }];
    } catch (error) {
      if (error instanceof UnknownPeerError) return [];
      throw error;
    }
  }

  #away(target: string, error: UnknownPeerError): Destination {
    const { trust, queuePlain, contactsNamed } = this.#options;
    const known = this.#known(target);
    if (known !== undefined) {
      const { id } = known;
      const nickname = known.nickname ?? target;
      trust?.admit({ id, nickname, label: nickname });
      const contact = { id, nickname };
      return { contact, label: nickname, trust: this.#trustOf(contact) };
    }
    const isOldFriend = contactsNamed(target).some(({ id }) => id === undefined);
    if (!queuePlain || !isOldFriend) throw error;
    const contact = { nickname: target };
    trust?.admit({ ...contact, id: undefined, label: target });
    return { contact, label: target, trust: this.#trustOf(contact) };
  }

  #known(target: string): KnownPeer | undefined {
    const { known } = this.#options;
    const parsed = parsePeerId(target);
    return parsed.ok ? known?.byId(parsed.value) : known?.byNickname(target);
  }

  #trustOf({ id, nickname }: ContactName): PeerTrust {
    return this.#options.trust?.ofPeer({ id, nickname }) ?? "plain";
  }

  #remember(messageId: MessageId, peer: Peer): void {
    if (this.#meant.size >= MAX_MEANT) {
      if (this.plainPeer(peer.nickname)?.key === peer.key) return; // its nickname says enough
      throw new ParlanceError(
        `Cannot send to ${JSON.stringify(peer.label)}: ${MAX_MEANT} messages are on their way ` +
          "to peers of version 1; wait until they have read them",
      );
    }
    this.#meant.set(messageId, peer);
  }
}

/** Narrows a contact to one that has an id. */
export function hasId(contact: ContactName): contact is ContactName & { readonly id: PeerId } {
  return contact.id !== undefined;
}
