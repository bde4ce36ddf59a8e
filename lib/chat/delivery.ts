import type { PeerId } from "../wire/peer_id.ts";

/**
 * How far a message has come: stored here; handed to the network; stored on the other side; given
 * up. A version 1 peer confirms nothing, so `sent` is the last that is known of a message to it.
 */
export type DeliveryState = "pending" | "sent" | "delivered" | "failed";

/** Whom a message is for: who proves the id, or for a version 1 peer whoever has the nickname. */
export interface Recipient {
  readonly id?: PeerId;
  /** What it was called when the message was written. */
  readonly nickname: string;
}

/** A message that was accepted for sending. */
export interface OutgoingMessage {
  /** A UUIDv7; names the message on both sides. */
  readonly id: string;
  readonly recipient: Recipient;
  readonly content: string;
  /** Unix time in whole seconds. */
  readonly timestamp: number;
}

/** A message as the store keeps it until its fate is known. */
export interface StoredMessage extends OutgoingMessage {
  /** Its place among all stored messages; greater is later. */
  readonly key: number;
}

/** Names a recipient in tables. */
export function recipientKey({ id, nickname }: Recipient): string {
  return id ?? `plain ${nickname}`;
}
