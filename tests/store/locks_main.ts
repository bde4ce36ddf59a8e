/** Another program: opens a history and closes it, and prints what is said in it then. */
import { DatabaseSync } from "node:sqlite";

const [path] = Deno.args;
const first = new DatabaseSync(path);
first.exec("SELECT count(*) FROM message"); // a statement that is left over would keep it open
first.close();
const database = new DatabaseSync(path);
const rows = database.prepare("SELECT content FROM message ORDER BY key").all();
console.log(JSON.stringify(rows.map(({ content }) => content)));
