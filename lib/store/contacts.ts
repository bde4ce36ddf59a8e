import { InvalidInputError } from "../errors.ts";
import { isPeerId, type PeerId } from "../wire/peer_id.ts";
import type { Database, Row } from "./database.ts";

/**
 * Whom a message is from or to: an id that a session has proved, with the nickname that it has now,
 * or, for peers without one, just the nickname. The two are never the same contact.
 */
export interface ContactName {
  readonly id?: PeerId;
  readonly nickname: string;
}

/** Somebody whom messages were exchanged with; of a message, with the nickname of that time. */
export interface Contact extends ContactName {
  /** In the store. */
  readonly key: number;
}

/** Contacts that are looked up without the database. */
const MAX_REMEMBERED = 1_000;

/** Of contacts whom one name stands for. */
const MAX_NAMED = 1_000;

/** A contact as a message refers to it. */
export interface ContactReference {
  readonly key: number;
  /** Where it is another than the contact's first one. */
  readonly nickname: string | null;
}

interface Remembered extends Contact {
  /** The nickname that it had at first. */
  readonly first: string;
}

/** The columns of {@linkcode contactOf}. */
export const CONTACT_COLUMNS = "key, id, latest AS nickname";

/** Finds and makes the rows that messages refer to. */
export class ContactTable {
  /** By id, or by "=" and the nickname. */
  readonly #remembered = new Map<string, Remembered>();

  constructor(private readonly database: Database) {}

  /** The contact of this name, or `undefined` where there is none. */
  find({ id, nickname }: ContactName): Remembered | undefined {
    const name = id ?? `=${nickname}`;
    const remembered = this.#remembered.get(name);
    if (remembered !== undefined) return remembered;
    const row = id === undefined
      ? this.database.get(
        `SELECT ${CONTACT_COLUMNS}, nickname AS first FROM contact WHERE nickname = ? AND id IS NULL`,
        nickname,
      )
      : this.database.get(
        `SELECT ${CONTACT_COLUMNS}, nickname AS first FROM contact WHERE id = ?`,
        id,
      );
    if (row === undefined) return undefined;
    return this.#remember(name, { ...contactOf(row), first: row.first as string });
  }

  /** What a message refers to; makes the contact or its newest nickname. Only in a transaction. */
  ensure(name: ContactName): ContactReference {
    const { id, nickname } = name;
    let found = this.find(name);
    if (found === undefined) {
      this.database.run(
        "INSERT INTO contact (id, nickname, latest) VALUES (?1, ?2, ?2)",
        id ?? null,
        nickname,
      );
      found = this.find(name)!;
    } else if (found.nickname !== nickname) {
      this.database.run("UPDATE contact SET latest = ? WHERE key = ?", nickname, found.key);
      found = this.#remember(id ?? `=${nickname}`, { ...found, nickname });
    }
    return { key: found.key, nickname: nickname === found.first ? null : nickname };
  }

  /**
   * Those whom a user may mean: the exact nickname that one has now, or an id or the start of one, of
   * at least its first group of seven characters.
   *
   * @throws {InvalidInputError} There are more than {@linkcode MAX_NAMED}: whoever deletes the
   *   history with all of them must not leave some.
   */
  named(text: string): Contact[] {
    const start = text.toUpperCase();
    const byId = /^[A-Z2-7]{7}[A-Z2-7-]{0,56}$/.test(start) ? start : "";
    const found = this.database.all(
      `SELECT ${CONTACT_COLUMNS} FROM contact WHERE latest = ?1
       UNION SELECT ${CONTACT_COLUMNS} FROM contact
         WHERE id IS NOT NULL AND ?2 <> '' AND id >= ?2 AND id < ?2 || 'a'
       ORDER BY key LIMIT ${MAX_NAMED + 1}`,
      text,
      byId,
    );
    if (found.length <= MAX_NAMED) return found.map(contactOf);
    throw new InvalidInputError(
      `Cannot tell whom ${JSON.stringify(text)} means: the history has more than ${MAX_NAMED} ` +
        "contacts of that name; use an id",
    );
  }

  /** Those after `after` in the order of their keys, at most `limit`. */
  list(after: number, limit: number): Contact[] {
    return this.database.all(
      `SELECT ${CONTACT_COLUMNS} FROM contact WHERE key > ? ORDER BY key LIMIT ?`,
      after,
      limit,
    ).map(contactOf);
  }

  /** After a rollback: what was made in the transaction is not there. */
  forget(): void {
    this.#remembered.clear();
  }

  #remember(name: string, contact: Remembered): Remembered {
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(name, contact);
    return contact;
  }
}

/** Reads a row of the table; an id that is none, in a damaged file, is left out. */
export function contactOf({ key, id, nickname }: Row): Contact {
  const named = { key: key as number, nickname: nickname as string };
  return isPeerId(id) ? { ...named, id } : named;
}
