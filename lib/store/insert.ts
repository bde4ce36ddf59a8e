import type { SQLInputValue } from "node:sqlite";
import type { ContactReference } from "./contacts.ts";
import type { Database } from "./database.ts";
import { contentValue, type TrustMark, trustNumber } from "./message.ts";
import { isConstraint } from "./store_error.ts";

/** A message as it is about to be written. */
export interface MessageRow {
  readonly key: number;
  readonly contact: ContactReference;
  readonly state: number;
  readonly kept: boolean;
  readonly encrypted: boolean;
  readonly trust: TrustMark;
  readonly id: Uint8Array | null;
  readonly timestamp: number;
  readonly storedAt: number;
  readonly content: string;
}

/** An id that a contact has given; `null` for a message without one. */
export interface ReceivedId {
  readonly contact: number;
  readonly id: Uint8Array | null;
}

/** Rows in one statement: a row then costs less than half of what it costs alone. */
const ROWS = 32;

const MESSAGE_INSERT = `INSERT INTO message
  (key, contact, state, kept, encrypted, trust, id, timestamp, stored_at, nickname, content)
  VALUES `;
const MESSAGE_VALUES = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const RECEIVED_VALUES = "(?, ?)";

const ONE_MESSAGE = MESSAGE_INSERT + MESSAGE_VALUES;
const MANY_MESSAGES = MESSAGE_INSERT + Array(ROWS).fill(MESSAGE_VALUES).join(", ");
const ONE_RECEIVED = `INSERT OR IGNORE INTO received (contact, id) VALUES ${RECEIVED_VALUES}`;
const MANY_RECEIVED = `INSERT INTO received (contact, id) VALUES ${
  Array(ROWS).fill(RECEIVED_VALUES).join(", ")
}`;

/** Writes messages; only inside a transaction. */
export function insertMessages(database: Database, rows: readonly MessageRow[]): void {
  let at = 0;
  for (; at + ROWS <= rows.length; at += ROWS) {
    const values: SQLInputValue[] = [];
    for (let index = at; index < at + ROWS; index++) values.push(...valuesOf(rows[index]));
    database.run(MANY_MESSAGES, ...values);
  }
  for (; at < rows.length; at++) database.run(ONE_MESSAGE, ...valuesOf(rows[at]));
}

/**
 * Remembers ids that were received; only inside a transaction.
 *
 * @returns Of each whether it was not there before; always so without an id.
 */
export function rememberReceived(database: Database, marks: readonly ReceivedId[]): boolean[] {
  const isNew: boolean[] = [];
  for (let at = 0; at < marks.length; at += ROWS) {
    const part = marks.slice(at, at + ROWS);
    if (part.length === ROWS && rememberAll(database, part)) {
      for (let count = 0; count < ROWS; count++) isNew.push(true);
    } else {
      for (const { contact, id } of part) {
        isNew.push(id === null || database.run(ONE_RECEIVED, contact, id) > 0);
      }
    }
  }
  return isNew;
}

/** @returns Whether all of them were new; else nothing was changed. */
function rememberAll(database: Database, part: readonly ReceivedId[]): boolean {
  const values: SQLInputValue[] = [];
  for (const { contact, id } of part) {
    if (id === null) return false;
    values.push(contact, id);
  }
  try {
    database.run(MANY_RECEIVED, ...values);
    return true;
  } catch (error) {
    if (isConstraint(error)) return false;
    throw error;
  }
}

function valuesOf(row: MessageRow): SQLInputValue[] {
  return [
    row.key,
    row.contact.key,
    row.state,
    row.kept ? 1 : 0,
    row.encrypted ? 1 : 0,
    trustNumber(row.trust),
    row.id,
    row.timestamp,
    row.storedAt,
    row.contact.nickname,
    contentValue(row.content.toWellFormed()),
  ];
}
