import type { Clock } from "../base/clock.ts";
import { messageIdBytes } from "../wire/message_id.ts";
import type { ContactTable } from "./contacts.ts";
import type { Database } from "./database.ts";
import type { KeySequence } from "./keys.ts";
import { contentBytes, contentValue, type ReceivedMessage, trustNumber } from "./message.ts";
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

/** What others have sent. */
export class Inbox {
  constructor(private readonly parts: InboxParts) {}

  /**
   * Keeps a message, once for each id of a sender.
   *
   * @returns Once it is on the disk, and may be acknowledged: also a duplicate.
   */
  receive(message: ReceivedMessage): Promise<Reception> {
    return this.parts.queue.add(() => this.#insert(message), 1, contentBytes(message.content));
  }

  #insert({ contact, id, content, timestamp, encrypted, trust }: ReceivedMessage): Reception {
    const { database, contacts, keys, clock, keepHistory } = this.parts;
    const { key: from } = contacts.ensure(contact);
    const bytes = id === undefined ? null : messageIdBytes(id);
    if (bytes !== null) {
      const sql = "INSERT OR IGNORE INTO received (contact, id) VALUES (?, ?)";
      if (database.run(sql, from, bytes) === 0) return { kind: "duplicate" };
    }
    const now = clock.now();
    const key = keys.next(now);
    if (keepHistory) {
      database.run(
        `INSERT INTO message
           (key, contact, state, kept, encrypted, trust, id, timestamp, stored_at, content)
         VALUES (?, ?, ${STATE.received}, 1, ?, ?, ?, ?, ?, ?)`,
        key,
        from,
        encrypted ? 1 : 0,
        trustNumber(trust),
        bytes,
        timestamp,
        now,
        contentValue(content.toWellFormed()),
      );
    }
    return { kind: "new", key };
  }
}
