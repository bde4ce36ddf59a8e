import type { Clock } from "../base/clock.ts";
import { nextTurn } from "../base/next_turn.ts";
import type { Database } from "./database.ts";
import { deleteMeta, getMeta, setMeta } from "./meta.ts";
import type { PageFile } from "./page_file.ts";
import { FIRST_GROUP, gapsIn, GROUP_BYTES, hasOurLayout } from "./page_gaps.ts";
import { PAGE_BYTES } from "./schema.ts";
import { storeError, storeProblem } from "./store_error.ts";
import type { WalCleaner } from "./wal.ts";
import type { WriteQueue } from "./write_queue.ts";

/** What {@linkcode Eraser} works with. */
export interface EraserOptions {
  readonly database: Database;
  readonly queue: WriteQueue;
  readonly wal: WalCleaner;
  readonly clock: Clock;
  /** What the connection is to; the eraser closes both. `undefined` where there is none. */
  readonly file: PageFile | undefined;
}

/** Counts in `meta` what was deleted since all of it was overwritten; missing where all is. */
const REMNANTS = "remnants";
/** How long after a deletion it is overwritten: all that are deleted meanwhile share the work. */
const SOON_MS = 1_000;
/** After something failed, as where another process read all the time. */
const LATER_MS = 60_000;
/** In the background it takes this share of the time: a history of 200 MB takes half a second. */
const SHARE = 1 / 20;
/** A file up to this is finished before the program ends: a tenth of a second. */
const LAST_BYTES = 32 * 2 ** 20;

/** Remembers that something was deleted; only in the transaction that does it. */
export function markRemnants(database: Database): void {
  setMeta(database, REMNANTS, (getMeta(database, REMNANTS) ?? 0) + 1);
}

/**
 * Overwrites what deleted messages have left in the file.
 *
 * With `secure_delete` SQLite overwrites what it deletes; but when it has moved rows to other pages
 * before, to balance a tree, the space that they were in is only counted as free. All such space is
 * overwritten with zeros here, in the file itself: SQLite gives no access to it but by `VACUUM`,
 * which writes everything anew, stops the program meanwhile and needs as much room again.
 *
 * It is sound since nobody else writes to the file, the WAL is empty and our connection has no page
 * in memory at each step, and since no byte is written that means anything to SQLite: a reader or a
 * crash finds the same database before, after and in between.
 */
export class Eraser {
  #turn: Promise<unknown> = Promise.resolve();
  #cancelTimer: (() => void) | undefined;
  #restUntil = -Infinity;
  readonly #closing = new AbortController();

  constructor(private readonly options: EraserOptions) {}

  /** Sees to it that what was deleted is overwritten soon; may be called for each deletion. */
  soon(): void {
    const { clock } = this.options;
    this.#after(Math.max(SOON_MS, this.#restUntil - clock.monotonic()));
  }

  /** Goes on with what an earlier run has left. */
  resume(): void {
    if (getMeta(this.options.database, REMNANTS) !== undefined) this.soon();
  }

  /**
   * Overwrites all that was deleted until now and has left something, in steps of some milliseconds.
   *
   * @throws {StoreError} `busy`, another process reads, or the disk failed; it is tried again in the
   *   background, also by the next run.
   */
  erase(signal?: AbortSignal): Promise<void> {
    const turn = this.#turn.then(() => this.#pass(signal));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Finishes where that is quickly done, and lets go of the connection and the file. Idempotent. */
  [Symbol.dispose](): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new Error("the history is closed"));
    this.#cancelTimer?.();
    const { database, file } = this.options;
    try {
      const isShort = (file?.size ?? 0) <= LAST_BYTES;
      if (isShort && getMeta(database, REMNANTS) !== undefined) this.#passAtOnce();
    } catch {
      // What is left the next run overwrites.
    } finally {
      database.close();
      file?.[Symbol.dispose](); // in this order: it ends the locks of the connection
    }
  }

  async #pass(signal?: AbortSignal): Promise<void> {
    const { database, file, queue, clock } = this.options;
    const remnants = getMeta(database, REMNANTS);
    if (remnants === undefined) return;
    const begun = clock.monotonic();
    try {
      for (let at = FIRST_GROUP;; at += GROUP_BYTES) {
        signal?.throwIfAborted();
        this.#closing.signal.throwIfAborted();
        await this.options.wal.empty(signal);
        // From here on in one turn of the event loop.
        const { isLast, isChanged } = this.#overwrite(at);
        if (isChanged) {
          await nextTurn();
          // The pages of one group: not much more than a transaction waits for.
          if (!this.#closing.signal.aborted) file?.sync();
        }
        if (isLast) break;
        await nextTurn();
      }
      this.#closing.signal.throwIfAborted();
      await queue.add(() => this.#unmark(remnants));
      this.options.wal.tryEmpty();
      const ended = clock.monotonic();
      this.#restUntil = ended + Math.min(LATER_MS, (ended - begun) / SHARE);
    } catch (error) {
      if (signal?.aborted) {
        this.soon(); // who asked waits no more, and what was deleted is still there
        throw error;
      }
      this.#after(LATER_MS);
      throw storeError("overwrite what was deleted", database.path, error);
    }
  }

  #passAtOnce(): void {
    const { database, file, wal } = this.options;
    if (!wal.tryEmpty()) return;
    for (let at = FIRST_GROUP; !this.#overwrite(at).isLast;) at += GROUP_BYTES;
    file?.sync();
    database.transaction(() => deleteMeta(database, REMNANTS));
  }

  /** More may have been deleted meanwhile on pages that were done already. */
  #unmark(remnants: number): void {
    const { database } = this.options;
    if (getMeta(database, REMNANTS) === remnants) deleteMeta(database, REMNANTS);
    else this.soon();
  }

  /**
   * Overwrites what is left in one group of pages; only where the WAL is empty.
   *
   * @param at Where it starts in the file.
   * @returns Whether no other follows, and whether anything was written.
   */
  #overwrite(at: number): { isLast: boolean; isChanged: boolean } {
    const { file } = this.options;
    if (file === undefined) return { isLast: true, isChanged: false };
    // A page that SQLite remembered would come back with what it had.
    this.options.database.pragma("shrink_memory");
    if (at === FIRST_GROUP) this.#requireLayout(file);
    const group = file.read(at, GROUP_BYTES);
    const gaps = gapsIn(group, at);
    for (const { start, end } of gaps) file.overwrite(start, end);
    return { isLast: group.length < GROUP_BYTES, isChanged: gaps.length > 0 };
  }

  #requireLayout(file: PageFile): void {
    if (hasOurLayout(file.read(0, PAGE_BYTES))) return;
    const why = "another program has changed its layout";
    throw storeProblem("other", "overwrite what was deleted", this.options.database.path, why);
  }

  #after(ms: number): void {
    if (this.#closing.signal.aborted) return;
    this.#cancelTimer ??= this.options.clock.after(ms, () => {
      this.#cancelTimer = undefined;
      // What fails is tried again, and the disk's failures are told by the state of the store.
      this.erase(this.#closing.signal).catch(() => {});
    });
  }
}
