import type { Peer } from "../discovery/peer.ts";
import { ConnectError, messageOf, RefusedError } from "../errors.ts";
import type { Outbound } from "../peer/outbound.ts";
import type { Sessions } from "../peer/sessions.ts";
import type { ContactName } from "../store/contacts.ts";
import { encodeMessage } from "../wire/message.ts";
import type { MessageId } from "../wire/message_id.ts";
import type { PeerId } from "../wire/peer_id.ts";
import type { Carrier } from "./carrier.ts";

/** What {@linkcode sessionCarrier} works with. */
export interface SessionCarrierOptions {
  readonly sessions: Pick<Sessions, "isAnswering" | "connect" | "deliver">;
  /** Who is announced with an id now. */
  readonly find: (id: PeerId) => Peer | undefined;
  /** Whether there is to be no session with an id at all. */
  readonly isBlocked: (id: PeerId) => boolean;
  /** Whether messages may go to somebody now, as far as trust goes. */
  readonly mayReach: (contact: ContactName) => boolean;
  /** Whether the user knows the id by the nickname, so that it may be called otherwise by now. */
  readonly isKnownAs: (contact: ContactName) => boolean;
}

/** Carries messages over the session with an id. */
export function sessionCarrier(
  contact: ContactName & { readonly id: PeerId },
  { sessions, find, isBlocked, mayReach, isKnownAs }: SessionCarrierOptions,
): Carrier {
  const { id } = contact;
  return {
    isOpen: () => sessions.isAnswering(id),
    isReachable: () => find(id) !== undefined && !isBlocked(id),
    // Each message by itself: under one name it may be meant for who has the id, under another not.
    admits: ({ contact }) => mayReach(contact),
    async open() {
      const peer = find(id);
      if (peer === undefined) throw new ConnectError("it has gone");
      await sessions.connect(peer, id);
    },
    send({ id: messageId, contact, content, timestamp }) {
      const label = contact.nickname;
      const nickname = isKnownAs(contact) ? undefined : label;
      const admit = () => {
        if (mayReach(contact)) return;
        throw new ConnectError(`Cannot send to ${JSON.stringify(label)}: it is not trusted now`);
      };
      return sessions.deliver(
        { id, label, nickname, admit },
        { id: messageId, content, timestamp },
      );
    },
  };
}

/** What {@linkcode plainCarrier} works with. */
export interface PlainCarrierOptions {
  readonly outbound: Pick<Outbound, "send">;
  /** What this node calls itself. */
  readonly ownNickname: string;
  /** Whom a message is for: who was meant when it was written, or who has the nickname now. */
  readonly find: (nickname: string, messageId?: MessageId) => Peer | undefined;
  /** Whether messages wait for somebody who cannot be reached, and are tried again. */
  readonly isPatient: boolean;
}

/** Carries messages in plain text to a version 1 peer; arrived is what the network has taken. */
export function plainCarrier(
  { nickname }: ContactName,
  { outbound, ownNickname, find, isPatient }: PlainCarrierOptions,
): Carrier {
  return {
    isOpen: () => !isPatient || find(nickname) !== undefined,
    isReachable: () => find(nickname) !== undefined,
    open: () => Promise.resolve(),
    // What is tried again must not be overtaken by what follows.
    ...isPatient ? { window: 1 } : {},
    async send({ id, content, timestamp }) {
      const peer = find(nickname, id);
      try {
        if (peer === undefined) throw new ConnectError("it is not there any more");
        await outbound.send(peer, encodeMessage({ from: ownNickname, content, timestamp }));
      } catch (error) {
        throw isPatient ? error : new RefusedError(peer?.label ?? nickname, messageOf(error));
      }
    },
  };
}
