import type { Clock } from "../base/clock.ts";
import { InvalidInputError } from "../errors.ts";
import { type MessageId, messageIdBytes } from "../wire/message_id.ts";
import type { ContactName, ContactTable } from "./contacts.ts";
import type { Ages } from "./ages.ts";
import { type Eraser, markRemnants } from "./eraser.ts";
import type { Database, Row } from "./database.ts";
import type { KeySequence } from "./keys.ts";
import { insertMessages, type MessageRow } from "./insert.ts";
import {
  contentBytes,
  type OutgoingMessage,
  type OutgoingState,
  stateOf,
  type StoredMessage,
} from "./message.ts";
import { OutboxReader } from "./outbox_reader.ts";
import { fitting, type Sized } from "./page.ts";
import { STATE } from "./schema.ts";
import type { OnCommitted, WriteQueue } from "./write_queue.ts";

/** Messages, and bytes of their text, that one call of {@linkcode Outbox.expire} gives up. */
export const EXPIRE_PAGE = 200;
const EXPIRE_BYTES = 2 ** 20;
/** Longest reason that is kept, in UTF-16 units. */
const MAX_REASON = 500;
/** Ids from which on a list of them costs less than a statement for each. */
const WORTH_A_LIST = 4;

/** What the outbox needs of the store. */
export interface OutboxParts {
  readonly database: Database;
  readonly queue: WriteQueue;
  readonly contacts: ContactTable;
  readonly keys: KeySequence;
  readonly ages: Ages;
  readonly eraser: Eraser;
  readonly clock: Clock;
  /** Whether what is sent becomes part of the history. */
  readonly keepHistory: boolean;
}

/** What the user has sent and how far it has come. Whatever changes resolves once it is on disk. */
export class Outbox extends OutboxReader {
  constructor(private readonly parts: OutboxParts) {
    super(parts);
  }

  /** The last key that was given to a message, whichever way it went; 0 before the first. */
  get lastKey(): number {
    return this.parts.keys.last;
  }

  /**
   * Keeps a message, to be delivered or as it went.
   *
   * @param onCommitted Called with its key when it is safe from the end of the program, and may go.
   * @returns Its key, when it is on the disk.
   * @throws {InvalidInputError} There is an outgoing message with this id.
   */
  enqueue(message: OutgoingMessage, onCommitted?: OnCommitted<number>): Promise<number> {
    const bytes = contentBytes(message.content);
    return this.parts.queue.addTo(this.#insert, message, 1, bytes, onCommitted);
  }

  readonly #insert = (messages: readonly OutgoingMessage[]): number[] => {
    const { database, contacts, keys, clock, keepHistory } = this.parts;
    const inserted: number[] = [];
    const rows: MessageRow[] = [];
    for (const message of messages) {
      const { id, state, content, encrypted, trust, timestamp } = message;
      const contact = contacts.ensure(message.contact);
      const bytes = messageIdBytes(id);
      // Among many it is found out by the index, and then they are done again one by one.
      if (messages.length === 1) this.#requireNew(id, bytes);
      const now = clock.now();
      const key = keys.next(now);
      inserted.push(key);
      if (state === "sent" && !keepHistory) continue; // nothing is left to be done for it
      rows.push({
        key,
        contact,
        state: STATE[state],
        kept: keepHistory,
        encrypted,
        trust,
        id: bytes,
        timestamp,
        storedAt: now,
        content,
      });
    }
    insertMessages(database, rows);
    return inserted;
  };

  #requireNew(id: MessageId, bytes: Uint8Array): void {
    const taken = this.parts.database.get(
      "SELECT 1 FROM message INDEXED BY message_outgoing WHERE id = ? AND state > 0",
      bytes,
    );
    if (taken === undefined) return;
    throw new InvalidInputError(`Cannot send message ${id}: there is one with this id already`);
  }

  /**
   * Marks messages that a contact says it has. One that was given up meanwhile, or cancelled when
   * it was under way, is delivered all the same; ids of messages to others, and unknown ones, are
   * ignored.
   *
   * @param bytes Of their texts, about: writing a MB again takes 10 ms, so as many as fit should be
   *   marked at once.
   * @returns How many were not known to be delivered before.
   */
  delivered(contact: ContactName, ids: readonly MessageId[], bytes = 0): Promise<number> {
    const { contacts, database, queue } = this.parts;
    return queue.add(
      () => {
        const key = contacts.find(contact)?.key;
        if (key === undefined) return 0;
        if (ids.length < WORTH_A_LIST) {
          const condition = "AND contact = ? AND state IN (1, 2, 4)";
          return ids.filter((id) => this.#settle(id, STATE.delivered, undefined, condition, key))
            .length;
        }
        const list = JSON.stringify(ids);
        const which = `id IN (SELECT unhex(value, '-') FROM json_each(?)) AND state > 0
           AND contact = ? AND state IN (1, 2, 4)`;
        const changed = database.run(
          `UPDATE message INDEXED BY message_outgoing SET state = ${STATE.delivered}, reason = NULL
           WHERE ${which} AND kept = 1`,
          list,
          key,
        );
        if (changed === ids.length) return changed; // which is nearly always so
        const dropped = database.run(
          `DELETE FROM message INDEXED BY message_outgoing WHERE ${which} AND kept = 0`,
          list,
          key,
        );
        if (dropped > 0) this.#leaveNothing();
        return dropped + changed;
      },
      ids.length,
      bytes,
    );
  }

  /**
   * Marks a message that went to a peer which never says whether it has it.
   *
   * @returns Whether it was pending.
   */
  sent(id: MessageId): Promise<boolean> {
    return this.parts.queue.add(() => this.#settle(id, STATE.sent, undefined, "AND state = 1"));
  }

  /**
   * Gives a message up.
   *
   * @param reason A line of text for the user.
   * @returns Whether it was pending, or only sent.
   */
  failed(id: MessageId, reason: string): Promise<boolean> {
    return this.parts.queue.add(() =>
      this.#settle(id, STATE.failed, reason, "AND state IN (1, 2)")
    );
  }

  /**
   * Takes back a message that is pending: it fails with the reason `cancelled`.
   *
   * @returns What it was, so `pending` where it was cancelled; `undefined` where there is no such
   *   message.
   */
  cancel(id: MessageId): Promise<OutgoingState | undefined> {
    const { database, queue } = this.parts;
    return queue.add(() => {
      const row = database.get<{ state: number }>(
        "SELECT state FROM message INDEXED BY message_outgoing WHERE id = ? AND state > 0",
        messageIdBytes(id),
      );
      const state = row && stateOf(row.state);
      if (state === "pending") this.#settle(id, STATE.failed, "cancelled", "AND state = 1");
      return state;
    });
  }

  /**
   * Gives up what has been pending since before a time, as far as the clock is to be trusted, see
   * {@linkcode Ages}.
   *
   * @param before Milliseconds since the Unix epoch.
   * @param reason A line of text for the user.
   * @param after Only messages with a larger key.
   * @param isOnItsWay Which of them, by their keys, to leave alone.
   * @returns The messages, at most {@linkcode EXPIRE_PAGE} or 1 MiB of text: call again until there are none.
   */
  expire(
    before: number,
    reason = "expired",
    after = 0,
    isOnItsWay: (key: number) => boolean = () => false,
  ): Promise<StoredMessage[]> {
    const { ages, database, queue } = this.parts;
    return queue.add(() => {
      const last = ages.oldTo(before);
      for (let from = after;;) {
        const sizes = database.all<Sized & Row>(
          `SELECT key, octet_length(content) AS size FROM message INDEXED BY message_outbox
           WHERE state IN (1, 4) AND state = 1 AND key > ? AND key <= ? AND stored_at < ?
           ORDER BY key LIMIT ${EXPIRE_PAGE}`,
          from,
          last,
          before,
        );
        if (sizes.length === 0) return [];
        const expired = sizes.filter(({ key }) => !isOnItsWay(key));
        if (expired.length > 0) {
          return this.read(fitting(expired, EXPIRE_BYTES)).map((message) => {
            this.#settle(message.id!, STATE.failed, reason, "AND state = 1");
            return { ...message, state: "failed", reason };
          });
        }
        from = sizes.at(-1)!.key;
      }
    }, EXPIRE_PAGE);
  }

  /** Changes the state, and drops what is not part of the history and has reached its end. */
  #settle(
    id: MessageId,
    state: number,
    reason: string | undefined,
    condition: string,
    ...values: number[]
  ): boolean {
    const { database } = this.parts;
    const bytes = messageIdBytes(id);
    const changed = database.run(
      `UPDATE message INDEXED BY message_outgoing SET state = ?, reason = ?
       WHERE id = ? AND state > 0 ${condition}`,
      state,
      reason?.toWellFormed().slice(0, MAX_REASON) ?? null,
      bytes,
      ...values,
    ) > 0;
    if (changed) {
      const dropped = database.run(
        "DELETE FROM message INDEXED BY message_outgoing WHERE id = ? AND state > 0 AND state <> 1 AND kept = 0",
        bytes,
      );
      if (dropped > 0) this.#leaveNothing();
    }
    return changed;
  }

  /** In the transaction that deletes something. */
  #leaveNothing(): void {
    const { database, eraser } = this.parts;
    markRemnants(database);
    eraser.soon();
  }
}
