import type { Database } from "./database.ts";
import { isDamage, isFatal, type StoreError, storeError } from "./store_error.ts";
import { SyncQueue, type SyncQueueOptions } from "./sync_queue.ts";

/** Whether what is written reaches the disk. */
export type StoreState =
  | { readonly kind: "ok" }
  /** Since the last batch; the next one that succeeds ends it. */
  | { readonly kind: "failed"; readonly error: StoreError };

/** For {@linkcode WriteQueue}. */
export interface WriteQueueOptions {
  readonly database: Database;
  /** How what was committed gets to the disk; missing where it goes to none. */
  readonly syncing?: SyncQueueOptions;
  /** Called before each transaction and after its commit; throws where nothing is kept of it. */
  readonly requireFile?: () => void;
  /** Called inside each transaction, after its operations. */
  readonly beforeCommit?: () => void;
  /**
   * Called after a commit, before anybody is told of it. It must not throw: what was committed stays
   * so, and the error is nobody's.
   */
  readonly afterCommit?: () => void;
  /** Called after a rollback: what was learnt inside the transaction is not so. */
  readonly afterRollback?: () => void;
  /**
   * Called before an operation that runs apart from its batch; returns what is to be done when that
   * one alone is rolled back.
   */
  readonly beforeOperation?: () => () => void;
}

/**
 * Writes several items in a row, with fewer statements than one by one.
 *
 * @returns What came of each.
 */
export type Bulk<Item, Result> = (items: readonly Item[]) => readonly Result[];

/** Told what an operation came to when it is committed; must not throw. */
export type OnCommitted<T> = (value: T) => void;

interface Operation {
  /** Neighbours with the same one are written together. */
  readonly bulk: Bulk<unknown, unknown>;
  readonly item: unknown;
  readonly rows: number;
  readonly bytes: number;
  readonly onCommitted: OnCommitted<unknown> | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** Rows in a transaction: about 30 ms without a turn for anybody else. */
export const MAX_BATCH_ROWS = 2_000;
/** Bytes of text in a transaction. */
export const MAX_BATCH_BYTES = 4 * 2 ** 20;

/**
 * Collects what one turn of the event loop wants written into one transaction, and what is committed
 * while the disk is at work into one wait for it: either costs the same, however much is in it.
 *
 * Operations run in the order in which they came. They must do nothing but use the database, since
 * they may run again: when one of a batch fails, the batch is done again with each operation apart,
 * so that it fails alone. An operation is written as a whole or not at all.
 */
export class WriteQueue {
  #operations: Operation[] = [];
  #scheduled: ReturnType<typeof setImmediate> | undefined;
  readonly #syncs: SyncQueue | undefined;
  #state: StoreState = { kind: "ok" };
  #closed = false;

  constructor(private readonly options: WriteQueueOptions) {
    this.#syncs = options.syncing && new SyncQueue(options.syncing);
  }

  get state(): StoreState {
    const failure = this.#syncs?.failure;
    return failure === undefined ? this.#state : { kind: "failed", error: failure };
  }

  /**
   * Queues an operation.
   *
   * @param run What to do inside the transaction.
   * @param rows How many rows it changes, at most, as far as the caller knows; from
   *   {@linkcode MAX_BATCH_ROWS} on it has a transaction of its own.
   * @param bytes How much text it writes.
   * @returns What `run` returned, once it is on the disk.
   * @throws {StoreError} The disk or the file failed, and nothing of the batch is written; or it is
   *   closed, and what is committed is not known to be on the disk.
   */
  add<T>(run: () => T, rows = 1, bytes = 0): Promise<T> {
    return this.addTo(() => [run()], undefined, rows, bytes);
  }

  /**
   * The same for what may be lost, since it is done again then.
   *
   * @returns What `run` returned, once it is committed, which does not wait for the disk.
   */
  addRepeatable<T>(run: () => T, rows = 1): Promise<T> {
    return new Promise((resolve, reject) => {
      this.addTo(() => [run()], undefined, rows, 0, resolve).catch(reject);
    });
  }

  /**
   * Queues an item of many.
   *
   * @param bulk The same function for all that may be written together.
   * @param rows See {@linkcode add}, like all else.
   * @param onCommitted Called when it is safe from the end of the program, and not yet from a power
   *   cut.
   */
  addTo<Item, T>(
    bulk: Bulk<Item, T>,
    item: Item,
    rows = 1,
    bytes = 0,
    onCommitted?: OnCommitted<T>,
  ): Promise<T> {
    if (this.#closed) {
      const error = new Error("it is closed");
      return Promise.reject(storeError("write to the history", this.options.database.path, error));
    }
    return new Promise<T>((resolve, reject) => {
      this.#operations.push({
        bulk: bulk as Bulk<unknown, unknown>,
        item,
        rows,
        bytes,
        onCommitted: onCommitted as OnCommitted<unknown> | undefined,
        resolve: resolve as (value: unknown) => void,
        reject,
      });
      this.#schedule();
    });
  }

  /**
   * Takes nothing more, and writes what is there.
   *
   * @returns Resolves when that is on the disk, or is not known to be.
   */
  close(): Promise<void> {
    this.#closed = true;
    clearImmediate(this.#scheduled);
    while (this.#operations.length > 0) this.#writeBatch();
    return this.#syncs?.close() ?? Promise.resolve();
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#writeBatch();
      if (this.#operations.length > 0 && !this.#closed) this.#schedule();
    });
  }

  #writeBatch(): void {
    const batch = this.#takeBatch();
    const outcomes = this.#write(batch);
    const failures = outcomes.map((outcome) => "error" in outcome ? outcome.error : undefined);
    const error = failures.find(isFatal) ?? (failures.every(isDamage) ? failures[0] : undefined);
    this.#state = error === undefined
      ? { kind: "ok" }
      : { kind: "failed", error: error as StoreError };
    try {
      if (failures.includes(undefined)) this.options.afterCommit?.();
    } finally {
      this.#tell(batch, outcomes);
    }
  }

  #tell(batch: readonly Operation[], outcomes: readonly Outcome[]): void {
    const committed: { operation: Operation; value: unknown }[] = [];
    for (const [at, outcome] of outcomes.entries()) {
      if ("error" in outcome) batch[at].reject(outcome.error);
      else committed.push({ operation: batch[at], value: outcome.value });
    }
    if (committed.length === 0) return;
    const settle = (failure: StoreError | undefined) => {
      for (const { operation, value } of committed) {
        if (failure === undefined) operation.resolve(value);
        else operation.reject(failure);
      }
    };
    if (this.#syncs === undefined) settle(undefined);
    else this.#syncs.add(settle);
    for (const { operation, value } of committed) operation.onCommitted?.(value);
  }

  #write(batch: readonly Operation[]): readonly Outcome[] {
    let values: readonly unknown[] | undefined;
    try {
      values = this.#transact(() => this.#runTogether(batch));
    } catch (cause) {
      if (!isDamage(cause)) return this.#failed(batch, cause);
    }
    return values?.map((value) => ({ value })) ?? this.#writeApart(batch);
  }

  #takeBatch(): Operation[] {
    let count = 0;
    let rows = 0;
    let bytes = 0;
    for (const operation of this.#operations) {
      rows += operation.rows;
      bytes += operation.bytes;
      if (count > 0 && (rows > MAX_BATCH_ROWS || bytes > MAX_BATCH_BYTES)) break;
      count++;
    }
    if (count < this.#operations.length) return this.#operations.splice(0, count);
    const batch = this.#operations;
    this.#operations = [];
    return batch;
  }

  /**
   * Does something in one transaction.
   *
   * @returns What `body` returned; nothing where that was nothing: everything was rolled back.
   * @throws The disk or the file failed; everything was rolled back.
   */
  #transact<T>(body: () => T | undefined): T | undefined {
    const { database, requireFile, beforeCommit, afterRollback } = this.options;
    try {
      requireFile?.();
      database.run("BEGIN IMMEDIATE");
      const result = body();
      if (result !== undefined) {
        beforeCommit?.();
        database.run("COMMIT");
        requireFile?.();
        return result;
      }
    } catch (error) {
      database.rollback();
      afterRollback?.();
      throw error;
    }
    database.rollback();
    afterRollback?.();
    return undefined;
  }

  /**
   * Writes what can be written of a batch. A transaction that has met damage can change nothing
   * more, so then each half of it has one of its own, and so on.
   */
  #writeApart(batch: readonly Operation[]): Outcome[] {
    try {
      return this.#transact(() => batch.map((operation) => this.#runApart(operation)))!;
    } catch (cause) {
      if (isDamage(cause) && batch.length > 1) {
        const half = batch.length >> 1;
        return [...this.#writeApart(batch.slice(0, half)), ...this.#writeApart(batch.slice(half))];
      }
      return this.#failed(batch, cause);
    }
  }

  #failed(batch: readonly Operation[], cause: unknown): Outcome[] {
    const error = storeError("write to the history", this.options.database.path, cause);
    return batch.map(() => ({ error }));
  }

  /** @returns The values; nothing where an operation failed. */
  #runTogether(batch: readonly Operation[]): unknown[] | undefined {
    const values: unknown[] = [];
    try {
      for (let at = 0; at < batch.length;) {
        const { bulk } = batch[at];
        const items: unknown[] = [];
        for (; at < batch.length && batch[at].bulk === bulk; at++) items.push(batch[at].item);
        for (const value of bulk(items)) values.push(value);
      }
    } catch (error) {
      if (isFatal(error)) throw error;
      return undefined;
    }
    return values;
  }

  /**
   * Runs an operation in a savepoint of its own.
   *
   * @throws The disk or the file failed.
   */
  #runApart({ bulk, item }: Operation): Outcome {
    const { database, beforeOperation } = this.options;
    const undo = beforeOperation?.();
    database.run("SAVEPOINT operation");
    try {
      const [value] = bulk([item]);
      database.run("RELEASE operation");
      return { value };
    } catch (error) {
      if (isFatal(error) || isDamage(error)) throw error;
      database.run("ROLLBACK TO operation");
      database.run("RELEASE operation");
      undo?.();
      return { error };
    }
  }
}
