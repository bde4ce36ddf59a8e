import { type MessageId, messageIdFromBytes } from "../wire/message_id.ts";
import type { Contact, ContactName } from "./contacts.ts";
import type { Row } from "./database.ts";
import { STATE } from "./schema.ts";

/**
 * How far an outgoing message has come: `pending`, to be sent, again if need be, until the other
 * side has it; `sent`, to a peer that cannot say more; `delivered`, the other side has it on its
 * disk; `failed`, it will not be sent (any more).
 */
export type OutgoingState = "pending" | "sent" | "delivered" | "failed";

/** The names of `message.trust` are their places here; the list only grows at its end. */
const TRUST_MARKS = [
  "none",
  "plain",
  "unverified",
  "new",
  "known",
  "verified",
  "changed",
  "blocked",
] as const;

/** What was known of who the other side is when the message came or went. */
export type TrustMark = typeof TRUST_MARKS[number];

/** A message as it is kept. */
export interface StoredMessage {
  /** Its place in the order of arrival; never used again. */
  readonly key: number;
  /** Missing where a version 1 peer sent it. */
  readonly id?: MessageId;
  /** With the nickname that it had when the message came or was written. */
  readonly contact: Contact;
  /** Missing for what was received. */
  readonly state?: OutgoingState;
  readonly content: string;
  /** Unix time in seconds, by its sender's clock. */
  readonly timestamp: number;
  /** Milliseconds since the Unix epoch, by this machine's clock. */
  readonly storedAt: number;
  readonly encrypted: boolean;
  readonly trust: TrustMark;
  /** Why it failed. */
  readonly reason?: string;
}

/** What {@linkcode Outbox.enqueue} takes. */
export interface OutgoingMessage {
  readonly contact: ContactName;
  readonly id: MessageId;
  readonly content: string;
  /** Unix time in seconds. */
  readonly timestamp: number;
  /** `sent` for what went to a version 1 peer already. */
  readonly state: "pending" | "sent";
  readonly encrypted: boolean;
  readonly trust: TrustMark;
}

/** What {@linkcode Inbox.receive} takes. */
export interface ReceivedMessage {
  readonly contact: ContactName;
  /** Missing where a version 1 peer sent it: such messages are never duplicates. */
  readonly id?: MessageId;
  readonly content: string;
  /** Unix time in seconds, by the sender's clock. */
  readonly timestamp: number;
  readonly encrypted: boolean;
  readonly trust: TrustMark;
}

/** Columns that {@linkcode messageOf} reads; the tables are called `m` and `c`. */
export const MESSAGE_COLUMNS = `m.key, m.id, m.state, m.content, m.timestamp, m.stored_at,
  m.encrypted, m.trust, m.reason, c.key AS contact, c.id AS peer,
  coalesce(m.nickname, c.nickname) AS nickname`;

/** For `FROM`, in this order of nesting. */
export const MESSAGE_TABLES = "message m CROSS JOIN contact c ON c.key = m.contact";

/** Reads a row of the above. */
export function messageOf(row: Row): StoredMessage {
  const { key, id, state, content, timestamp, stored_at, encrypted, trust, reason } = row;
  const read = id === null ? undefined : messageIdFromBytes(id as Uint8Array);
  const outgoing = stateOf(state as number);
  const contact: Contact = { key: row.contact as number, nickname: row.nickname as string };
  return {
    key: key as number,
    ...(read?.ok ? { id: read.value } : {}),
    contact: row.peer === null ? contact : { ...contact, id: row.peer as Contact["id"] },
    ...(outgoing === undefined ? {} : { state: outgoing }),
    content: textOf(content),
    timestamp: timestamp as number,
    storedAt: stored_at as number,
    encrypted: encrypted === 1,
    trust: TRUST_MARKS[trust as number] ?? "none",
    ...(reason === null ? {} : { reason: reason as string }),
  };
}

/** The state of an outgoing message; nothing for one that was received. */
export function stateOf(number: number): OutgoingState | undefined {
  switch (number) {
    case STATE.pending:
      return "pending";
    case STATE.sent:
      return "sent";
    case STATE.delivered:
      return "delivered";
    case STATE.failed:
      return "failed";
  }
}

export function trustNumber(mark: TrustMark): number {
  return TRUST_MARKS.indexOf(mark);
}

/** The runtime cuts texts at the first NUL when it reads them: those go as bytes. */
export function contentValue(content: string): string | Uint8Array {
  return content.includes("\0") ? new TextEncoder().encode(content) : content;
}

export function textOf(content: unknown): string {
  return content instanceof Uint8Array ? new TextDecoder().decode(content) : String(content);
}

/** The most bytes that a text has in UTF-8. */
export function contentBytes(content: string): number {
  return content.length * 3;
}
