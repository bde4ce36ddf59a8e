import type { Database } from "./database.ts";
import { APPLICATION_ID, type Migration } from "./schema.ts";

/** The version of a file: how many steps it has had. */
export function versionOf(database: Database): number {
  return database.pragma("user_version") as number;
}

/**
 * Brings a file to the newest version, each step in a transaction of its own: a crash between two
 * leaves a whole file of a version in between.
 *
 * @returns The titles of the steps that were taken.
 */
export function migrate(database: Database, migrations: readonly Migration[]): string[] {
  const taken: string[] = [];
  for (let version = versionOf(database); version < migrations.length; version++) {
    const { title, sql } = migrations[version];
    database.transaction(() => {
      database.execute(sql);
      database.execute(`PRAGMA application_id = ${APPLICATION_ID}`);
      database.execute(`PRAGMA user_version = ${version + 1}`);
    });
    taken.push(title);
  }
  // The header in the file itself then tells older programs, which look there before they open it.
  if (taken.length > 0) database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  return taken;
}
