import type { Contact } from "../store/contacts.ts";
import type { OutgoingState, StoredMessage, TrustMark } from "../store/message.ts";
import type { SearchHit } from "../store/search.ts";
import type { MessageId } from "../wire/message_id.ts";
import type { Line } from "./link.ts";

/** A message of the JSON interface as it is kept, but for its place among others. */
export function messageOfLine(line: Line): StoredMessage {
  const { message_id, peer, id, content, timestamp, stored_at, state, reason, encrypted, trust } =
    line;
  return {
    key: 0,
    id: message_id as MessageId | undefined,
    contact: { key: 0, id: id as Contact["id"], nickname: String(peer) },
    content: String(content),
    timestamp: Number(timestamp),
    storedAt: Number(stored_at) * 1000,
    state: state as OutgoingState | undefined,
    reason: reason as string | undefined,
    encrypted: encrypted === true,
    trust: (trust ?? "none") as TrustMark,
  };
}

/** The same with what was said before and after it. */
export function hitOf(line: Line): SearchHit {
  const { before, after } = line as { before?: Line; after?: Line };
  return {
    message: messageOfLine(line),
    before: before && messageOfLine(before),
    after: after && messageOfLine(after),
  };
}
