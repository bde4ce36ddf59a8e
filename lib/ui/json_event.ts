import type { Node, NodeEvent, Peer } from "../node.ts";
import { formatAddress } from "../wire/address.ts";
import type { Ref } from "./json_command.ts";

/** An object on standard output. */
export type JsonEvent =
  & { readonly event: string; readonly ref?: Ref }
  & Readonly<Record<string, unknown>>;

/** Goes with a message of a JSON interface, and comes back with the news of it. */
export class JsonTag {
  /**
   * @param owner The interface: several may have sent messages by the same node.
   * @param to As the command had it.
   */
  constructor(
    readonly owner: object,
    readonly to: string,
    readonly ref: Ref | undefined,
  ) {}
}

/**
 * The object of an event, as it stands in `docs/json.md`.
 *
 * @param owner The interface that it is for.
 */
export function describeEvent(event: NodeEvent, node: Node, owner: object): JsonEvent {
  switch (event.type) {
    case "message": {
      const { messageId, label, id, encrypted, trust, message, address, isEarlier } = event;
      const { from, content, timestamp } = message;
      return {
        event: "message",
        message_id: messageId,
        from,
        label,
        content,
        timestamp,
        address: address && formatAddress(address),
        id,
        encrypted,
        trust,
        earlier: isEarlier,
      };
    }
    case "delivery": {
      const { state, messageId, to: { id, nickname }, reason, tag } = event;
      const own = tag instanceof JsonTag && tag.owner === owner ? tag : undefined;
      return {
        event: state,
        message_id: messageId,
        to: own?.to ?? nickname,
        id,
        message: reason,
        ref: own?.ref,
      };
    }
    case "peer_up":
      return { event: "peer_up", ...describePlace(node, event.peer) };
    case "peer_down":
      return { event: "peer_down", ...describePlace(node, event.peer), reason: event.reason };
    case "identity": {
      const { change, nickname, id, formerNickname, knownId, label, isUnanswered, isLast } = event;
      return {
        event: "identity",
        change,
        nickname,
        label,
        id,
        former_nickname: formerNickname,
        known_id: knownId,
        unanswered: isUnanswered,
        last: isLast,
      };
    }
    case "bootstrap":
      return { event: "bootstrap", state: event.state, url: event.url, reason: event.reason };
    case "problem":
      return { event: "error", message: event.message };
  }
}

function describePlace(node: Node, peer: Peer) {
  const { nickname, label, id, addresses: [{ address, via }] } = peer;
  const trust = node.trustOf(peer);
  const encrypted = id !== undefined;
  return { nickname, label, address: formatAddress(address), via, id, encrypted, trust };
}

/** A peer as the answer to `peers` has it. */
export function describePeer(node: Node, peer: Peer) {
  const addresses = peer.addresses.map(({ address, via, lastSeen }) => ({
    address: formatAddress(address),
    via,
    last_seen: Math.floor(lastSeen / 1000),
  }));
  const last_seen = Math.max(...addresses.map((address) => address.last_seen));
  return { ...describePlace(node, peer), last_seen, addresses };
}
