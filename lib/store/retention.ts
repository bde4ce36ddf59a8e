import type { Clock } from "../base/clock.ts";
import type { ContactName, ContactTable } from "./contacts.ts";
import type { Database } from "./database.ts";
import type { KeySequence } from "./keys.ts";
import { BUSY_TIMEOUT_MS } from "./open.ts";
import { ALONE, type SearchIndex } from "./search_index.ts";
import { storeProblem } from "./store_error.ts";
import type { WriteQueue } from "./write_queue.ts";

/** What deleting needs of the store. */
export interface RetentionParts {
  readonly database: Database;
  readonly queue: WriteQueue;
  readonly contacts: ContactTable;
  readonly keys: KeySequence;
  readonly index: SearchIndex;
  readonly clock: Clock;
}

/** What the user wants to keep. */
export interface RetentionLimits {
  /** Messages stored before this moment go; milliseconds since the Unix epoch. */
  readonly before?: number;
  /** The file has at most so many bytes, its WAL not counted, and as far as messages take them. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/** Messages in one step: taking one out of a large search index takes a millisecond. */
const STEP_ROWS = 20;
/** Messages in one step where they need not be taken out of the index. */
const BULK_ROWS = 1_000;
/**
 * Taking a message out of the index of a million costs as much as making the index anew for so
 * many: from this share of all messages on it is made anew, in the background.
 */
const REBUILD_SHARE = 150;
const MIN_REBUILD = 1_000;
/** Pages in one step. */
const STEP_PAGES = 512;
const CHECKPOINT_TRIES = 20;
const CHECKPOINT_WAIT_MS = 100;

/**
 * Deletes messages for good, in steps between which others have their turn: SQLite overwrites what
 * it frees with zeros, and the WAL is emptied at the end. What the file system keeps of its own
 * accord (snapshots, journals, worn cells) is out of reach.
 *
 * What is pending is never lost: it leaves the history at once where the user clears that, and the
 * file when it was delivered or has failed.
 */
export class Retention {
  constructor(private readonly parts: RetentionParts) {}

  /**
   * Clears the history, of one contact or all of it. Messages that come meanwhile stay.
   *
   * @returns How many messages it had.
   * @throws {StoreError} Among others `busy`: everything is deleted, but another process reads, and
   *   keeps the WAL from being emptied.
   */
  async clear(contact?: ContactName, signal?: AbortSignal): Promise<number> {
    const { contacts, keys, queue } = this.parts;
    let count = 0;
    if (contact === undefined) {
      const last = await queue.add(() => {
        this.#setMark(keys.last);
        return keys.last;
      });
      count = await this.#clearAll(last, signal);
    } else {
      const key = contacts.find(contact)?.key;
      if (key === undefined) return 0;
      const last = keys.last;
      count = await this.#sweep((after, limit) => this.#keysOf(key, after, last, limit), {
        signal,
      });
      await queue.add(() => keys.trim());
    }
    await this.#shrink(0, signal);
    await this.checkpoint(signal);
    return count;
  }

  /** Goes on with clearing everything where a crash ended it. */
  async resume(signal?: AbortSignal): Promise<void> {
    const mark = this.parts.database.get<{ value: number }>(
      "SELECT value FROM meta WHERE name = 'clearing_to'",
    );
    if (mark === undefined) return;
    await this.#clearAll(mark.value, signal);
    await this.#shrink(0, signal);
    await this.checkpoint(signal);
  }

  /**
   * Deletes the oldest messages until the limits hold.
   *
   * @returns How many were deleted.
   */
  async prune({ before, maxBytes, signal }: RetentionLimits): Promise<number> {
    const { keys, queue } = this.parts;
    let count = 0;
    if (before !== undefined) {
      const bound = keys.boundBefore(before);
      const old = (after: number, limit: number) => this.#oldest(after, limit, bound, before);
      count += await this.#sweep(old, { signal });
    }
    if (maxBytes !== undefined) {
      const isEnough = () => this.#usedBytes() <= maxBytes;
      count += await this.#sweep((after, limit) => this.#oldest(after, limit), {
        isEnough,
        signal,
      });
    }
    if (count > 0) await queue.add(() => keys.trim());
    if (maxBytes !== undefined && await this.#shrink(maxBytes, signal)) {
      await this.checkpoint(signal);
    }
    return count;
  }

  /**
   * Empties the WAL into the file.
   *
   * @throws {StoreError} `busy`, another process reads.
   */
  async checkpoint(signal?: AbortSignal): Promise<void> {
    const { database, clock } = this.parts;
    for (let tries = 1; !this.#emptyWal(); tries++) {
      if (tries === CHECKPOINT_TRIES) {
        const why = "another process reads it";
        throw storeProblem("busy", "empty the write-ahead log", database.path, why);
      }
      await clock.sleep(CHECKPOINT_WAIT_MS, signal);
    }
  }

  /** @returns Whether nobody was in the way; does not wait for them, as that would block us all. */
  #emptyWal(): boolean {
    const { database } = this.parts;
    database.pragma("busy_timeout = 0");
    try {
      return database.pragma("wal_checkpoint(TRUNCATE)") === 0;
    } finally {
      database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    }
  }

  async #clearAll(last: number, signal?: AbortSignal): Promise<number> {
    const { database, index, keys, queue } = this.parts;
    const resume = index.pause();
    let count = 0;
    try {
      for (let after = 0;;) {
        signal?.throwIfAborted();
        const step = await queue.add(() => {
          const found = this.#keptKeys(after, last, BULK_ROWS);
          this.#drop(found);
          return found;
        }, BULK_ROWS);
        if (step.length === 0) break;
        count += step.length;
        after = step.at(-1)!;
      }
      await queue.add(() => {
        index.empty(last);
        keys.trim();
        database.run("DELETE FROM meta WHERE name = 'clearing_to'");
      }, ALONE);
    } finally {
      resume();
    }
    return count;
  }

  /**
   * Deletes in steps what `next` finds: keys above the first argument in order, at most as many as
   * the second one says.
   */
  async #sweep(
    next: (after: number, limit: number) => number[],
    { isEnough, signal }: { isEnough?: () => boolean; signal?: AbortSignal },
  ): Promise<number> {
    const { index, queue } = this.parts;
    const many = this.#manyRows();
    let count = 0;
    let resume: (() => void) | undefined;
    try {
      for (let after = 0; isEnough?.() !== true;) {
        signal?.throwIfAborted();
        const isBulk = count >= many ||
          isEnough === undefined && count === 0 && next(0, many).length === many;
        if (isBulk && resume === undefined) {
          resume = index.pause();
          await queue.add(() => index.empty(0), ALONE);
        }
        const limit = resume === undefined ? STEP_ROWS : BULK_ROWS;
        const step = await queue.add(() => {
          const keys = next(after, limit);
          index.remove(keys);
          this.#drop(keys);
          return keys;
        }, ALONE);
        if (step.length === 0) break;
        count += step.length;
        after = step.at(-1)!;
      }
    } finally {
      resume?.();
    }
    return count;
  }

  /** So many messages that the index had better be made anew without them. */
  #manyRows(): number {
    const { all } = this.parts.database.get<{ all: number | null }>(
      `SELECT (SELECT max(key) FROM message) - (SELECT min(key) FROM message) AS "all"`,
    )!;
    return Math.max(MIN_REBUILD, Math.floor((all ?? 0) / REBUILD_SHARE));
  }

  #keysOf(contact: number, after: number, last: number, limit: number): number[] {
    return this.parts.database.all<{ key: number }>(
      `SELECT key FROM message
       WHERE contact = ? AND kept = 1 AND key > ? AND key <= ? ORDER BY key LIMIT ?`,
      contact,
      after,
      last,
      limit,
    ).map(({ key }) => key);
  }

  #oldest(
    after: number,
    limit: number,
    bound = Number.MAX_SAFE_INTEGER,
    before = Number.MAX_SAFE_INTEGER,
  ): number[] {
    return this.parts.database.all<{ key: number }>(
      `SELECT key FROM message
       WHERE key > ? AND key <= ? AND state <> 1 AND stored_at < ? ORDER BY key LIMIT ?`,
      after,
      bound,
      before,
      limit,
    ).map(({ key }) => key);
  }

  #keptKeys(after: number, last: number, limit: number): number[] {
    return this.parts.database.all<{ key: number }>(
      "SELECT key FROM message WHERE kept = 1 AND key > ? AND key <= ? ORDER BY key LIMIT ?",
      after,
      last,
      limit,
    ).map(({ key }) => key);
  }

  /** Deletes messages, or hides them where they are still to be delivered. */
  #drop(keys: readonly number[]): void {
    const { database } = this.parts;
    for (const key of keys) {
      if (database.run("DELETE FROM message WHERE key = ? AND state <> 1", key) === 0) {
        database.run("UPDATE message SET kept = 0 WHERE key = ?", key);
      }
    }
  }

  #setMark(key: number): void {
    this.parts.database.run(
      `INSERT INTO meta (name, value) VALUES ('clearing_to', ?1)
       ON CONFLICT DO UPDATE SET value = max(value, ?1)`,
      key,
    );
  }

  #usedBytes(): number {
    const { database } = this.parts;
    const pages = database.pragma("page_count") as number;
    const free = database.pragma("freelist_count") as number;
    return (pages - free) * (database.pragma("page_size") as number);
  }

  /** Gives free pages back to the disk until the file is small enough. @returns Whether any. */
  async #shrink(maxBytes: number, signal?: AbortSignal): Promise<boolean> {
    const { database, queue } = this.parts;
    let any = false;
    const pragma = (name: string) => database.pragma(name) as number;
    const size = () => pragma("page_count") * pragma("page_size");
    while (pragma("freelist_count") > 0 && size() > maxBytes) {
      signal?.throwIfAborted();
      // Each page is a step of the statement, and the first one would be the only one with `run`.
      await queue.add(() => database.all(`PRAGMA incremental_vacuum(${STEP_PAGES})`), BULK_ROWS);
      any = true;
    }
    return any;
  }
}
