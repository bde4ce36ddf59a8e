import type { Broadcast } from "./base/broadcast.ts";
import type { Refusals } from "./base/refusals.ts";
import type { Messages } from "./chat/messages.ts";
import type { Presence } from "./chat/presence.ts";
import type { TrustPolicy } from "./chat/trust.ts";
import type { NodeEvent } from "./node_options.ts";
import type { Session } from "./peer/session.ts";
import { formatAddress, type SocketAddress } from "./wire/address.ts";
import type { Message } from "./wire/message.ts";
import type { SessionMessage } from "./wire/session.ts";

/** What {@linkcode Incoming} works with. */
export interface IncomingOptions {
  readonly events: Broadcast<NodeEvent>;
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
    const show = () =>
      events.push({ type: "message", message, ...label, address, encrypted: false, trust });
    const received = { contact: { nickname }, content, timestamp, encrypted: false, trust };
    // What cannot be taken in order to be kept is shown all the same.
    if (messages()?.receive(received, show) !== true) show();
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
    const show = () =>
      events.push({
        type: "message",
        message,
        messageId,
        ...label,
        address,
        id,
        encrypted: true,
        trust,
      });
    const messages = this.options.messages();
    if (messages !== undefined) {
      const contact = { id, nickname };
      const received = { contact, id: messageId, content, timestamp, encrypted: true, trust };
      return messages.receive(received, show, taken);
    }
    // What nobody takes any more, because the program ends, is not acknowledged either.
    if (!show()) return false;
    taken();
    return true;
  }
}
