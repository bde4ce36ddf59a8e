import { messageOf, ParlanceError } from "../errors.ts";

/**
 * Why the store could not do something: `full`, the disk or a quota; `readonly`, the file or its
 * directory cannot be written; `damaged`, the content is not what was written; `foreign`, the file
 * belongs to another program; `newer`, to a newer version of this one; `busy`, another process held
 * the file for too long; `moved`, the file is no longer where it was opened.
 */
export type StoreProblem =
  | "full"
  | "readonly"
  | "damaged"
  | "foreign"
  | "newer"
  | "busy"
  | "moved"
  | "other";

/** The history could not be opened, read or written; the message says what to do. */
export class StoreError extends ParlanceError {
  override name = "StoreError";
  constructor(
    readonly kind: StoreProblem,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const REMEDIES: Readonly<Record<StoreProblem, string>> = {
  full: "make room on that disk",
  readonly: "make the file and its directory writable for you",
  damaged: "nothing was overwritten: save what is readable with `parlance history export`, then " +
    "move the file away or restore it from a backup",
  foreign: "move that file away, or choose another place with --data-dir DIR",
  newer: "use the program that wrote it, or a newer one",
  busy: "end the other process that uses it",
  moved:
    "put it back where it was, or start the program again, which makes a new one where there " +
    "is none",
  other: "see what the system says about that file",
};

/**
 * Puts an error of SQLite or of the file system into words.
 *
 * @param action What failed, such as "open the history".
 */
export function storeError(action: string, path: string, error: unknown): StoreError {
  if (error instanceof StoreError) {
    // Whoever knows what was to be done says it better than the statement that failed.
    const { kind, cause } = error;
    if (errcode(cause) === undefined) return error;
    return storeProblem(kind, action, path, messageOf(cause), cause);
  }
  return storeProblem(problemOf(error), action, path, messageOf(error), error);
}

/** An error whose kind is known already. */
export function storeProblem(
  kind: StoreProblem,
  action: string,
  path: string,
  why: string,
  cause?: unknown,
  remedy: string = REMEDIES[kind],
): StoreError {
  return new StoreError(kind, `Cannot ${action} in ${path}: ${why}; ${remedy}`, { cause });
}

/** Primary result codes (the lower 8 bits), see sqlite.org/rescode.html. */
const CODES: Readonly<Record<number, StoreProblem>> = {
  5: "busy", // SQLITE_BUSY
  6: "busy", // SQLITE_LOCKED
  7: "other", // SQLITE_NOMEM
  8: "readonly", // SQLITE_READONLY
  10: "other", // SQLITE_IOERR
  11: "damaged", // SQLITE_CORRUPT
  13: "full", // SQLITE_FULL
  14: "readonly", // SQLITE_CANTOPEN: a WAL needs files of its own beside the database
  15: "busy", // SQLITE_PROTOCOL
  23: "readonly", // SQLITE_AUTH
  26: "damaged", // SQLITE_NOTADB
};
/** SQLITE_IOERR_SHMSIZE: no room for the index of the WAL. */
const IOERR_SHMSIZE = 4874;
/** SQLITE_CORRUPT_VTAB: a virtual table, which is the search index here. */
const CORRUPT_VTAB = 267;
const SQLITE_ERROR = 1;

/** Whether it is the disk or the file that failed, and not the statement. */
export function isFileProblem(error: unknown): boolean {
  if (error instanceof StoreError) return true;
  const code = errcode(error);
  return code !== undefined && code !== CORRUPT_VTAB && Object.hasOwn(CODES, code & 0xff);
}

/** Whether nothing at all can be written; a damaged page only concerns those who meet it. */
export function isFatal(error: unknown): boolean {
  return isFileProblem(error) && !isDamage(error);
}

/** Whether what is on the disk is not what was written there. */
export function isDamage(error: unknown): boolean {
  return isIndexDamage(error) || isFileProblem(error) &&
      (error instanceof StoreError ? error.kind : problemOf(error)) === "damaged";
}

/** Whether a row was refused because another one has its key (SQLITE_CONSTRAINT). */
export function isConstraint(error: unknown): boolean {
  const code = errcode(error);
  return code !== undefined && (code & 0xff) === 19;
}

/** Whether it is the search index that is damaged, which can be made anew. */
export function isIndexDamage(error: unknown): boolean {
  // FTS5 has no code of its own for a record of its layout that is gone.
  return errcode(error) === CORRUPT_VTAB ||
    errcode(error) === SQLITE_ERROR && /^invalid fts5 file format/.test(messageOf(error));
}

function problemOf(error: unknown): StoreProblem {
  const code = errcode(error);
  if (code === IOERR_SHMSIZE) return "full";
  if (isIndexDamage(error)) return "damaged";
  if (code !== undefined) return CODES[code & 0xff] ?? "other";
  if (!(error instanceof Error)) return "other";
  if (
    error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable ||
    /\(os error (?:1|13|30)\)|unable to open database/.test(error.message)
  ) return "readonly";
  if (/\(os error (?:28|112|122)\)|database or disk is full/.test(error.message)) return "full";
  if (/malformed|not a database/.test(error.message)) return "damaged";
  return "other";
}

/** Statements carry SQLite's extended code; what the connection itself throws has none. */
function errcode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === "number" ? code : undefined;
}
