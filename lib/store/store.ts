import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { messageOf } from "../errors.ts";
import { Ages } from "./ages.ts";
import { type Contact, ContactTable } from "./contacts.ts";
import type { Database } from "./database.ts";
import { Eraser } from "./eraser.ts";
import { FileWatch } from "./file_watch.ts";
import { GrowthWatch } from "./growth.ts";
import { type HistoryRequest, readHistory } from "./history.ts";
import { Inbox } from "./inbox.ts";
import { KeySequence } from "./keys.ts";
import { type DiskSync, LogFile } from "./log_file.ts";
import type { StoredMessage } from "./message.ts";
import { openDatabase } from "./open.ts";
import { Outbox } from "./outbox.ts";
import { PageFile } from "./page_file.ts";
import { Retention } from "./retention.ts";
import type { Migration } from "./schema.ts";
import { DamagedIndexError, type SearchHit, searchMessages, type SearchOptions } from "./search.ts";
import { SearchIndex } from "./search_index.ts";
import type { SearchQuery } from "./search_query.ts";
import { WalCleaner } from "./wal.ts";
import { StoreError } from "./store_error.ts";
import { type StoreState, WriteQueue } from "./write_queue.ts";

/** For {@linkcode Store.open}. */
export interface StoreOptions {
  /** Of the file; `undefined` keeps everything in memory until it is closed. */
  readonly path: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** `false` keeps ids of what was received, and what is to be delivered until it is. */
  readonly keepHistory?: boolean;
  /** Other steps than the program's own, for tests. */
  readonly migrations?: readonly Migration[];
  /** Another wait for the disk than for the file's own, for tests. */
  readonly disk?: DiskSync;
}

/** What a store works on. */
interface OpenFiles {
  readonly database: Database;
  readonly wal: WalCleaner;
  /** What the connection is to; missing, as the next one, where all is in memory. */
  readonly page?: PageFile;
  readonly logFile?: LogFile;
}

/**
 * Everything that outlives the program's run: the outbox, the inbox and the history. One process at
 * a time may have it open; others may read the file meanwhile.
 *
 * Writing is asynchronous: what one turn of the event loop asks for goes into one transaction, and
 * a promise resolves when it is on the disk. Reading is synchronous, and sees what is committed.
 */
export class Store implements AsyncDisposable {
  readonly outbox: Outbox;
  readonly inbox: Inbox;
  readonly #database: Database;
  readonly #queue: WriteQueue;
  readonly #contacts: ContactTable;
  readonly #keys: KeySequence;
  readonly #index: SearchIndex;
  readonly #retention: Retention;
  readonly #eraser: Eraser;
  readonly #growth: GrowthWatch;
  readonly #logFile: LogFile | undefined;
  #onDiskChange: (failure: StoreError | undefined) => void = () => {};
  readonly #closing = new AbortController();

  private constructor(
    { database, wal, page, logFile }: OpenFiles,
    options: StoreOptions,
  ) {
    const { path, clock, log, keepHistory = true, disk = logFile } = options;
    this.#database = database;
    this.#logFile = logFile;
    this.#contacts = new ContactTable(database);
    this.#keys = new KeySequence(database);
    this.#growth = new GrowthWatch(database);
    const watch = path === undefined ? undefined : new FileWatch(path, clock);
    this.#queue = new WriteQueue({
      database,
      syncing: disk && {
        clock,
        disk,
        onChange: (failure) => {
          if (failure !== undefined) log.error(failure.message);
          this.#onDiskChange(failure);
        },
      },
      requireFile: () => watch?.check(),
      beforeCommit: () => this.#keys.flush(),
      afterCommit: () => {
        this.#index.schedule();
        this.#growth.look();
      },
      afterRollback: () => {
        this.#contacts.forget();
        this.#keys.forget();
      },
      beforeOperation: () => {
        const undo = this.#keys.mark();
        return () => {
          this.#contacts.forget();
          undo();
        };
      },
    });
    this.#eraser = new Eraser({ database, queue: this.#queue, wal, clock, file: page });
    const parts = {
      database,
      queue: this.#queue,
      contacts: this.#contacts,
      keys: this.#keys,
      clock,
      log,
      keepHistory,
      wal,
      eraser: this.#eraser,
      ages: new Ages({ keys: this.#keys, clock }),
    };
    this.#index = new SearchIndex(parts);
    this.#retention = new Retention({
      ...parts,
      index: this.#index,
      shownTo: () => this.inbox.lastShown,
    });
    this.outbox = new Outbox(parts);
    this.inbox = new Inbox(parts);
  }

  /**
   * Opens the file, makes it where there is none, and brings one of an earlier version up to date.
   *
   * @throws {StoreError} It cannot be opened or written, is damaged, belongs to another program or
   *   to a newer version of this one; it is left as it is.
   */
  static async open(options: StoreOptions): Promise<Store> {
    const { path, clock } = options;
    const database = await openDatabase(options);
    const wal = new WalCleaner({ database, clock });
    let page: PageFile | undefined;
    let logFile: LogFile | undefined;
    let store: Store;
    try {
      if (path !== undefined) {
        page = new PageFile(path);
        logFile = new LogFile(path, () => wal.tryEmpty());
      }
      store = new Store({ database, wal, page, logFile }, options);
    } catch (error) {
      logFile?.[Symbol.dispose]();
      database.close();
      page?.[Symbol.dispose]();
      throw error;
    }
    store.#index.schedule();
    store.#index.examine().catch((error) => {
      if (store.#closing.signal.aborted) return;
      options.log.warn(`The search finds nothing: ${messageOf(error)}`);
    });
    store.#retention.resume(store.#closing.signal).catch((error) => {
      options.log.debug(`Clearing the history was not ended: ${error}`);
    });
    return store;
  }

  /** Where it is; `memory` for one without a file. */
  get path(): string {
    return this.#database.path;
  }

  /** Whether what was written last has reached the disk. */
  get state(): StoreState {
    return this.#queue.state;
  }

  /** The last messages, the newest last; at most {@linkcode MAX_PAGE_BYTES} of text, or one. */
  history(request: HistoryRequest): StoredMessage[] {
    return readHistory(this.#database, request);
  }

  /**
   * Finds messages, the newest first, with what was said right before and after.
   *
   * @param query As {@linkcode parseSearch} reads it.
   * @param options Among others whose messages, where the caller knows better than the query.
   * @throws {InvalidInputError} Nobody has the name that it asks for.
   * @throws {StoreError} The disk failed, and something has not got into the index.
   */
  async search(
    query: SearchQuery,
    options: SearchOptions & { signal?: AbortSignal } = {},
  ): Promise<SearchHit[]> {
    const { signal } = options;
    const parts = {
      database: this.#database,
      contacts: this.#contacts,
      keys: this.#keys,
      ready: () => this.#index.ready(signal),
    };
    try {
      await this.#index.catchUp(signal);
    } catch (error) {
      // Reading needs no room: what the index has already can be found all the same.
      const isUnwritable = error instanceof StoreError &&
        ["full", "readonly", "moved"].includes(error.kind);
      if (!isUnwritable) throw error;
    }
    try {
      return await searchMessages(parts, query, options);
    } catch (error) {
      if (!(error instanceof DamagedIndexError)) throw error;
    }
    await this.#index.startOver();
    await this.#index.catchUp(signal);
    return await searchMessages(parts, query, options);
  }

  /** See {@linkcode ContactTable.named}. */
  contactsNamed(text: string): Contact[] {
    return this.#contacts.named(text);
  }

  /** Everybody whom messages were exchanged with, in pages by the key. */
  contacts({ after = 0, limit = 100 }: { after?: number; limit?: number } = {}): Contact[] {
    return this.#contacts.list(after, Math.min(limit, 1_000));
  }

  /** See {@linkcode Retention.clear}. */
  clear(...request: Parameters<Retention["clear"]>): Promise<number> {
    return this.#retention.clear(...request);
  }

  /** See {@linkcode Retention.prune}. */
  prune(...request: Parameters<Retention["prune"]>): Promise<number> {
    return this.#retention.prune(...request);
  }

  /**
   * Tells somebody, in place of whom it told before, when what is committed cannot be brought to the
   * disk, and why; and when it can be again. Meanwhile it waits for that.
   */
  watchDisk(onChange: (failure: StoreError | undefined) => void): void {
    this.#onDiskChange = onChange;
  }

  /** See {@linkcode GrowthWatch.await}. */
  onGrowth(...request: Parameters<GrowthWatch["await"]>): () => void {
    return this.#growth.await(...request);
  }

  /** Brings what is queued to the disk and closes the file. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error("the history is closed"));
    this.#index.close();
    this.inbox.close();
    try {
      await this.#queue.close();
    } finally {
      this.#logFile?.[Symbol.dispose]();
      this.#eraser[Symbol.dispose]();
    }
  }
}
