import type { MessageId } from "../../lib/wire/message_id.ts";

/** The id of a message that a test makes: as many as there are numbers up to 2^48. */
export function messageIdOf(number: number): MessageId {
  const hex = number.toString(16).padStart(12, "0");
  return `018bcfe5-6800-7000-8000-${hex}` as MessageId;
}
