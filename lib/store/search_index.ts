import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Database } from "./database.ts";
import type { KeySequence } from "./keys.ts";
import { isDamage } from "./store_error.ts";
import { MAX_BATCH_ROWS, type WriteQueue } from "./write_queue.ts";

/** What the index needs of the store. */
export interface SearchIndexParts {
  readonly database: Database;
  readonly queue: WriteQueue;
  readonly keys: KeySequence;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The weight of operations that change the index: a damaged one may only fail when the transaction
 * is committed, and must not take messages with it.
 */
export const ALONE = MAX_BATCH_ROWS;
/** Messages that one step takes in: some 15 ms. */
const STEP_ROWS = 2_000;
/** Bytes of text that one step takes in, as far as a single message does not exceed it. */
const STEP_BYTES = 2 ** 20;
/** How long nothing must have been written before the index catches up. */
const QUIET_MS = 250;
/** From so many messages on it does not wait for quiet: a search would have to. */
const MAX_BEHIND = 20_000;

/**
 * Keeps the full-text index up to date. It follows behind: taken in two thousand at a time, a
 * message costs a third of what it costs at once, and nobody waits for it but a search.
 */
export class SearchIndex {
  #to: number;
  #cancelTimer: (() => void) | undefined;
  /** A step that is queued. */
  #step: Promise<void> | undefined;
  #closed = false;
  #paused = 0;
  /** Damaged so that not even emptying it works: then only a search tries again, and fails. */
  #isBeyondRepair = false;

  constructor(private readonly parts: SearchIndexParts) {
    this.#to = indexedTo(parts.database);
  }

  /** Sees to it that what was written is taken in some time; after each commit. */
  schedule(): void {
    if (
      this.#closed || this.#paused > 0 || this.#isBeyondRepair || this.#step !== undefined ||
      !this.#isBehind
    ) return;
    if (this.parts.keys.last - this.#to > MAX_BEHIND) {
      this.#background();
      return;
    }
    this.#cancelTimer?.();
    this.#cancelTimer = this.parts.clock.after(QUIET_MS, () => {
      this.#cancelTimer = undefined;
      if (this.#paused === 0) this.#background();
    });
  }

  /** Resolves when everything that is stored now can be found. */
  async catchUp(signal?: AbortSignal): Promise<void> {
    const target = this.parts.keys.last;
    while (this.#to < target && !this.#closed) {
      signal?.throwIfAborted();
      await this.#oneStep();
    }
  }

  /** Takes messages out, before they are deleted or changed; only inside a transaction. */
  remove(keys: readonly number[]): void {
    const { database } = this.parts;
    const to = indexedTo(database);
    try {
      for (const key of keys) {
        if (key <= to) database.run("DELETE FROM search WHERE rowid = ?", key);
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#startOver();
    }
  }

  /**
   * Empties the index; only inside a transaction.
   *
   * @param to Messages up to this key will not be in it.
   */
  empty(to: number): void {
    const { database } = this.parts;
    database.run("INSERT INTO search (search) VALUES ('delete-all')");
    setIndexedTo(database, to);
    this.#to = to;
  }

  /** Makes a damaged index anew, as far as it has begun when this resolves. */
  async startOver(): Promise<void> {
    await this.parts.queue.add(() => this.#startOver(), ALONE);
  }

  /**
   * Lets nothing be taken in but for a search, because much is about to be deleted.
   *
   * @returns Ends that.
   */
  pause(): () => void {
    this.#paused++;
    return () => {
      this.#paused--;
      this.schedule();
    };
  }

  /** Ends what runs in the background. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
  }

  get #isBehind(): boolean {
    return this.#to < this.parts.keys.last;
  }

  #background(): void {
    this.#oneStep().then(() => this.schedule(), (error) => {
      // That of the disk is told by the state of the store, and the next commit tries again.
      this.#isBeyondRepair ||= isDamage(error);
    });
  }

  #oneStep(): Promise<void> {
    return this.#step ??= this.parts.queue.add(() => this.#advance(), ALONE).then((to) => {
      this.#to = to;
    }).finally(() => this.#step = undefined);
  }

  /** Takes the next messages in. @returns The key up to which it has them. */
  #advance(): number {
    const { database, keys } = this.parts;
    const from = indexedTo(database);
    const rows = database.all<{ key: number; size: number }>(
      `SELECT key, octet_length(content) AS size FROM message
       WHERE key > ? ORDER BY key LIMIT ${STEP_ROWS}`,
      from,
    );
    let bytes = 0;
    const fit = rows.findIndex(({ size }, at) => (bytes += size) > STEP_BYTES && at > 0);
    const all = fit < 0 && rows.length < STEP_ROWS;
    const to = all ? keys.last : rows.at(fit < 0 ? -1 : fit - 1)!.key;
    try {
      database.run(
        `INSERT INTO search (rowid, content, author)
         SELECT key, content, author FROM searchable WHERE key > ? AND key <= ?`,
        from,
        to,
      );
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#startOver();
      return 0;
    }
    setIndexedTo(database, to);
    return to;
  }

  /** The index is made from the messages: a damaged one is made anew. */
  #startOver(): void {
    this.parts.log.warn("The search index is damaged and is made anew; messages are not affected");
    this.empty(0);
  }
}

/** The key up to which messages are in the index, as the current transaction has it. */
function indexedTo(database: Database): number {
  return database.get<{ value: number }>("SELECT value FROM meta WHERE name = 'indexed_to'")
    ?.value ?? 0;
}

function setIndexedTo(database: Database, key: number): void {
  database.run(
    "INSERT INTO meta (name, value) VALUES ('indexed_to', ?1) ON CONFLICT DO UPDATE SET value = ?1",
    key,
  );
}
