import type { Database } from "./database.ts";
import { isDamage, isFatal, type StoreError, storeError } from "./store_error.ts";

/** Whether what is written reaches the disk. */
export type StoreState =
  | { readonly kind: "ok" }
  /** Since the last batch; the next one that succeeds ends it. */
  | { readonly kind: "failed"; readonly error: StoreError };

/** For {@linkcode WriteQueue}. */
export interface WriteQueueOptions {
  readonly database: Database;
  /** Called before the promises of the batch that made the change settle. */
  readonly onState?: (state: StoreState) => void;
  /** Called inside each transaction, after its operations. */
  readonly beforeCommit?: () => void;
  /** Called after a commit, before the promises of its operations resolve. */
  readonly afterCommit?: () => void;
  /** Called after a rollback: what was learnt inside the transaction is not so. */
  readonly afterRollback?: () => void;
}

interface Operation {
  readonly run: () => unknown;
  readonly rows: number;
  readonly bytes: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** Rows in a transaction: about 30 ms without a turn for anybody else. */
export const MAX_BATCH_ROWS = 2_000;
/** Bytes of text in a transaction. */
export const MAX_BATCH_BYTES = 4 * 2 ** 20;

/**
 * Collects what one turn of the event loop wants written into one transaction: a transaction costs
 * a wait for the disk, however much is in it.
 *
 * Operations run in the order in which they came. They must do nothing but use the database, since
 * they may run twice: when one of a batch fails, the batch is done again with each operation apart,
 * so that it fails alone.
 */
export class WriteQueue {
  #operations: Operation[] = [];
  #scheduled: ReturnType<typeof setImmediate> | undefined;
  #state: StoreState = { kind: "ok" };
  #closed = false;

  constructor(private readonly options: WriteQueueOptions) {}

  get state(): StoreState {
    return this.#state;
  }

  /** Whether nothing waits to be written. */
  get isIdle(): boolean {
    return this.#operations.length === 0;
  }

  /**
   * Queues an operation.
   *
   * @param run What to do inside the transaction.
   * @param rows How many rows it changes, at most, as far as the caller knows; from
   *   {@linkcode MAX_BATCH_ROWS} on it has a transaction of its own.
   * @param bytes How much text it writes.
   * @returns What `run` returned, once it is on the disk.
   * @throws {StoreError} The disk or the file failed; nothing of the batch is written.
   */
  add<T>(run: () => T, rows = 1, bytes = 0): Promise<T> {
    if (this.#closed) {
      const error = new Error("it is closed");
      return Promise.reject(storeError("write to the history", this.options.database.path, error));
    }
    return new Promise<T>((resolve, reject) => {
      this.#operations.push({
        run,
        rows,
        bytes,
        resolve: resolve as (value: unknown) => void,
        reject,
      });
      this.#schedule();
    });
  }

  /** Writes what is there and takes nothing more. */
  close(): void {
    this.#closed = true;
    clearImmediate(this.#scheduled);
    while (this.#operations.length > 0) this.#writeBatch();
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
    let outcomes: Outcome[];
    try {
      outcomes = this.#transact(batch, false) ?? this.#transact(batch, true)!;
    } catch (cause) {
      const { database } = this.options;
      const error = storeError("write to the history", database.path, cause);
      this.#setState({ kind: "failed", error });
      for (const { reject } of batch) reject(error);
      return;
    }
    const failures = outcomes.map((outcome) => "error" in outcome ? outcome.error : undefined);
    const error = failures.find(isDamage) as StoreError | undefined;
    const none = error !== undefined && failures.every(isDamage);
    this.#setState(none ? { kind: "failed", error } : { kind: "ok" });
    this.options.afterCommit?.();
    for (const [at, outcome] of outcomes.entries()) {
      if ("error" in outcome) batch[at].reject(outcome.error);
      else batch[at].resolve(outcome.value);
    }
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
   * Runs a batch in one transaction.
   *
   * @param apart Each operation in a savepoint of its own.
   * @returns Without `apart`, nothing where an operation failed: everything was rolled back.
   * @throws The disk or the file failed; everything was rolled back.
   */
  #transact(batch: readonly Operation[], apart: boolean): Outcome[] | undefined {
    const { database, beforeCommit, afterRollback } = this.options;
    const outcomes: Outcome[] = [];
    let failed = false;
    try {
      database.run("BEGIN IMMEDIATE");
      for (const { run } of batch) {
        if (apart) {
          outcomes.push(this.#runApart(run));
          continue;
        }
        try {
          outcomes.push({ value: run() });
        } catch (error) {
          if (isFatal(error)) throw error;
          failed = true;
          break;
        }
      }
      if (!failed) {
        beforeCommit?.();
        database.run("COMMIT");
        return outcomes;
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

  #runApart(run: () => unknown): Outcome {
    const { database, afterRollback } = this.options;
    database.run("SAVEPOINT operation");
    try {
      const value = run();
      database.run("RELEASE operation");
      return { value };
    } catch (error) {
      if (isFatal(error)) throw error;
      database.run("ROLLBACK TO operation");
      database.run("RELEASE operation");
      afterRollback?.();
      const { path } = database;
      return { error: isDamage(error) ? storeError("write to the history", path, error) : error };
    }
  }

  #setState(state: StoreState): void {
    const changed = state.kind !== this.#state.kind ||
      state.kind === "failed" && this.#state.kind === "failed" &&
        state.error.kind !== this.#state.error.kind;
    this.#state = state;
    if (changed) this.options.onState?.(state);
  }
}
