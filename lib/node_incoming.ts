import type { Refusals } from "./base/refusals.ts";
import type { Arrival } from "./chat/arrivals.ts";
import type { Messages } from "./chat/messages.ts";
import type { Presence } from "./chat/presence.ts";
import type { TrustPolicy } from "./chat/trust.ts";
import type { NodeEvents } from "./node_events.ts";
import type { NodeEvent } from "./node_options.ts";
import type { Session } from "./peer/session.ts";
import type { StoredMessage } from "./store/message.ts";
import { formatAddress, type SocketAddress } from "./wire/address.ts";
import type { Message } from "./wire/message.ts";
import type { SessionMessage } from "./wire/session.ts";

/** What {@linkcode Incoming} works with. */
export interface IncomingOptions {
  readonly events: NodeEvents;
  readonly refusals: Refusals;
  readonly presence: Presence;
  readonly trust: TrustPolicy | undefined;
  /** Where messages are kept, in a node that does. */
  readonly messages: () => Messages | undefined;
}

/** Messages that come in: judged, kept where the node keeps them, and shown. */
export class Incoming {
  constructor(private readonly options: IncomingOptions) {}

  /** A message of version 1, for which nobody waits for an answer. */
  plain(message: Message, address: SocketAddress): void {
    const { events, refusals, presence, trust: policy, messages } = this.options;
    if (policy?.takesPlaintext === false) {
      return refusals.add("message in plain text", () => formatAddress(address));
    }
    const { from: nickname, content, timestamp } = message;
    const trust = policy?.ofNickname(nickname) ?? "plain";
    const label = presence.namesakeLabel(nickname, address);
    const event = { type: "message", message, ...label, address, encrypted: false, trust } as const;
    const received = { contact: { nickname }, content, timestamp, encrypted: false, trust };
    const show = (arrival: Arrival) => events.pushArrival(event, arrival);
    // What cannot be taken in order to be kept is shown all the same.
    if (messages()?.receive(received, show) !== true) events.push(event);
  }

  /** @returns Whether it is taken; `taken` is called when it may be acknowledged. */
  session(
    { id: messageId, content, timestamp }: SessionMessage,
    { peerId: id, remote: address, peerHello: { nickname } }: Session,
    taken: () => void,
  ): boolean {
    const { events, presence, trust: policy } = this.options;
    const trust = policy!.ofPeer({ nickname, id });
    const label = presence.namesakeLabel(nickname, id);
    const message = { from: nickname, content, timestamp };
    const marks = { encrypted: true, trust };
    const event = { type: "message", message, messageId, ...label, address, id, ...marks } as const;
    const messages = this.options.messages();
    if (messages !== undefined) {
      const received = { contact: { id, nickname }, id: messageId, content, timestamp, ...marks };
      return messages.receive(
        received,
        (arrival) => events.pushArrival(event, arrival),
        taken,
      );
    }
    // What nobody takes any more, because the program ends, is not acknowledged either.
    if (!events.push(event)) return false;
    taken();
    return true;
  }
}

/**
 * A message that an earlier run has received and may not have shown.
 *
 * @param presence Knows what to call its sender.
 */
export function leftEvent(
  { id: messageId, contact, content, timestamp, encrypted, trust }: StoredMessage,
  presence: Pick<Presence, "namesakeLabel">,
): NodeEvent {
  const { id, nickname } = contact;
  return {
    type: "message",
    message: { from: nickname, content, timestamp },
    messageId,
    ...presence.namesakeLabel(nickname, id),
    id,
    encrypted,
    trust: trust === "none" ? "plain" : trust,
    isEarlier: true,
  };
}
