import type { Clock } from "../base/clock.ts";
import { messageIdBytes } from "../wire/message_id.ts";
import type { ContactTable } from "./contacts.ts";
import type { Database } from "./database.ts";
import type { KeySequence } from "./keys.ts";
import { insertMessages, type MessageRow, rememberReceived } from "./insert.ts";
import { contentBytes, type ReceivedMessage } from "./message.ts";
import { STATE } from "./schema.ts";
import type { WriteQueue } from "./write_queue.ts";

/** What the inbox needs of the store. */
export interface InboxParts {
  readonly database: Database;
  readonly queue: WriteQueue;
  readonly contacts: ContactTable;
  readonly keys: KeySequence;
  readonly clock: Clock;
  /** Whether messages are kept; their ids always are. */
  readonly keepHistory: boolean;
}

/** What became of a message that arrived. */
export type Reception =
  | { readonly kind: "new"; readonly key: number }
  /** The sender has given this id before; what came with it now is ignored. */
  | { readonly kind: "duplicate" };

const DUPLICATE: Reception = { kind: "duplicate" };

/** What others have sent. */
export class Inbox {
  constructor(private readonly parts: InboxParts) {}

  /**
   * Keeps a message, once for each id of a sender.
   *
   * @returns Once it is on the disk, and may be acknowledged: also a duplicate.
   */
  receive(message: ReceivedMessage): Promise<Reception> {
    return this.parts.queue.addTo(this.#insert, message, 1, contentBytes(message.content));
  }

  readonly #insert = (messages: readonly ReceivedMessage[]): Reception[] => {
    const { database, contacts, keys, clock, keepHistory } = this.parts;
    const references = messages.map(({ contact }) => contacts.ensure(contact));
    const marks = messages.map(({ id }, at) => ({
      contact: references[at].key,
      id: id === undefined ? null : messageIdBytes(id),
    }));
    const isNew = rememberReceived(database, marks);
    const rows: MessageRow[] = [];
    const receptions = messages.map((message, at): Reception => {
      if (!isNew[at]) return DUPLICATE;
      const now = clock.now();
      const key = keys.next(now);
      if (keepHistory) {
        const { content, timestamp, encrypted, trust } = message;
        rows.push({
          key,
          contact: references[at],
          state: STATE.received,
          kept: true,
          encrypted,
          trust,
          id: marks[at].id,
          timestamp,
          storedAt: now,
          content,
        });
      }
      return { kind: "new", key };
    });
    insertMessages(database, rows);
    return receptions;
  };
}
