import type { Database } from "./database.ts";

/** A number that the store remembers about itself, as the current transaction has it. */
export function getMeta(database: Database, name: string): number | undefined {
  return database.get<{ value: number }>("SELECT value FROM meta WHERE name = ?", name)?.value;
}

/** Only inside a transaction. */
export function setMeta(database: Database, name: string, value: number): void {
  database.run(
    "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
    name,
    value,
  );
}

/** Only inside a transaction. */
export function deleteMeta(database: Database, name: string): void {
  database.run("DELETE FROM meta WHERE name = ?", name);
}
