import type { Clock } from "../base/clock.ts";
import { messageIdBytes } from "../wire/message_id.ts";
import type { ContactTable } from "./contacts.ts";
import type { Database, Row } from "./database.ts";
import type { KeySequence } from "./keys.ts";
import { insertMessages, type MessageRow, rememberReceived } from "./insert.ts";
import {
  contentBytes,
  MESSAGE_COLUMNS,
  MESSAGE_TABLES,
  messageOf,
  type ReceivedMessage,
  type StoredMessage,
} from "./message.ts";
import { fitting, MAX_PAGE, MAX_PAGE_BYTES, type Sized } from "./page.ts";
import { STATE } from "./schema.ts";
import { ShownMark, type ShownMarkParts } from "./shown.ts";
import type { OnCommitted } from "./write_queue.ts";

/** What the inbox needs of the store. */
export interface InboxParts extends ShownMarkParts {
  readonly contacts: ContactTable;
  readonly clock: Clock;
  readonly database: Database;
  readonly keys: KeySequence;
  /** Whether messages are kept when they have been shown; their ids always are. */
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
  readonly #mark: ShownMark;

  constructor(private readonly parts: InboxParts) {
    this.#mark = new ShownMark(parts);
  }

  /**
   * Keeps a message, once for each id of a sender.
   *
   * @returns Once it is on the disk, and may be acknowledged: also a duplicate.
   */
  async receive(message: ReceivedMessage): Promise<Reception> {
    const [reception] = await this.receiveAll([message]);
    return reception;
  }

  /**
   * The same for several, all or none of them: what one sender has sent must not be kept in another
   * order because a part of it failed.
   *
   * @param messages Not more than fit into one transaction.
   * @param onCommitted Called with what became of each, in their order, when they are safe from the
   *   end of the program and may be shown; keys grow from one call to the next.
   * @returns The same, when they are on the disk and may be acknowledged.
   */
  receiveAll(
    messages: readonly ReceivedMessage[],
    onCommitted?: OnCommitted<readonly Reception[]>,
  ): Promise<readonly Reception[]> {
    this.#mark.write();
    let bytes = 0;
    for (const { content } of messages) bytes += contentBytes(content);
    return this.parts.queue.addTo(this.#insert, messages, messages.length, bytes, onCommitted);
  }

  /**
   * What an earlier run has received and not shown, as far as is known, in the order of arrival.
   * Before anything is received.
   *
   * @param after Only messages with a larger key.
   * @returns At most {@linkcode MAX_PAGE}, or {@linkcode MAX_PAGE_BYTES} of text; none where there are
   *   no more.
   */
  unshown(after = 0): StoredMessage[] {
    const { database, keys } = this.parts;
    const from = Math.max(after, this.#mark.to);
    const sizes = database.all<Sized & Row>(
      `SELECT key, octet_length(content) AS size FROM message
       WHERE key > ? AND state = 0 ORDER BY key LIMIT ${MAX_PAGE}`,
      from,
    );
    const last = fitting(sizes, MAX_PAGE_BYTES).at(-1)?.key;
    if (last === undefined) {
      // The next run need not look again at what this one has sent before.
      if (after === 0) this.#mark.moveTo(keys.last);
      return [];
    }
    return database.all(
      `SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_TABLES}
       WHERE m.key > ? AND m.key <= ? AND m.state = 0 ORDER BY m.key`,
      from,
      last,
    ).map(messageOf);
  }

  /** All that was received up to a key has been shown: it is not among the above any more. */
  shownTo(key: number): void {
    this.#mark.moveTo(key);
  }

  /** What was received up to this key has been shown. */
  get lastShown(): number {
    return this.#mark.to;
  }

  /** Before what is queued is written for the last time. */
  close(): void {
    this.#mark.close();
  }

  readonly #insert = (batches: readonly (readonly ReceivedMessage[])[]): Reception[][] => {
    const { database, contacts, keys, clock, keepHistory } = this.parts;
    const messages = batches.flat();
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
      const { content, timestamp, encrypted, trust } = message;
      rows.push({
        key,
        contact: references[at],
        state: STATE.received,
        kept: keepHistory,
        encrypted,
        trust,
        id: marks[at].id,
        timestamp,
        storedAt: now,
        content,
      });
      return { kind: "new", key };
    });
    insertMessages(database, rows);
    let start = 0;
    return batches.map(({ length }) => receptions.slice(start, start += length));
  };
}
