import { decodeObject } from "../wire/decoded.ts";
import type { Secrets } from "./endpoint.ts";

/**
 * The version of the conversation; changes when a client and a command of different versions would
 * misunderstand each other. The version of the program is only for messages.
 */
export const CONTROL_VERSION = 1;

/** The longest first line, in bytes. */
export const MAX_HELLO_BYTES = 4096;

/** What a command says first. */
export interface Hello {
  readonly control: number;
  /** The program's version. */
  readonly version: string;
  readonly token?: string;
}

/** What the client answers. */
export interface Welcome {
  readonly control: number;
  readonly version: string;
  /** For how long it has looked for peers, in milliseconds. */
  readonly ageMs: number;
  /** Whether the client is itself a command, and ends when it has done its own work. */
  readonly isOneShot: boolean;
  /** Whether messages wait for version 1 peers, too. */
  readonly queuesPlain: boolean;
  readonly answer?: string;
}

/** The line that a command begins with, with its newline. */
export function encodeHello(version: string, secrets: Secrets | undefined): string {
  return line({ control: CONTROL_VERSION, version, token: secrets?.token });
}

/** The client's answer, with its newline. */
export function encodeWelcome(
  { control, version, ageMs, isOneShot, queuesPlain, answer }: Welcome,
): string {
  const age_ms = Math.round(ageMs);
  return line({
    event: "control",
    control,
    version,
    age_ms,
    one_shot: isOneShot,
    queue_plain: queuesPlain || undefined,
    answer,
  });
}

/** A refusal, with its newline; `busy` where another attempt may succeed. */
export function encodeRefusal(message: string, code?: "busy"): string {
  return line({ event: "error", message, code });
}

/**
 * The last line of a client that ends, with its newline.
 *
 * @param commands How many lines it has read since the first one: others it has not acted on.
 */
export function encodeEnd(commands: number): string {
  return line({ event: "end", commands });
}

/** Says, behind the end of what a command writes, that what is on its way is waited for. */
export function encodeEnding(): string {
  return line({ event: "ending" });
}

/** Reads a command's first line; `undefined` where it is none. */
export function decodeHello(text: string): Hello | undefined {
  const object = decodeObject(text);
  if (!object.ok) return undefined;
  const { control, version = "of an unknown version", token } = object.value;
  if (typeof control !== "number" || typeof version !== "string") return undefined;
  if (token !== undefined && typeof token !== "string") return undefined;
  return { control, version, token };
}

/** Reads the client's first object: an answer, or why it refuses; `undefined` where it is neither. */
export function decodeWelcome(
  object: Readonly<Record<string, unknown>>,
): Welcome | { readonly refused: string; readonly isBusy: boolean } | undefined {
  const { event, message, code, control, version, age_ms, one_shot, queue_plain, answer } = object;
  if (event === "error" && typeof message === "string") {
    return { refused: message, isBusy: code === "busy" };
  }
  if (event !== "control" || typeof control !== "number" || typeof version !== "string") return;
  return {
    control,
    version,
    ageMs: typeof age_ms === "number" ? age_ms : 0,
    isOneShot: one_shot === true,
    queuesPlain: queue_plain === true,
    answer: typeof answer === "string" ? answer : undefined,
  };
}

/** Compares secrets in a time that does not tell how much of them agrees. */
export function isSame(one: string | undefined, other: string): boolean {
  if (one?.length !== other.length) return false;
  let difference = 0;
  for (let at = 0; at < other.length; at++) difference |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return difference === 0;
}

function line(object: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(object)}\n`;
}
