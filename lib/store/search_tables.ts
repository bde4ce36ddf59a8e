import { messageOf } from "../errors.ts";
import { canDo } from "./damage.ts";
import type { Database } from "./database.ts";
import { SEARCH_TABLE } from "./schema.ts";
import { isFileProblem } from "./store_error.ts";

/** The virtual table, and what FTS5 keeps behind it. */
const NAMES = ["search", "search_data", "search_idx", "search_config"];
/** FTS5 keeps its own records in rows up to this one, and its pages in those above. */
const LAST_RECORD = 10;
/** Pages of the index that one step deletes where all goes: 2 MiB, 10 ms. */
const CLEAR_PAGES = 512;
/** A file up to this size is made anew in ten seconds, in bytes. */
const MAX_VACUUM_BYTES = 512 * 2 ** 20;

/** Whether the index can be opened; what is further down in it only a search sees. */
export function isIndexOpen(database: Database): boolean {
  return canDo(() => {
    database.get("SELECT s.rowid FROM search s WHERE s.search MATCH 'x' LIMIT 1");
    database.get("SELECT 1 FROM search_data WHERE id > 0 LIMIT 1");
    database.get("SELECT 1 FROM search_idx WHERE segid > 0 LIMIT 1");
    database.get("SELECT 1 FROM search_config WHERE k = 'version'");
  });
}

/**
 * Deletes some pages of the index; only inside a transaction, after which it must not be asked.
 *
 * @returns How many; 0 also where the runtime does not let anybody do that.
 */
export function deletePages(database: Database): number {
  return database.changingShadows(() => {
    try {
      return database.run(
        `DELETE FROM search_data WHERE id IN
         (SELECT id FROM search_data WHERE id > ${LAST_RECORD} LIMIT ${CLEAR_PAGES})`,
      );
    } catch (error) {
      if (/may not be modified/.test(messageOf(error))) return 0;
      throw error;
    }
  });
}

/**
 * Puts empty tables in the place of ones that not even can be emptied or dropped, because their
 * first pages are damaged. Only inside a transaction, of which no statement has met damage.
 */
export function replaceIndex(database: Database): void {
  database.changingSchema(() => {
    const names = NAMES.map((name) => `'${name}'`).join(", ");
    database.run(`DELETE FROM sqlite_schema WHERE name IN (${names})`);
  });
  for (const statement of SEARCH_TABLE) database.run(statement);
}

/**
 * Gives back the pages of tables that were replaced, on which words of messages still stand, by
 * writing the whole file anew. Only outside of transactions.
 *
 * @returns Whether it did: not where the file is large, has other damage, or there is no room.
 */
export function reclaimPages(database: Database): boolean {
  const pragma = (name: string) => database.pragma(name) as number;
  if (pragma("page_count") * pragma("page_size") > MAX_VACUUM_BYTES) return false;
  try {
    database.run("VACUUM");
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    return true;
  } catch (error) {
    if (!isFileProblem(error)) throw error;
    return false;
  }
}
