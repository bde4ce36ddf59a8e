import { checkHistory } from "../../lib/store/check.ts";
import { exportHistory } from "../../lib/store/export.ts";
import { HISTORY_FILE } from "../../lib/store/schema.ts";
import { numberOf } from "./kill_content.ts";

/** What {@linkcode checkHistoryOf} looks at. */
export interface Kept {
  readonly nickname: string;
  /** The one that it has talked with. */
  readonly peer: string;
  /** Where its profile is, somewhere below. */
  readonly directory: string;
  /** How many messages each has sent. */
  readonly count: number;
}

/**
 * Compares a history with what was written: each message once, in its sender's order, and all of
 * its own delivered.
 *
 * @throws With the first difference.
 */
export async function checkHistoryOf({ nickname, peer, directory, count }: Kept): Promise<void> {
  const path = await findHistory(directory);
  const { problems } = await checkHistory(path);
  if (problems.length > 0) throw new Error(`${nickname}'s history is damaged: ${problems}`);
  const last = { sent: 0, received: 0 };
  for await (const item of exportHistory(path)) {
    if (item.kind !== "message") throw new Error(`${nickname}'s history cannot be read`);
    const { contact, state, content } = item.message;
    if (contact.nickname !== peer) continue;
    const way = state === undefined ? "received" : "sent";
    const number = numberOf(way === "sent" ? nickname : peer, content);
    if (number !== last[way] + 1) {
      throw new Error(`${nickname} has ${way} ${number} after ${last[way]} in its history`);
    }
    last[way] = number;
    if (way === "sent" && state !== "delivered") {
      throw new Error(`${nickname} has ${number} as ${state} in its history`);
    }
  }
  for (const way of ["sent", "received"] as const) {
    if (last[way] !== count) {
      throw new Error(`${nickname} has ${way} only ${last[way]} of ${count} in its history`);
    }
  }
}

async function findHistory(directory: string): Promise<string> {
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    if (name === HISTORY_FILE) return `${directory}/${name}`;
    if (isDirectory) {
      const found = await findHistory(`${directory}/${name}`).catch(() => undefined);
      if (found !== undefined) return found;
    }
  }
  throw new Error(`There is no ${HISTORY_FILE} in ${directory}`);
}
