import { plainCarrier, sessionCarrier } from "./chat/carriers.ts";
import { Destinations, hasId } from "./chat/destinations.ts";
import { isLast, Messages } from "./chat/messages.ts";
import type { Presence } from "./chat/presence.ts";
import type { TrustPolicy } from "./chat/trust.ts";
import type { Peer } from "./discovery/peer.ts";
import type { KnownPeers } from "./identity/known_peers.ts";
import type { NodeEvents } from "./node_events.ts";
import { leftEvent } from "./node_incoming.ts";
import type { NodeEnvironment, NodeHistory } from "./node_options.ts";
import type { Outbound } from "./peer/outbound.ts";
import type { Sessions } from "./peer/sessions.ts";
import type { PeerId } from "./wire/peer_id.ts";

/** What {@linkcode openMessages} works with. */
export interface OpenMessagesOptions {
  readonly history: NodeHistory;
  readonly environment: NodeEnvironment;
  readonly nickname: string;
  readonly known: KnownPeers | undefined;
  readonly trust: TrustPolicy | undefined;
  readonly sessions: Sessions | undefined;
  readonly outbound: Outbound;
  readonly events: NodeEvents;
  readonly presence: Presence;
  /** The one peer that a target stands for now; throws otherwise. */
  readonly find: (target: string) => Peer;
  /** Who is announced with an id. */
  readonly claimant: (id: PeerId) => Peer | undefined;
}

/** Joins what is kept with the ways to peers. */
export function openMessages(options: OpenMessagesOptions): Messages {
  const { history, environment, sessions, events, presence, nickname: ownNickname } = options;
  const { store, queuePlain, problem } = history;
  if (problem !== undefined) events.push({ type: "problem", message: problem });
  const destinations = new Destinations({
    ...options,
    named: (nickname) => presence.named(nickname),
    queuePlain,
    contactsNamed: (nickname) => store.contactsNamed(nickname),
  });
  return Messages.open({
    ...history,
    ...environment,
    resolve: (target, messageId) => destinations.resolve(target, messageId),
    meant: (target, named) => destinations.meant(target, named),
    carrier: (contact) =>
      hasId(contact) && sessions !== undefined
        ? sessionCarrier(contact, {
          sessions,
          find: options.claimant,
          isBlocked: (id) => destinations.isBlocked(id),
          mayReach: (contact) => destinations.mayReach(contact),
          isKnownAs: (contact) => destinations.isKnownAs(contact),
        })
        : plainCarrier(contact, {
          outbound: options.outbound,
          ownNickname,
          find: (nickname, messageId) => destinations.plainPeer(nickname, messageId),
          isPatient: queuePlain,
        }),
    isHere: ({ id, nickname }) =>
      id === undefined ? presence.named(nickname).length > 0 : options.claimant(id) !== undefined,
    ready: () => events.ready(),
    onState: ({ id: messageId, contact: to, content }, state, reason, tag) => {
      if (isLast(state, to)) destinations.settled(messageId);
      events.push({ type: "delivery", messageId, to, content, state, reason, tag });
    },
    onRejected: (messageId) => destinations.settled(messageId),
    onProblem: (message) => events.push({ type: "problem", message }),
    onLeft: (message, arrival) => events.pushArrival(leftEvent(message, presence), arrival),
  });
}
