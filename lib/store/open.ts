import type { Log } from "../base/log.ts";
import { Database } from "./database.ts";
import { migrate } from "./migrate.ts";
import { BUSY_TIMEOUT_MS, hasSharedMemory, requireRoomBeside } from "./beside.ts";
import { connectReadOnly, refuseOthers } from "./open_read_only.ts";
import { type Migration, MIGRATIONS, PAGE_BYTES } from "./schema.ts";
import { storeError, storeProblem } from "./store_error.ts";

/** For {@linkcode openDatabase}. */
export interface OpenOptions {
  /** Of the file; `undefined` keeps everything in memory. */
  readonly path: string | undefined;
  readonly log: Log;
  /** Other steps than the program's own, for tests. */
  readonly migrations?: readonly Migration[];
}

/** Pages of 4 KiB in memory, in KiB. */
const CACHE_KIB = 8 * 1024;
/** The WAL is cut to this when it is used anew, in bytes. */
const WAL_LIMIT = 16 * 2 ** 20;

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
    if (path !== undefined) {
      if (!await isEmptyFile(path)) {
        // A connection that only reads finds the version also where it is still in the WAL.
        database = connectReadOnly(sqlite.DatabaseSync, path);
        refuseOthers(database, migrations.length);
        database.close();
      }
      await makePrivate(path);
      if (!hasSharedMemory(path)) requireRoomBeside(path);
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

function configure(database: Database): void {
  // The first three only matter for a file that is new.
  database.pragma(`page_size = ${PAGE_BYTES}`);
  database.pragma("auto_vacuum = INCREMENTAL");
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = NORMAL"); // the wait for the disk is ours, see log_file.ts
  database.pragma("checkpoint_fullfsync = ON"); // on macOS fsync alone leaves it to the drive
  database.pragma("foreign_keys = ON");
  database.pragma("secure_delete = ON");
  database.pragma("trusted_schema = OFF");
  database.pragma("temp_store = MEMORY"); // what is sorted must not turn up in other files
  database.pragma(`cache_size = -${CACHE_KIB}`);
  database.pragma(`journal_size_limit = ${WAL_LIMIT}`);
}

/**
 * Sees to it that there is a file; SQLite gives its mode to the two files beside it.
 *
 * @returns Whether there is nothing in it.
 */
async function isEmptyFile(path: string): Promise<boolean> {
  await requireFile(path);
  using file = await openOrMake(path);
  return (await file.stat()).size === 0;
}

/** Takes the file, and those beside it, from all but the user. */
async function makePrivate(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  for (const name of [path, `${path}-wal`, `${path}-shm`]) {
    try {
      const { mode } = await Deno.stat(name);
      if (mode !== null && (mode & 0o077) !== 0) await Deno.chmod(name, 0o600);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
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
