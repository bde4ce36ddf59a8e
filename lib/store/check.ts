import { messageOf } from "../errors.ts";
import type { Database, Row } from "./database.ts";
import { versionOf } from "./migrate.ts";
import { salvageOf } from "./export.ts";
import { openReadOnly, requireWholePages } from "./open_read_only.ts";
import { isBeingEmptied } from "./search_index.ts";
import { isDamage } from "./store_error.ts";

/** What is in a history and whether it can be relied upon. */
export interface HistoryReport {
  readonly path: string;
  /** What is wrong, a line each, at most 40; none where all is well. */
  readonly problems: readonly string[];
  /** Of the schema; missing where that could not be read. */
  readonly version?: number;
  /** Counts; missing where they could not be read. */
  readonly messages?: number;
  readonly pending?: number;
  readonly contacts?: number;
  /** Ids of messages that were received, also of those that were deleted since. */
  readonly received?: number;
  /** Of the file, without its write-ahead log. */
  readonly bytes: number;
}

const MAX_PROBLEMS = 20;

/**
 * Looks at every page of a history, without writing to it. A million messages take some seconds.
 *
 * @throws {StoreError} There is no file, or none in which anything can be read.
 */
export async function checkHistory(path: string): Promise<HistoryReport> {
  const problems: string[] = [];
  const bytes = (await Deno.stat(path).catch(() => undefined))?.size ?? 0;
  try {
    (await openReadOnly(path)).close();
    requireWholePages(path);
  } catch (error) {
    if (!isDamage(error)) throw error;
    problems.push(`file: ${messageOf((error as Error).cause ?? error)}`);
  }
  let database: Database;
  try {
    database = await openReadOnly(path, { isLenient: true });
  } catch (error) {
    using salvage = await salvageOf(path, error);
    return { path, bytes, problems, messages: salvage.messageCount };
  }
  try {
    /** Runs a check; what it throws is a problem too. */
    const attempt = <T>(what: string, body: () => T): T | undefined => {
      try {
        return body();
      } catch (error) {
        problems.push(`${what}: ${messageOf((error as Error).cause ?? error)}`);
      }
    };
    // All in one state of the file: the client may be at work on it.
    database.run("BEGIN");
    attempt("structure", () => problems.push(...integrityProblems(database)));
    for (const [what, sql] of OWN_CHECKS) {
      const row = attempt(what, () => database.get<{ count: number }>(sql));
      if (row !== undefined && row.count > 0) problems.push(`${what}: ${row.count}`);
    }
    const count = (what: string, sql: string) =>
      attempt(what, () => database.get<{ count: number }>(sql)!.count);
    return {
      path,
      version: attempt("version", () => versionOf(database)),
      messages: count("messages", "SELECT count(*) AS count FROM message WHERE kept = 1"),
      pending: count("pending", "SELECT count(*) AS count FROM message WHERE state = 1"),
      contacts: count("contacts", "SELECT count(*) AS count FROM contact"),
      received: count("received", "SELECT count(*) AS count FROM received"),
      bytes,
      problems: problems.slice(0, 2 * MAX_PROBLEMS),
    };
  } finally {
    database.close();
  }
}

/** What the constraints of the schema do not say; each counts the rows that break a rule. */
const OWN_CHECKS: readonly (readonly [string, string])[] = [
  [
    "messages whose contact is missing",
    "SELECT count(*) AS count FROM message m WHERE NOT EXISTS " +
    "(SELECT 1 FROM contact c WHERE c.key = m.contact)",
  ],
  [
    "messages received whose id is not remembered",
    "SELECT count(*) AS count FROM message m WHERE m.state = 0 AND m.id IS NOT NULL AND " +
    "NOT EXISTS (SELECT 1 FROM received r WHERE r.contact = m.contact AND r.id = m.id)",
  ],
  [
    "outgoing messages without an id",
    "SELECT count(*) AS count FROM message WHERE state > 0 AND id IS NULL",
  ],
];

function integrityProblems(database: Database): string[] {
  // Of an index that is being emptied pages are missing, and it is made anew.
  const isOfNoMatter = (line: string) => isBeingEmptied(database) && /fts5/i.test(line);
  return database.all<Row>(`PRAGMA integrity_check(${MAX_PROBLEMS})`)
    .map((row) => String(Object.values(row)[0]))
    .filter((line) => line !== "ok" && !isOfNoMatter(line));
}
