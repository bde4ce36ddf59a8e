import { isInstance, isVersion } from "./announce.ts";
import { accepted, type Decoded, decodeObject, refused } from "./decoded.ts";
import { isTimestamp } from "./message.ts";
import { isMessageId, type MessageId } from "./message_id.ts";
import { isNickname } from "./nickname.ts";

/**
 * What goes over a session of version 2: one JSON object a line, told apart by `type`; see
 * `docs/protocol-2.md`. Types that are not known are ignored.
 *
 * @module
 */

/** Application protocol of sessions (RFC 7301). */
export const ALPN_PROTOCOL = "parlance/2";
/** The first byte of a TLS ClientHello (RFC 8446, section 5.1: content type handshake). */
export const TLS_HANDSHAKE_BYTE = 0x16;

/** The first line from both sides, sent without waiting for the other's. */
export interface Hello {
  readonly type: "hello";
  /** Protocol version, 2 or more. */
  readonly version: number;
  readonly nickname: string;
  /** 64 random bits of this run, in hexadecimal. Numbers of messages begin anew with each run. */
  readonly instance: string;
  /** How many sessions with this peer the sender's run has had, this one included. */
  readonly ordinal: number;
  /**
   * From the side that dialled: how many it had had when it began to dial. It tells a session that
   * replaces a broken one from one that crossed another on the way.
   */
  readonly dialled?: number;
}

/** What a chat message says, and what it is known by. */
export interface ChatMessage {
  /** Names the message among those of its sender, for ever. */
  readonly id: MessageId;
  readonly content: string;
  /** Unix time in whole seconds, by the sender's clock; 0 to 253402300799. */
  readonly timestamp: number;
}

/** A chat message on a session. */
export interface SessionMessage extends ChatMessage {
  readonly type: "message";
  /** Counts the messages of the sender's run to this peer, from 1. */
  readonly seq: number;
  /** Only where an implementation repeats it; must be the nickname of the hello. */
  readonly from?: string;
}

/** Everything up to the message with this number has been taken. */
export interface Ack {
  readonly type: "ack";
  readonly seq: number;
}

/** The message with this number was not taken, and will not be. */
export interface Refusal {
  readonly type: "refused";
  readonly seq: number;
  /** A line of text for the user. */
  readonly reason: string;
}

/** Asks for a sign of life, and gives it. */
export interface Ping {
  readonly type: "ping" | "pong";
}

/** Why the sender is about to end the session. */
export interface Bye {
  readonly type: "bye";
  /** A line of text for the user. */
  readonly reason: string;
}

/** A line of a session. */
export type SessionLine = Hello | SessionMessage | Ack | Refusal | Ping | Bye;

/** Longest reason that is kept, in UTF-16 units. */
const MAX_REASON = 200;

/** Writes a line, its newline included. */
export function encodeSessionLine(line: SessionLine): string {
  return `${JSON.stringify(line)}\n`;
}

/** The same for messages, of which there are many. Lone surrogates become U+FFFD. */
export function encodeSessionMessage(
  seq: number,
  { id, content, timestamp }: ChatMessage,
): string {
  return `{"type":"message","seq":${seq},"id":"${id}","timestamp":${timestamp},"content":${
    JSON.stringify(content.toWellFormed())
  }}\n`;
}

/** Reads a line; `undefined` stands for one of an unknown type. */
export function decodeSessionLine(text: string): Decoded<SessionLine | undefined> {
  const object = decodeObject(text);
  if (!object.ok) return refused(`session line is ${object.cause}`);
  const fields = object.value;
  switch (fields.type) {
    case "message":
      return decodeSessionMessage(fields);
    case "ack":
      if (!isCount(fields.seq)) return refused("ack without a number");
      return accepted({ type: "ack", seq: fields.seq });
    case "ping":
    case "pong":
      return accepted({ type: fields.type });
    case "hello":
      return decodeHello(fields);
    case "refused":
    case "bye": {
      const { type, seq, reason } = fields;
      if (typeof reason !== "string") return refused(`${type} without a reason`);
      const kept = reason.slice(0, MAX_REASON);
      if (type === "bye") return accepted({ type, reason: kept });
      if (!isCount(seq) || seq === 0) return refused("refused without a number");
      return accepted({ type, seq, reason: kept });
    }
    default:
      return typeof fields.type === "string"
        ? accepted(undefined)
        : refused("session line without a type");
  }
}

function decodeSessionMessage(fields: Record<string, unknown>): Decoded<SessionMessage> {
  const { seq, id, content, timestamp, from } = fields;
  if (!isCount(seq) || seq === 0) return refused("session message without a number");
  if (!isMessageId(id)) return refused("session message without a UUID of version 7 as its id");
  if (typeof content !== "string") return refused("session message without content");
  if (!isTimestamp(timestamp)) return refused("session message without a Unix time");
  if (from !== undefined && !isNickname(from)) return refused("session message from an odd name");
  return accepted({ type: "message", seq, id, content, timestamp, from });
}

function decodeHello(fields: Record<string, unknown>): Decoded<Hello> {
  const { version, nickname, instance, ordinal, dialled } = fields;
  if (!isVersion(version) || version < 2) return refused("hello without a version of 2 or more");
  if (!isNickname(nickname)) return refused("hello without a valid nickname");
  if (!isInstance(instance)) return refused("hello without a valid instance");
  if (!isCount(ordinal) || ordinal === 0) return refused("hello without an ordinal");
  if (dialled !== undefined && !isCount(dialled)) return refused("hello with an odd dial count");
  return accepted({ type: "hello", version, nickname, instance, ordinal, dialled });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
