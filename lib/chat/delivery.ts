import { LimitError } from "../errors.ts";
import type { ContactName } from "../store/contacts.ts";
import type { OutgoingState } from "../store/message.ts";
import { utf8Length } from "../wire/message.ts";
import type { MessageId } from "../wire/message_id.ts";

/**
 * How far a message has come: stored here; handed to the network; stored on the other side; given
 * up. A version 1 peer confirms nothing, so `sent` is the last that is known of a message to it.
 * While the program runs, `sent` is also what is on its way to others; the store knows that as
 * pending, since it may have to be sent again.
 */
export type DeliveryState = OutgoingState;

/** A message on its way, as the store has it. */
export interface Outgoing {
  /** Its place among all stored messages; greater is later. */
  readonly key: number;
  readonly id: MessageId;
  readonly contact: ContactName;
  readonly content: string;
  /** Unix time in whole seconds. */
  readonly timestamp: number;
}

/** Names a contact in tables. */
export function contactKey({ id, nickname }: ContactName): string {
  return id ?? `=${nickname}`;
}

/**
 * Refuses a content that is longer than `maxContentBytes` in UTF-8.
 *
 * @throws {LimitError} It is.
 */
export function requireFitting(target: string, content: string, maxContentBytes: number): void {
  if (content.length * 3 <= maxContentBytes || utf8Length(content) <= maxContentBytes) return;
  throw new LimitError(
    `Cannot send ${utf8Length(content)} bytes to ${JSON.stringify(target)}: ` +
      `a message has at most ${maxContentBytes}; send it in parts`,
  );
}
