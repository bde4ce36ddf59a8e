import { isIpv4 } from "../wire/address.ts";
import { MAX_LINE_BYTES } from "../wire/message.ts";
import { isNickname, MAX_NICKNAME_BYTES, nicknameProblem } from "../wire/nickname.ts";
import { MODES, PLAIN_TEXT } from "./configuration.ts";

/**
 * What one value may be. The command line and the configuration file share these, so that both
 * accept the same and say the same.
 */
export interface Rule<T> {
  /** Completes "must be …". */
  readonly allowed: string;
  accepts(value: unknown): value is T;
  /** Why a refused value is refused, where that says more than {@linkcode allowed}. */
  problem?(value: unknown): string | undefined;
  /** Reads the value from a command line, where that is not the text itself. */
  fromText?(text: string): unknown;
  /** For lists: what each element may be. */
  readonly each?: Rule<unknown>;
}

/** Seconds of an interval or time-out: more than a day is a slip of the pen. */
const MAX_SECONDS = 86_400;

/** Content at most: JSON may escape each byte with six, and the rest of the line needs its room. */
export const MAX_CONTENT_BYTES = Math.floor((MAX_LINE_BYTES - 1024) / 6);

/** The profile names a directory, in which each byte may take three characters of 255. */
const MAX_PROFILE_BYTES = 64;

/** Longest URL that is accepted, in characters; common servers refuse longer request lines. */
const MAX_URL_LENGTH = 2048;

/** More interfaces than any machine of a person has. */
const MAX_INTERFACES = 64;

function wholeNumber(least: number, most: number, note = ""): Rule<number> {
  return {
    allowed: `a whole number from ${least} to ${most}${note}`,
    accepts: (value): value is number =>
      Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
    // Digits only: Number alone would take "", "1e3" and "0x1", too.
    fromText: (text) => /^\d{1,15}$/.test(text) ? Number(text) : undefined,
  };
}

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[]): Rule<T> {
  const quoted = words.map((word) => JSON.stringify(word));
  return {
    allowed: `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`,
    accepts: (value): value is T => (words as readonly unknown[]).includes(value),
  };
}

export const mode = oneOf(MODES);

export const plaintext = oneOf(PLAIN_TEXT);

export const seconds = wholeNumber(1, MAX_SECONDS, " (seconds)");

/** How many messages of a history; more do not fit into anybody's screen, and a file is exported. */
export const count = wholeNumber(1, 1_000_000, " (messages)");

export const port = wholeNumber(0, 65535, " (with 0 the system chooses)");

export const contentBytes = wholeNumber(1024, MAX_CONTENT_BYTES, " (bytes)");

/** More days than a person has use for are a slip of the pen. */
const MAX_DAYS = 36_500;

export const days = wholeNumber(0, MAX_DAYS, " (days; 0 stands for no limit)");

export const megabytes = wholeNumber(0, 1_000_000, " (MB; 0 stands for no limit)");

export const flag: Rule<boolean> = {
  allowed: "true or false",
  accepts: (value): value is boolean => typeof value === "boolean",
};

export const nickname: Rule<string> = {
  allowed: `a text of 1 to ${MAX_NICKNAME_BYTES} bytes of UTF-8 without control characters`,
  accepts: isNickname,
  problem: (value) => typeof value === "string" ? nicknameProblem(value) : undefined,
};

/** As nicknames, but longer: it is only a name of this machine's. */
export const profile: Rule<string> = {
  allowed: `a text of 1 to ${MAX_PROFILE_BYTES} bytes of UTF-8 without control characters`,
  accepts: (value): value is string =>
    typeof value === "string" && profileProblem(value) === undefined,
  problem: (value) => typeof value === "string" ? profileProblem(value) : undefined,
};

function profileProblem(value: string): string | undefined {
  if (value === "") return "it is empty";
  if (!value.isWellFormed()) return "it is not valid Unicode";
  if (/\p{Cc}/u.test(value)) return "it contains a control character";
  if (/^\p{White_Space}|\p{White_Space}$/u.test(value)) return "it starts or ends with white space";
  const most = MAX_PROFILE_BYTES;
  // A UTF-16 unit takes at least one byte, so a long text need not be encoded to know.
  const isLong = value.length > most || new TextEncoder().encode(value).length > most;
  return isLong ? `it has more than ${most} bytes of UTF-8` : undefined;
}

export const ipv4: Rule<string> = {
  allowed: 'an IPv4 address of this machine, such as "192.168.1.10"',
  accepts: (value): value is string => typeof value === "string" && isIpv4(value),
};

export const interfaces: Rule<readonly string[]> = {
  allowed: `a list of at most ${MAX_INTERFACES} IPv4 addresses of this machine, such as ` +
    '["192.168.1.10"]',
  accepts: (value): value is readonly string[] =>
    Array.isArray(value) && value.length <= MAX_INTERFACES && value.every(ipv4.accepts),
  each: ipv4,
};

export const serverUrl: Rule<string> = {
  allowed: 'a ws:// or wss:// URL, such as "ws://localhost:8080"',
  accepts(value): value is string {
    if (typeof value !== "string" || value.length > MAX_URL_LENGTH) return false;
    // The URL parser removes white space and control characters silently; "#" has no meaning here.
    if (!/^wss?:\/\/[^\s\p{Cc}#]+$/iu.test(value)) return false;
    return URL.canParse(value) && new URL(value).port !== "0";
  },
};
