import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Database } from "./database.ts";
import { areReadable, isReadable } from "./damage.ts";
import { endOfDamage, planStep } from "./index_steps.ts";
import type { KeySequence } from "./keys.ts";
import { deleteMeta, getMeta, setMeta } from "./meta.ts";
import { deletePages, isIndexOpen, reclaimPages, replaceIndex } from "./search_tables.ts";
import { searchText } from "./search_text.ts";
import { isDamage, isIndexDamage, storeProblem } from "./store_error.ts";
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
/**
 * Pages of the index that one step of a merge writes at least: FTS5 ends a step behind a word, and
 * all places of the most frequent one among a million messages take 50 ms.
 */
const MERGE_PAGES = 20;
/** Stands in `meta` while pages of the index are being deleted, of which it must not be asked. */
const CLEARING = "index_clearing";
/** Stands in `meta` while words of what was taken out may still be in the file. */
const UNMERGED = "unmerged";
/** What the index has of a row of `searchable`; most texts are ASCII and need no look. */
const INDEXED = `key,
  CASE WHEN typeof(content) = 'text' AND octet_length(content) = length(content) THEN content
    ELSE search_text(content) END,
  author`;
/** How often in a run a damaged index is made anew: a disk that fails would damage it again. */
const MAX_REPAIRS = 3;
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
  /** Resolves when it may be asked and changed again; set while it is being emptied. */
  #clearing: Promise<void> | undefined;
  #closed = false;
  /** Up to this key messages are taken in one by one. */
  #carefulTo = 0;
  /** Damaged so that not even emptying it works: then only a search tries again, and fails. */
  #isBeyondRepair = false;
  #repairs = 0;

  constructor(private readonly parts: SearchIndexParts) {
    parts.database.define("search_text", searchText);
    this.#to = indexedTo(parts.database);
  }

  /** Sees to it that what was written is taken in some time; after each commit. */
  schedule(): void {
    if (
      this.#closed || this.#isBeyondRepair || this.#step !== undefined ||
      this.#clearing !== undefined ||
      !this.#isBehind
    ) return;
    if (this.parts.keys.last - this.#to > MAX_BEHIND) {
      this.#background();
      return;
    }
    this.#cancelTimer?.();
    this.#cancelTimer = this.parts.clock.after(QUIET_MS, () => {
      this.#cancelTimer = undefined;
      this.#background();
    });
  }

  /** Resolves when everything that is stored now can be found. */
  async catchUp(signal?: AbortSignal): Promise<void> {
    const target = this.parts.keys.last;
    await this.ready(signal);
    while (!this.#closed && (this.#clearing !== undefined || this.#to < target)) {
      signal?.throwIfAborted();
      await this.#oneStep();
    }
  }

  /** Resolves when it may be asked; ends the emptying of it that a failure has stopped. */
  async ready(signal?: AbortSignal): Promise<void> {
    while (this.#clearing !== undefined && !this.#closed) {
      signal?.throwIfAborted();
      await this.#clearing;
    }
    if (!this.#closed && isBeingEmptied(this.parts.database)) {
      await this.without(async () => {}, { signal });
    }
  }

  /**
   * Takes messages out, before they are deleted or changed; only inside a transaction.
   *
   * @param isFinal Whether at once and for good, which takes some 7 ms for each KiB of text; else it
   *   costs as much as taking in, and the words stay in the file until {@linkcode merge}.
   */
  remove(messages: readonly number[], isFinal: boolean): void {
    const { database } = this.parts;
    const to = indexedTo(database);
    const keys = messages.filter((key) => key <= to);
    if (keys.length === 0) return;
    try {
      database.run(
        "INSERT INTO search (search, rank) VALUES ('secure-delete', CAST(? AS INTEGER))",
        +isFinal,
      );
      if (!isFinal) setMeta(database, UNMERGED, 1);
      for (const key of keys) {
        database.run(
          `INSERT INTO search (search, rowid, content, author)
           SELECT 'delete', ${INDEXED} FROM searchable WHERE key = ?`,
          key,
        );
      }
    } catch (error) {
      // Without its text a message cannot be taken out, and what is wrong is not the index.
      if (!isIndexDamage(error) || !keys.every((key) => isReadable(database, key))) {
        throw error;
      }
      this.#startOver();
    }
  }

  /** Merges all of the index, in steps: many small writes have left it scattered. */
  async compact(signal?: AbortSignal): Promise<void> {
    const { database, queue } = this.parts;
    await queue.addRepeatable(() => setMeta(database, UNMERGED, 1));
    await this.merge(signal);
  }

  /** Ends a merge that has begun, in steps: then what was taken out is gone for good. */
  async merge(signal?: AbortSignal): Promise<void> {
    const { database, queue } = this.parts;
    // SQLite takes a negative number as the beginning of a merge of everything.
    for (let pages = -MERGE_PAGES;; pages = MERGE_PAGES) {
      if (getMeta(database, UNMERGED) === undefined) return;
      signal?.throwIfAborted();
      await queue.addRepeatable(() => this.#mergeStep(pages), ALONE);
    }
  }

  #mergeStep(pages: number): void {
    const { database } = this.parts;
    const changes = () =>
      database.get<{ changes: number }>("SELECT total_changes() AS changes")!.changes;
    const before = changes();
    try {
      database.run("INSERT INTO search (search, rank) VALUES ('merge', CAST(? AS INTEGER))", pages);
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#startOver();
    }
    // One change is the statement itself.
    if (changes() - before < 2) deleteMeta(database, UNMERGED);
  }

  /**
   * Lets `body` delete messages and nothing of the index, which is emptied then, page by page: all at
   * once take some 5 ms for each MB of it. What is asked meanwhile waits.
   *
   * @param options.to Messages up to this key will not be in the index again; 0 unless given.
   * @returns What `body` did.
   */
  async without<T>(
    body: () => Promise<T>,
    { to = 0, signal }: { to?: number; signal?: AbortSignal } = {},
  ): Promise<T> {
    const done = Promise.withResolvers<void>();
    this.#clearing = done.promise;
    try {
      await this.#step?.catch(() => {});
      const { database, queue } = this.parts;
      await queue.addRepeatable(() => setMeta(database, CLEARING, 1));
      const result = await body();
      while (await queue.addRepeatable(() => deletePages(database), ALONE) > 0) {
        signal?.throwIfAborted();
      }
      await queue.addRepeatable(() => this.empty(to), ALONE);
      return result;
    } finally {
      this.#clearing = undefined;
      done.resolve();
      this.schedule();
    }
  }

  /** Goes on with what an earlier run began to take out. */
  async resume(signal?: AbortSignal): Promise<void> {
    const { database } = this.parts;
    if (isBeingEmptied(database)) await this.without(async () => {}, { signal });
    await this.merge(signal);
  }

  /**
   * Empties the index at once; only inside a transaction.
   *
   * @param to Messages up to this key will not be in it.
   */
  empty(to: number): void {
    const { database } = this.parts;
    database.run("INSERT INTO search (search) VALUES ('delete-all')");
    setIndexedTo(database, to);
    deleteMeta(database, UNMERGED);
    deleteMeta(database, CLEARING);
    this.#to = to;
  }

  /** Makes the index anew where one can see at once that it is damaged. */
  async examine(): Promise<void> {
    const { database } = this.parts;
    // Where a crash has stopped its emptying, going on with that mends it.
    if (!isBeingEmptied(database) && !isIndexOpen(database)) await this.startOver();
  }

  /**
   * Makes a damaged index anew, as far as it has begun when this resolves.
   *
   * @throws {StoreError} `damaged`, it cannot be, or was too often.
   */
  async startOver(): Promise<void> {
    const { database, log, queue } = this.parts;
    try {
      return await queue.addRepeatable(() => this.#startOver(), ALONE);
    } catch (error) {
      if (!isDamage(error) || this.#repairs >= MAX_REPAIRS) throw error;
    }
    await queue.addRepeatable(() => {
      replaceIndex(database);
      this.#startOver();
    }, ALONE);
    if (!reclaimPages(database)) {
      log.warn(
        `Words of messages remain in ${database.path} where the damaged search index was, and that ` +
          "room is not used again; to be rid of them, save the messages with `parlance history " +
          "export` and move the file away",
      );
    }
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
    if (this.#clearing !== undefined) return this.#clearing;
    return this.#step ??= this.#advance().finally(() => this.#step = undefined);
  }

  /**
   * Takes the next messages in, or goes on behind damaged ones.
   *
   * What may be damaged is read outside of transactions: once one has met damage, SQLite lets it
   * change nothing more.
   */
  async #advance(): Promise<void> {
    const { database, queue } = this.parts;
    const from = this.#to;
    const to = planStep(this.parts, from, this.#isCareful);
    if (to === undefined) return await this.#skip(from);
    const isAlone = this.#isCareful;
    try {
      this.#to = await queue.addRepeatable(() => this.#takeIn(from, to, isAlone), ALONE);
    } catch (error) {
      if (!isDamage(error)) throw error;
      const isWhole = isAlone ? isReadable(database, to) : areReadable(database, from, to);
      if (isWhole) return await this.startOver();
      if (isAlone) return await this.#skip(from);
      this.#carefulTo = to;
    }
  }

  /** Whether messages are taken in one by one, because the text of one is damaged. */
  get #isCareful(): boolean {
    return this.#to < this.#carefulTo;
  }

  /** @returns The key up to which the index has messages now. */
  #takeIn(from: number, to: number, isAlone: boolean): number {
    const { database } = this.parts;
    const now = indexedTo(database);
    if (now !== from) return now; // emptied meanwhile
    // What came after all that was to be cleared may have been in it.
    if (isBeingEmptied(database)) {
      this.empty(0);
      return 0;
    }
    const insert = `INSERT INTO search (rowid, content, author) SELECT ${INDEXED} FROM searchable`;
    try {
      // The end of a range is only found where the next row can be read.
      if (isAlone) database.run(`${insert} WHERE key = ?`, to);
      else database.run(`${insert} WHERE key >= ? AND key <= ?`, from + 1, to);
    } catch (error) {
      if (!isIndexDamage(error)) throw error;
      this.#startOver();
      return 0;
    }
    setIndexedTo(database, to);
    return to;
  }

  async #skip(from: number): Promise<void> {
    const { database, log, queue } = this.parts;
    const to = endOfDamage(this.parts, from + 1);
    log.warn(`Messages ${from + 1} to ${to} are damaged: a search finds none of them`);
    this.#to = await queue.addRepeatable(() => {
      const now = indexedTo(database);
      if (now !== from) return now;
      setIndexedTo(database, to);
      return to;
    }, ALONE);
  }

  /** The index is made from the messages: a damaged one is made anew. */
  #startOver(): void {
    const { database, log } = this.parts;
    if (this.#repairs >= MAX_REPAIRS) {
      const why = `its index was damaged ${MAX_REPAIRS} times since the program started`;
      throw storeProblem("damaged", "search the history", database.path, why);
    }
    this.empty(0);
    if (this.#repairs++ > 0) return;
    log.warn("The search index is damaged and is made anew; messages are not affected");
  }
}

/** Whether pages of it are missing, also where a crash has stopped that. */
export function isBeingEmptied(database: Database): boolean {
  return getMeta(database, CLEARING) !== undefined;
}

/** The key up to which messages are in the index, as the current transaction has it. */
function indexedTo(database: Database): number {
  return getMeta(database, "indexed_to") ?? 0;
}

function setIndexedTo(database: Database, key: number): void {
  setMeta(database, "indexed_to", key);
}
