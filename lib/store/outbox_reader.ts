import { type MessageId, messageIdBytes } from "../wire/message_id.ts";
import {
  type Contact,
  CONTACT_COLUMNS,
  type ContactName,
  contactOf,
  type ContactTable,
} from "./contacts.ts";
import type { Database, Row } from "./database.ts";
import { MESSAGE_COLUMNS, MESSAGE_TABLES, messageOf, type StoredMessage } from "./message.ts";
import { fitting, MAX_PAGE, MAX_PAGE_BYTES, type Sized } from "./page.ts";
import { STATE } from "./schema.ts";

/** Bytes of text that one call of {@linkcode OutboxReader.pending} reads, unless told otherwise. */
const PENDING_BYTES = 2 ** 20;

/**
 * The tables of messages with the index to go by. SQLite has no statistics here, and would at times
 * rather look through everything that was ever said to a contact.
 */
function tablesBy(index: "pending" | "outbox" | "outgoing"): string {
  return `message m INDEXED BY message_${index} CROSS JOIN contact c ON c.key = m.contact`;
}

/** Reads what the user has sent and how far it has come. */
export class OutboxReader {
  readonly #database: Database;
  readonly #contacts: Pick<ContactTable, "find">;

  constructor({ database, contacts }: {
    readonly database: Database;
    readonly contacts: Pick<ContactTable, "find">;
  }) {
    this.#database = database;
    this.#contacts = contacts;
  }

  /**
   * What is to be delivered to a contact, in order.
   *
   * @param after Only messages with a larger key.
   * @param limit Of messages, 1 to {@linkcode MAX_PAGE}.
   * @param maxBytes Of text; one message is always returned if there is any.
   */
  pending(
    contact: ContactName,
    { after = 0, limit = MAX_PAGE, maxBytes = PENDING_BYTES }: {
      after?: number;
      limit?: number;
      maxBytes?: number;
    } = {},
  ): StoredMessage[] {
    const [database, contacts] = [this.#database, this.#contacts];
    const key = contacts.find(contact)?.key;
    if (key === undefined) return [];
    // The lengths first: a thousand messages may be as many times 64 KiB.
    const sizes = database.all<{ key: number; size: number }>(
      `SELECT key, octet_length(content) AS size FROM message INDEXED BY message_pending
       WHERE state = 1 AND contact = ? AND key > ? ORDER BY key LIMIT ?`,
      key,
      after,
      Math.min(limit, MAX_PAGE),
    );
    const last = fitting(sizes, maxBytes).at(-1)?.key;
    if (last === undefined) return [];
    return database.all(
      `SELECT ${MESSAGE_COLUMNS} FROM ${tablesBy("pending")}
       WHERE m.state = 1 AND m.contact = ? AND m.key > ? AND m.key <= ? ORDER BY m.key`,
      key,
      after,
      last,
    ).map(messageOf);
  }

  /**
   * Contacts that messages are pending for, in the order of their keys.
   *
   * @param after Only contacts with a larger key.
   * @returns At most {@linkcode MAX_PAGE}.
   */
  contactsWithPending(after = 0): Contact[] {
    const database = this.#database;
    const found: Contact[] = [];
    for (let key = after; found.length < MAX_PAGE;) {
      const row = database.get<{ contact: number }>(
        "SELECT contact FROM message INDEXED BY message_pending WHERE state = 1 AND contact > ? ORDER BY contact LIMIT 1",
        key,
      );
      if (row === undefined) break;
      key = row.contact;
      found.push(
        contactOf(database.get(`SELECT ${CONTACT_COLUMNS} FROM contact WHERE key = ?`, key)!),
      );
    }
    return found;
  }

  /** How many messages are pending, for one contact or all; a millisecond for 100,000. */
  pendingCount(contact?: ContactName): number {
    const [database, contacts] = [this.#database, this.#contacts];
    if (contact === undefined) {
      return database.get<{ count: number }>(
        "SELECT count(*) AS count FROM message INDEXED BY message_outbox WHERE state IN (1, 4) AND state = 1",
      )!.count;
    }
    return database.get<{ count: number }>(
      "SELECT count(*) AS count FROM message INDEXED BY message_pending WHERE state = 1 AND contact = ?",
      contacts.find(contact)?.key ?? 0,
    )!.count;
  }

  /**
   * Messages to all contacts that are pending, or that failed: at most {@linkcode MAX_PAGE_BYTES} of
   * text, or one.
   *
   * @param after Only messages with a larger key.
   * @param limit 1 to {@linkcode MAX_PAGE}.
   */
  list(
    state: "pending" | "failed",
    { after = 0, limit = 100 }: { after?: number; limit?: number } = {},
  ): StoredMessage[] {
    const sizes = this.#database.all<Sized & Row>(
      `SELECT key, octet_length(content) AS size FROM message INDEXED BY message_outbox
       WHERE state IN (1, 4) AND state = ? AND key > ? ORDER BY key LIMIT ?`,
      STATE[state],
      after,
      Math.min(limit, MAX_PAGE),
    );
    return this.read(fitting(sizes, MAX_PAGE_BYTES));
  }

  /**
   * Messages that are pending and whose id ends like this.
   *
   * @param suffix Hexadecimal digits in any case; hyphens do not matter.
   * @returns At most two: more say no more than that it is not clear.
   */
  pendingEndingWith(suffix: string): StoredMessage[] {
    const digits = suffix.replaceAll("-", "").toUpperCase();
    if (!/^[0-9A-F]{1,32}$/.test(digits)) return [];
    const found = this.#database.all<Sized & Row>(
      `SELECT key, 0 AS size FROM message INDEXED BY message_outbox
       WHERE state IN (1, 4) AND state = 1 AND substr(hex(id), -length(?1)) = ?1
       ORDER BY key LIMIT 2`,
      digits,
    );
    return this.read(found);
  }

  /** The outgoing message with this id, or `undefined`. */
  find(id: MessageId): StoredMessage | undefined {
    const row = this.#database.get(
      `SELECT ${MESSAGE_COLUMNS} FROM ${tablesBy("outgoing")} WHERE m.id = ? AND m.state > 0`,
      messageIdBytes(id),
    );
    return row && messageOf(row);
  }

  /** The messages with these keys. */
  protected read(messages: readonly Sized[]): StoredMessage[] {
    return messages.map(({ key }) =>
      messageOf(
        this.#database.get(
          `SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_TABLES} WHERE m.key = ?`,
          key,
        )!,
      )
    );
  }
}
