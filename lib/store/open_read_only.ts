import type { DatabaseSync } from "node:sqlite";
import { Database } from "./database.ts";
import { APPLICATION_ID, MIGRATIONS, PAGE_BYTES } from "./schema.ts";
import { storeError, storeProblem } from "./store_error.ts";
import { BUSY_TIMEOUT_MS, hasSharedMemory, isRoomBeside } from "./beside.ts";

/** The class that connects; only loaded where a store is opened. */
export type Connect = typeof DatabaseSync;

/** For {@linkcode openReadOnly}. */
export interface ReadOnlyOptions {
  /** Takes a file whose end is missing, or whose schema has errors, for what is left of it. */
  readonly isLenient?: boolean;
}

/** How a write-ahead log begins, but for its last bit (sqlite.org/fileformat2, 4.1). */
const WAL_MAGIC = 0x377f0682;

/**
 * Opens the file for reading only: nothing is written, neither to it nor to its WAL, and nothing is
 * left beside it where there is no room or no permission.
 *
 * @throws {StoreError} The file cannot be opened, is damaged, belongs to another program or to a
 *   newer version of this one.
 */
export async function openReadOnly(
  path: string,
  options: ReadOnlyOptions = {},
): Promise<Database> {
  const { DatabaseSync } = await import("node:sqlite");
  try {
    const { size } = await Deno.stat(path);
    if (size === 0) throw storeProblem("foreign", "read the history", path, "it is empty");
    const database = connectReadOnly(DatabaseSync, path, options);
    try {
      refuseOthers(database, MIGRATIONS.length);
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  } catch (error) {
    throw storeError("read the history", path, error);
  }
}

/** Refuses what an older program must not touch. */
export function refuseOthers(database: Database, newest: number): void {
  const refuse = (kind: "foreign" | "newer", why: string) =>
    storeProblem(kind, "open the history", database.path, why);
  const application = database.pragma("application_id") as number;
  const version = database.pragma("user_version") as number;
  if (application !== APPLICATION_ID) {
    // A crash before the first step leaves a database without anything in it.
    const empty = application === 0 && version === 0 &&
      database.get("SELECT 1 FROM sqlite_schema LIMIT 1") === undefined;
    if (!empty) throw refuse("foreign", "it belongs to another program");
  } else if (version > newest) {
    throw refuse("newer", `it has version ${version}, and this program knows ${newest}`);
  }
}

/**
 * Connects to the file together with its WAL, and changes neither.
 *
 * Readers share an index of the WAL with the writer, in a file beside it. Where there is none and
 * none can be made, nobody writes, and the index is made in memory.
 */
export function connectReadOnly(
  connect: Connect,
  path: string,
  options: ReadOnlyOptions = {},
): Database {
  if (!hasSharedMemory(path) && !isRoomBeside(path)) return connectAlone(connect, path, options);
  try {
    return connectTo(connect, path, path, options);
  } catch (error) {
    if (!isSharingProblem(error)) throw error;
    try {
      return connectAlone(connect, path, options);
    } catch {
      throw error;
    }
  }
}

function connectAlone(connect: Connect, path: string, options: ReadOnlyOptions): Database {
  if (!hasWal(path)) return connectTo(connect, path, uri(path, "immutable=1"), options);
  // Without locks SQLite believes that nobody else is there, as is the case.
  const vfs = Deno.build.os === "windows" ? "win32-none" : "unix-none";
  return connectTo(connect, path, uri(path, `vfs=${vfs}`), options, "locking_mode = EXCLUSIVE");
}

function connectTo(
  connect: Connect,
  path: string,
  location: string,
  { isLenient = false }: ReadOnlyOptions,
  ...pragmas: string[]
): Database {
  const connection = new connect(location, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  const database = new Database(connection, path);
  try {
    for (const pragma of pragmas) database.pragma(pragma);
    if (isLenient) database.tolerateDamage();
    connection.prepare("PRAGMA schema_version").get();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN. */
function isSharingProblem(error: unknown): boolean {
  const code = (error as { errcode?: number }).errcode;
  return code !== undefined && [8, 10, 13, 14].includes(code & 0xff);
}

/**
 * SQLite takes what is missing of the last page for zeros, and finds no fault with most of it.
 *
 * @throws {StoreError} It is missing, and no WAL has it.
 */
export function requireWholePages(path: string): void {
  if (hasWal(path) || Deno.statSync(path).size % PAGE_BYTES === 0) return;
  const cause = new Error("a part of its last page is missing");
  throw storeProblem("damaged", "read the history", path, cause.message, cause);
}

/** Whether there is a WAL that may hold something; SQLite deletes one that does not. */
function hasWal(path: string): boolean {
  const head = new Uint8Array(4);
  try {
    using file = Deno.openSync(`${path}-wal`, { read: true });
    if (file.readSync(head) !== head.length) return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  return (new DataView(head.buffer).getUint32(0) & ~1) === WAL_MAGIC;
}

function uri(path: string, parameters: string): string {
  const encoded = path.replace(/[%?#]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  return `file:${encoded}?${parameters}`;
}
