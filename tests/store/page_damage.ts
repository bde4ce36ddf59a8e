import { DatabaseSync } from "node:sqlite";

const PAGE = 4096;
/** Where the head of a page says at which byte its cells begin (sqlite.org/fileformat2, 1.6). */
const CELLS_AT = 5;

/**
 * Damages the last leaf of a table so that it can be read, and fails once something is to be added:
 * its cells seem to begin in its head.
 */
export function hideCells(path: string, table: string): void {
  const database = new DatabaseSync(path, { readOnly: true });
  const last = database.prepare(
    "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path DESC LIMIT 1",
  ).get(table)!.pageno as number;
  database.close();
  using file = Deno.openSync(path, { write: true });
  file.seekSync((last - 1) * PAGE + CELLS_AT, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array([0, 10]));
}
