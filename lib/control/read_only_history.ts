import { ContactTable } from "../store/contacts.ts";
import type { Contact } from "../store/contacts.ts";
import type { Database } from "../store/database.ts";
import { type HistoryRequest, readHistory } from "../store/history.ts";
import { KeySequence } from "../store/keys.ts";
import type { StoredMessage } from "../store/message.ts";
import { getMeta } from "../store/meta.ts";
import { openReadOnly } from "../store/open_read_only.ts";
import {
  DamagedIndexError,
  type SearchHit,
  searchMessages,
  type SearchOptions,
} from "../store/search.ts";
import { isBeingEmptied } from "../store/search_index.ts";
import type { SearchQuery } from "../store/search_query.ts";
import type { Store } from "../store/store.ts";
import { storeProblem } from "../store/store_error.ts";

/** What a history is read from: a store, or its file where that cannot be written. */
export type ReadableHistory = Pick<Store, "history" | "contactsNamed" | "search"> & {
  /** Why a search does not find everything, for the user, where that is so. */
  readonly problem?: string;
} & AsyncDisposable;

/** A file of a history in which nothing can be changed: the index is as it was left. */
export class ReadOnlyHistory implements ReadableHistory {
  readonly #database: Database;
  readonly #contacts: ContactTable;
  readonly #keys: KeySequence;

  private constructor(database: Database) {
    this.#database = database;
    this.#contacts = new ContactTable(database);
    this.#keys = new KeySequence(database);
  }

  /** @throws {StoreError} It cannot be read either. */
  static async open(path: string): Promise<ReadOnlyHistory> {
    const database = await openReadOnly(path);
    try {
      return new ReadOnlyHistory(database);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  get problem(): string | undefined {
    const missing = this.#keys.last - (getMeta(this.#database, "indexed_to") ?? 0);
    if (missing <= 0) return undefined;
    return `Cannot search the newest messages, up to ${missing}, in ${this.#database.path}: they ` +
      "are not in the index yet, and nothing can be written; `parlance history` shows them";
  }

  history(request: HistoryRequest): StoredMessage[] {
    return readHistory(this.#database, request);
  }

  contactsNamed(text: string): Contact[] {
    return this.#contacts.named(text);
  }

  async search(query: SearchQuery, options?: SearchOptions): Promise<SearchHit[]> {
    const parts = { database: this.#database, contacts: this.#contacts, keys: this.#keys };
    try {
      if (isBeingEmptied(this.#database)) throw new DamagedIndexError("Its emptying was not ended");
      return await searchMessages(parts, query, options);
    } catch (error) {
      if (!(error instanceof DamagedIndexError)) throw error;
      const { path } = this.#database;
      const why = "its index is damaged, and cannot be made anew where nothing can be written";
      throw storeProblem("readonly", "search the history", path, why, error);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#database.close();
    return Promise.resolve();
  }
}
