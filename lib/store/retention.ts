import type { Clock } from "../base/clock.ts";
import type { ContactName, ContactTable } from "./contacts.ts";
import type { Database } from "./database.ts";
import type { KeySequence } from "./keys.ts";
import type { SearchIndex } from "./search_index.ts";
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

/** Messages in one step. Taking one out of the search index costs as much as ten of the rest. */
const STEP_ROWS = 200;
/** Messages in one step where the whole index goes. */
const BULK_ROWS = 2_000;
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
      for (let after = 0;;) {
        signal?.throwIfAborted();
        const step = await queue.add(() => this.#clearStep(after, last, key), STEP_ROWS);
        if (step.length === 0) break;
        count += step.length;
        after = step.at(-1)!;
      }
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
    for (let after = 0; before !== undefined;) {
      signal?.throwIfAborted();
      const step = await queue.add(() => this.#pruneStep(after, before), STEP_ROWS);
      if (step.length === 0) break;
      count += step.length;
      after = step.at(-1)!;
    }
    for (let after = 0; maxBytes !== undefined && this.#usedBytes() > maxBytes;) {
      signal?.throwIfAborted();
      const step = await queue.add(() => this.#pruneStep(after), STEP_ROWS);
      if (step.length === 0) break;
      count += step.length;
      after = step.at(-1)!;
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
    for (let tries = 1; database.pragma("wal_checkpoint(TRUNCATE)") !== 0; tries++) {
      if (tries === CHECKPOINT_TRIES) {
        const why = "another process reads it";
        throw storeProblem("busy", "empty the write-ahead log", database.path, why);
      }
      await clock.sleep(CHECKPOINT_WAIT_MS, signal);
    }
  }

  async #clearAll(last: number, signal?: AbortSignal): Promise<number> {
    const { database, index, keys, queue } = this.parts;
    let count = 0;
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
    });
    return count;
  }

  #clearStep(after: number, last: number, contact: number): number[] {
    const keys = this.parts.database.all<{ key: number }>(
      `SELECT key FROM message
       WHERE contact = ? AND kept = 1 AND key > ? AND key <= ? ORDER BY key LIMIT ${STEP_ROWS}`,
      contact,
      after,
      last,
    ).map(({ key }) => key);
    this.parts.index.remove(keys);
    this.#drop(keys);
    return keys;
  }

  #pruneStep(after: number, before?: number): number[] {
    const { database, index, keys } = this.parts;
    const rows = database.all<{ key: number }>(
      `SELECT key FROM message
       WHERE key > ? AND key <= ? AND state <> 1 AND stored_at < ? ORDER BY key LIMIT ${STEP_ROWS}`,
      after,
      before === undefined ? Number.MAX_SAFE_INTEGER : keys.boundBefore(before),
      before ?? Number.MAX_SAFE_INTEGER,
    ).map(({ key }) => key);
    index.remove(rows);
    this.#drop(rows);
    return rows;
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
