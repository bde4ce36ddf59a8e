/**
 * Another program: wants a history for itself, as SQLite does when the last one who uses a file
 * closes it, and says what came of that and what it reads then.
 */
import { DatabaseSync } from "node:sqlite";

const [path] = Deno.args;
const first = new DatabaseSync(path);
first.exec("PRAGMA locking_mode = EXCLUSIVE");
let error: string | undefined;
try {
  first.prepare("SELECT count(*) FROM message").get();
} catch (cause) {
  error = (cause as Error).message;
}
first.close();
const second = new DatabaseSync(path);
const rows = second.prepare("SELECT content FROM message ORDER BY key").all();
second.close();
console.log(JSON.stringify({ error, contents: rows.map(({ content }) => content) }));
