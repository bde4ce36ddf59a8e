import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { isFileProblem, storeError } from "./store_error.ts";

/** A row, its columns by name. */
export type Row = Record<string, unknown>;

/**
 * A connection to the file that prepares each statement once. It knows nothing of what the tables
 * mean.
 *
 * Statements are run and not executed as text, because only then errors carry SQLite's code.
 */
export class Database {
  readonly #statements = new Map<string, StatementSync>();
  #closed = false;

  constructor(private readonly connection: DatabaseSync, readonly path: string) {}

  /** Changes something. @returns How many rows. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#guard(() => this.#statement(sql).run(...values).changes as number);
  }

  /** The first row, or `undefined`. */
  get<T = Row>(sql: string, ...values: SQLInputValue[]): T | undefined {
    return this.#guard(() => this.#statement(sql).get(...values) as T | undefined);
  }

  /** All rows; whoever asks limits them. */
  all<T = Row>(sql: string, ...values: SQLInputValue[]): T[] {
    return this.#guard(() => this.#statement(sql).all(...values) as T[]);
  }

  /** Several statements without values, once. */
  execute(sql: string): void {
    this.connection.exec(sql);
  }

  /** The one value of a pragma. */
  pragma(name: string): unknown {
    const row = this.get(`PRAGMA ${name}`);
    return row === undefined ? undefined : Object.values(row)[0];
  }

  /** Lets statements call a function that is always the same of the same text. */
  define(name: string, body: (text: string) => string): void {
    this.connection.function(name, { deterministic: true }, (value) => {
      if (typeof value === "string") return body(value);
      // Texts with a NUL are kept as bytes, since the runtime would cut them.
      return new TextEncoder().encode(body(new TextDecoder().decode(value as Uint8Array)));
    });
  }

  /** Whether a transaction is open. */
  get inTransaction(): boolean {
    return this.connection.isTransaction;
  }

  /** Does it all or nothing. */
  transaction<T>(body: () => T): T {
    this.run("BEGIN IMMEDIATE");
    try {
      const result = body();
      this.run("COMMIT");
      return result;
    } catch (error) {
      this.rollback();
      throw error;
    }
  }

  /** Reads on where the end of the file is missing, or the schema has errors; changes nothing. */
  tolerateDamage(): void {
    this.#defend(false);
    this.pragma("writable_schema = ON");
  }

  /**
   * Lets `body` change the tables that stand behind a virtual one, which SQLite refuses otherwise;
   * and where the runtime cannot turn that off, even so.
   */
  changingShadows<T>(body: () => T): T {
    this.#defend(false);
    try {
      return body();
    } finally {
      this.#defend(true);
    }
  }

  /** Lets `body` change what the file says about its own tables, which is then read again. */
  changingSchema<T>(body: () => T): T {
    return this.changingShadows(() => {
      this.pragma("writable_schema = ON");
      try {
        return body();
      } finally {
        this.pragma("writable_schema = RESET");
      }
    });
  }

  #defend(isActive: boolean): void {
    const connection: DatabaseSync & { enableDefensive?(active: boolean): void } = this.connection;
    connection.enableDefensive?.(isActive);
  }

  /** Ends a failed transaction; SQLite has done so already after some errors. */
  rollback(): void {
    if (!this.inTransaction) return;
    try {
      this.run("ROLLBACK");
    } catch {
      // The first error is the one that says why, and a rollback only fails after another one.
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#statements.clear();
    this.connection.close();
  }

  /** What fails because of the disk or the file is an error for the user. */
  #guard<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw isFileProblem(error) ? storeError("use the history", this.path, error) : error;
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
