import { nextTurn } from "../base/next_turn.ts";
import { isPeerId } from "../wire/peer_id.ts";
import type { Contact } from "./contacts.ts";
import type { Row } from "./database.ts";
import { Pages } from "./pages.ts";
import { type RawRow, rowsOf } from "./record.ts";

/** What is found among the pages of a damaged file, in the order of the keys. */
export type Salvaged =
  /** As a query for the columns of `message` returns it. */
  | { readonly kind: "row"; readonly row: Row }
  /** What had these keys, if anything, is lost. */
  | { readonly kind: "lost"; readonly from: number; readonly to: number };

/** Columns of `message` in the order of the schema. */
const COLUMNS = [
  "key",
  "contact",
  "state",
  "kept",
  "encrypted",
  "trust",
  "id",
  "timestamp",
  "stored_at",
  "reason",
  "nickname",
  "content",
] as const;
/** Pages that are looked at in one turn of the event loop. */
const TURN_PAGES = 256;
const MAX_CONTACTS = 100_000;

/** A page with messages. */
interface Leaf {
  readonly page: number;
  /** Key of the message in the middle of it: what is damaged has any key, and seldom there. */
  readonly middle: number;
}

/**
 * The messages that are in the pages of a file, whatever leads to them is damaged: its header, its
 * schema, or the upper pages of the table. Reads the file with its WAL, and each page by itself.
 *
 * Texts that were deleted are not among them: SQLite is told to overwrite those.
 */
export class Salvage implements Disposable {
  /** By key. */
  readonly contacts = new Map<number, Contact>();
  /** Those that are part of the history. */
  messageCount = 0;
  #leaves: Leaf[] = [];

  private constructor(private readonly pages: Pages) {}

  /** Looks at all pages, some 100 MB a second. */
  static async scan(path: string): Promise<Salvage> {
    using parts = new DisposableStack();
    const salvage = new Salvage(parts.use(new Pages(path)));
    // The first page has the schema.
    for (let page = 2; page <= salvage.pages.count; page++) {
      salvage.#look(page);
      if (page % TURN_PAGES === 0) await nextTurn();
    }
    salvage.#leaves.sort((a, b) => a.middle - b.middle);
    parts.move();
    return salvage;
  }

  /** Key of the last message that the file had for all one can see; 0 where it had none. */
  get lastKey(): number {
    const last = this.#leaves.at(-1);
    if (last === undefined) return 0;
    const rows = this.#messages(last).filter((row) => row !== undefined);
    return ascending(rows).at(-1)!.key;
  }

  /** Messages whose keys are in a range, and what is lost between and around them. */
  *read(from: number, to: number): Generator<Salvaged, void, void> {
    let next = from;
    for (const [at, leaf] of this.#leaves.entries()) {
      const end = Math.min(to, (this.#leaves[at + 1]?.middle ?? Infinity) - 1);
      const rows = this.#messages(leaf);
      const isFound = rows.map((row) => row !== undefined && next <= row.key && row.key <= end);
      const good = ascending(rows.filter((_, index) => isFound[index]) as MessageRow[]);
      // Between pages, and in a damaged one, a key that is missing may have been there.
      let isBroken = rows.length !== good.length && rows.some((row) => !(row && row.key < next));
      const isDamaged = isBroken;
      isBroken ||= (good[0]?.key ?? next) > next;
      for (const row of good) {
        if (isBroken && row.key > next) yield { kind: "lost", from: next, to: row.key - 1 };
        if (row.kept === 1) yield { kind: "row", row };
        next = row.key + 1;
        isBroken = isDamaged;
      }
    }
    if (next <= to) yield { kind: "lost", from: next, to };
  }

  #look(page: number): void {
    const keys: number[] = [];
    for (const row of this.#rows(page)) {
      const message = row && messageRow(row);
      if (message !== undefined) {
        keys.push(message.key);
        if (message.kept === 1) this.messageCount++;
      }
      const contact = row && contactRow(row);
      if (contact !== undefined && this.contacts.size < MAX_CONTACTS) {
        this.contacts.set(contact.key, contact);
      }
    }
    if (keys.length === 0) return;
    const middle = keys.sort((a, b) => a - b)[keys.length >> 1];
    this.#leaves.push({ page, middle });
  }

  #messages({ page }: Leaf): (MessageRow | undefined)[] {
    return Array.from(this.#rows(page), (row) => row && messageRow(row));
  }

  *#rows(number: number): Generator<RawRow | undefined> {
    yield* rowsOf(this.pages.read(number), this.pages);
  }

  [Symbol.dispose](): void {
    this.pages[Symbol.dispose]();
  }
}

/** Most of some rows, so that their keys ascend; a key that does not fit was damaged. */
function ascending(rows: readonly MessageRow[]): MessageRow[] {
  if (rows.every(({ key }, at) => at === 0 || rows[at - 1].key < key)) return [...rows];
  /** For each row the longest list that ends with it. */
  const lists: MessageRow[][] = [];
  for (const row of rows) {
    const before = lists.filter((list) => list.at(-1)!.key < row.key);
    lists.push([...longest(before), row]);
  }
  return longest(lists);
}

function longest(lists: readonly MessageRow[][]): MessageRow[] {
  return lists.reduce((most, list) => list.length > most.length ? list : most, []);
}

type MessageRow = Row & { readonly key: number };

/** A row that can only be one of `message`. */
function messageRow({ key, values }: RawRow): MessageRow | undefined {
  if (values.length !== COLUMNS.length || values[0] !== null) return undefined;
  const row: Row = Object.fromEntries(COLUMNS.map((name, at) => [name, values[at]]));
  const { id, reason, nickname, content } = row;
  const areNumbers = ["contact", "state", "trust", "timestamp", "stored_at"].every((name) =>
    Number.isSafeInteger(row[name])
  );
  const areFlags = [row.kept, row.encrypted].every((flag) => flag === 0 || flag === 1);
  const areTexts = [reason, nickname].every((text) => text === null || typeof text === "string");
  const isIdentified = id === null || id instanceof Uint8Array && id.length === 16;
  const isSaid = typeof content === "string" || content instanceof Uint8Array;
  return areNumbers && areFlags && areTexts && isIdentified && isSaid ? { ...row, key } : undefined;
}

/** A row that can only be one of `contact`. */
function contactRow({ key, values }: RawRow): Contact | undefined {
  const [self, id, nickname, latest] = values;
  if (values.length !== 4 || self !== null) return undefined;
  if (typeof nickname !== "string" || typeof latest !== "string") return undefined;
  if (id === null) return { key, nickname };
  return isPeerId(id) ? { key, id, nickname } : undefined;
}
