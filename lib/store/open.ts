import type { DatabaseSync } from "node:sqlite";
import type { Log } from "../base/log.ts";
import { Database } from "./database.ts";
import { migrate } from "./migrate.ts";
import { APPLICATION_ID, type Migration, MIGRATIONS } from "./schema.ts";
import { storeError, storeProblem } from "./store_error.ts";

/** For {@linkcode openDatabase}. */
export interface OpenOptions {
  /** Of the file; `undefined` keeps everything in memory. */
  readonly path: string | undefined;
  readonly log: Log;
  /** Other steps than the program's own, for tests. */
  readonly migrations?: readonly Migration[];
}

/** Only one-shot commands that read are ever beside the client, and they hold it up for moments. */
export const BUSY_TIMEOUT_MS = 500;
/** Pages of 4 KiB in memory, in KiB. */
const CACHE_KIB = 8 * 1024;
/** The WAL is cut to this when it is used anew, in bytes. */
const WAL_LIMIT = 16 * 2 ** 20;
const HEADER_BYTES = 100;

/**
 * Opens the file for reading and writing, makes it where there is none, and brings it to the newest
 * version.
 *
 * @throws {StoreError} The file cannot be opened or written, is damaged, belongs to another program
 *   or to a newer version of this one; it is unchanged then.
 */
export async function openDatabase(options: OpenOptions): Promise<Database> {
  const { path, log, migrations = MIGRATIONS } = options;
  const name = path ?? "memory";
  // Programs that only print their version, and all that never write, need not load it.
  const sqlite = await import("node:sqlite");
  let database: Database | undefined;
  try {
    if (path !== undefined && !await prepareFile(path)) {
      refuseOthers(sqlite.DatabaseSync, path, migrations.length);
    }
    const connection = new sqlite.DatabaseSync(path ?? ":memory:", { timeout: BUSY_TIMEOUT_MS });
    database = new Database(connection, name);
    configure(database);
    const taken = migrate(database, migrations);
    if (taken.length > 0) log.debug(`History ${name} has taken ${taken.length} steps`);
    return database;
  } catch (error) {
    database?.close();
    throw storeError("open the history", name, error);
  }
}

/**
 * Opens the file for reading only: nothing is written, neither to it nor to its WAL.
 *
 * @throws {StoreError} As {@linkcode openDatabase}, or there is no file.
 */
export async function openReadOnly(path: string): Promise<Database> {
  const { DatabaseSync } = await import("node:sqlite");
  try {
    const header = await readHeader(path);
    if (header.length === 0) throw storeProblem("foreign", "read the history", path, "it is empty");
    refuseOthers(DatabaseSync, path, MIGRATIONS.length);
    return connectReadOnly(DatabaseSync, path);
  } catch (error) {
    throw storeError("read the history", path, error);
  }
}

function configure(database: Database): void {
  // The first three only matter for a file that is new.
  database.pragma("page_size = 4096");
  database.pragma("auto_vacuum = INCREMENTAL");
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.pragma("foreign_keys = ON");
  database.pragma("secure_delete = ON");
  database.pragma("trusted_schema = OFF");
  database.pragma("temp_store = MEMORY"); // what is sorted must not turn up in other files
  database.pragma(`cache_size = -${CACHE_KIB}`);
  database.pragma(`journal_size_limit = ${WAL_LIMIT}`);
}

/**
 * Sees to it that there is a file which only the user can read; SQLite gives its mode to the two
 * files beside it.
 *
 * @returns Whether it is empty.
 */
async function prepareFile(path: string): Promise<boolean> {
  await requireFile(path);
  using file = await openOrMake(path);
  const { size, mode } = await file.stat();
  if (Deno.build.os !== "windows" && mode !== null && (mode & 0o077) !== 0) {
    await Deno.chmod(path, 0o600);
  }
  return size === 0;
}

/** To open a pipe would be to wait for somebody at its other end. */
async function requireFile(path: string): Promise<void> {
  let isFile: boolean;
  try {
    ({ isFile } = await Deno.stat(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (!isFile) throw storeProblem("foreign", "open the history", path, "it is no file");
}

async function openOrMake(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return await Deno.open(path, { read: true, write: true, createNew: true, mode: 0o600 });
  }
}

async function readHeader(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path, { read: true });
  const header = new Uint8Array(HEADER_BYTES);
  return header.subarray(0, await file.read(header) ?? 0);
}

type Connect = typeof DatabaseSync;

/**
 * Refuses what an older program must not touch. A connection that only reads finds the version also
 * where it is still in the WAL, and changes neither file.
 */
function refuseOthers(connect: Connect, path: string, newest: number): void {
  const database = connectReadOnly(connect, path);
  try {
    const refuse = (kind: "foreign" | "newer", why: string) =>
      storeProblem(kind, "open the history", path, why);
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
  } finally {
    database.close();
  }
}

function connectReadOnly(connect: Connect, path: string): Database {
  const options = { readOnly: true, timeout: BUSY_TIMEOUT_MS };
  let connection = new connect(path, options);
  const probe = (connection: DatabaseSync) => connection.prepare("PRAGMA schema_version").get();
  try {
    probe(connection);
  } catch (error) {
    connection.close();
    // Where nothing can be written SQLite cannot share memory with others; without a WAL there is
    // nobody to share it with.
    if (!isDirectoryProblem(error) || hasWal(path)) throw error;
    connection = new connect(immutableUrl(path), options);
    try {
      probe(connection);
    } catch (error) {
      connection.close();
      throw error;
    }
  }
  return new Database(connection, path);
}

/** SQLITE_CANTOPEN, SQLITE_READONLY. */
function isDirectoryProblem(error: unknown): boolean {
  const code = (error as { errcode?: number }).errcode;
  return code !== undefined && [14, 8].includes(code & 0xff);
}

function hasWal(path: string): boolean {
  try {
    return Deno.statSync(`${path}-wal`).size > 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function immutableUrl(path: string): string {
  const encoded = path.replace(/[%?#]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  return `file:${encoded}?immutable=1`;
}
