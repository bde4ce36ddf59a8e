import { nextTurn } from "../base/next_turn.ts";
import type { Database } from "./database.ts";
import type { Sized } from "./page.ts";

/** What a message takes in the file besides its text and that in the index, about, in bytes. */
const ROW_BYTES = 150;
/** Messages whose sizes are summed up in one turn: 5 ms. */
const PART_ROWS = 5_000;

/** A message that limits may delete. */
export interface Prunable extends Sized {
  /** 1 where it came and the user has not seen it yet. */
  readonly unseen: number;
}

/** Which messages. */
export interface PrunableRange {
  /** Up to this key. */
  readonly bound?: number;
  /** Stored before this moment, in milliseconds since the Unix epoch. */
  readonly before?: number;
  /** Whether also what came and was not shown. */
  readonly withUnseen: boolean;
}

/** What {@linkcode PrunableMessages} works with. */
export interface PrunableParts {
  readonly database: Database;
  /** The key up to which all that came has been shown. */
  readonly shownTo: () => number;
}

/**
 * What came and was shown, or only waits to be dropped where no history is kept, in SQL; `?1` is the
 * key up to which all was shown, and `?2` whether that does not matter.
 */
const IS_FREE = "state <> 1 AND (state <> 0 OR ?2 OR key <= ?1 AND kept = 1)";

/** The messages that limits may delete: nothing that is pending. */
export class PrunableMessages {
  constructor(private readonly parts: PrunableParts) {}

  /** The oldest behind a key. */
  oldest(after: number, limit: number, range: PrunableRange): Prunable[] {
    const { bound = Number.MAX_SAFE_INTEGER, before = Number.MAX_SAFE_INTEGER } = range;
    return this.parts.database.all<Prunable & Record<string, unknown>>(
      `SELECT key, octet_length(content) AS size, state = 0 AND key > ?1 AS unseen FROM message
       WHERE ${IS_FREE} AND key > ?3 AND key <= ?4 AND stored_at < ?5 ORDER BY key LIMIT ?6`,
      this.parts.shownTo(),
      +range.withUnseen,
      after,
      bound,
      before,
      limit,
    );
  }

  /**
   * The key up to which the oldest have a share of all text that is not pending, or up to which they
   * go where they have less; 0 where there are none.
   */
  async boundOf(share: number, withUnseen: boolean, signal?: AbortSignal): Promise<number> {
    const parts: { readonly after: number; readonly bytes: number }[] = [];
    let bytes = 0;
    let all = 0;
    let last = 0;
    for (let after = 0;;) {
      signal?.throwIfAborted();
      const part = this.#sizeBehind(after, withUnseen);
      parts.push({ after, bytes });
      bytes += part.bytes;
      all += part.all;
      last = part.lastFree ?? last;
      if (part.count < PART_ROWS) break;
      after = part.last;
      await nextTurn();
    }
    const wanted = all * share;
    if (bytes <= wanted) return last;
    const { after, bytes: before } = parts.findLast(({ bytes }) => bytes < wanted) ?? parts[0];
    let found = before;
    const messages = this.oldest(after, PART_ROWS, { withUnseen });
    return (messages.find(({ size }) => (found += size + ROW_BYTES) >= wanted) ?? messages.at(-1))
      ?.key ?? 0;
  }

  /** What the next messages take, and those among them that may be deleted. */
  #sizeBehind(after: number, withUnseen: boolean): {
    last: number;
    lastFree: number | null;
    bytes: number;
    all: number;
    count: number;
  } {
    return this.parts.database.get(
      `SELECT max(key) AS last, max(key) FILTER (WHERE free) AS lastFree,
         total(size) FILTER (WHERE free) AS bytes, total(size) AS "all", count(*) AS count FROM
         (SELECT key, octet_length(content) + ${ROW_BYTES} AS size, ${IS_FREE} AS free FROM message
          WHERE key > ?3 AND state <> 1 ORDER BY key LIMIT ${PART_ROWS})`,
      this.parts.shownTo(),
      +withUnseen,
      after,
    )!;
  }
}
