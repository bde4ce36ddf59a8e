import { nicknameProblem } from "../wire/nickname.ts";
import type { ServerLimits } from "./limits.ts";

/**
 * Says why a client may not register so, or `undefined`. A `local_addr` need not be an `ip:port`
 * (protocol version 1, section 3), yet it is passed on to everybody: it has to be short and printable.
 */
export function registrationProblem(
  nickname: string,
  localAddr: string,
  limits: Pick<ServerLimits, "nicknameBytes" | "addressLength">,
): string | undefined {
  const problem = nicknameProblem(nickname);
  if (problem !== undefined) return `Invalid nickname: ${problem}`;
  if (byteLengthExceeds(nickname, limits.nicknameBytes)) {
    return `Invalid nickname: it has more than ${limits.nicknameBytes} bytes of UTF-8`;
  }
  if (localAddr.length > limits.addressLength) {
    return `Invalid local_addr: it has more than ${limits.addressLength} characters`;
  }
  if (/[^\x20-\x7e]/.test(localAddr)) {
    return "Invalid local_addr: it has characters other than printable ASCII";
  }
  return undefined;
}

/** Whether `text` has more than `limit` bytes of UTF-8; encodes it only where that is in doubt. */
export function byteLengthExceeds(text: string, limit: number): boolean {
  if (text.length > limit) return true; // a UTF-16 unit takes at least one byte
  if (text.length * 3 <= limit) return false; // and at most three
  return new TextEncoder().encode(text).length > limit;
}
