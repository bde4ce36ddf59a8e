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
  /** Key of its first message. */
  readonly first: number;
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
      if (page % TURN_PAGES === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    salvage.#leaves.sort((a, b) => a.first - b.first);
    parts.move();
    return salvage;
  }

  /** Key of the last message that the file had for all one can see; 0 where it had none. */
  get lastKey(): number {
    const last = this.#leaves.at(-1);
    if (last === undefined) return 0;
    return this.#messages(last).reduce((key, row) => Math.max(key, row?.key as number ?? 0), 0);
  }

  /** Messages whose keys are in a range, and what is lost between and around them. */
  *read(from: number, to: number): Generator<Salvaged, void, void> {
    let next = from;
    let isBroken = false;
    for (let at = this.#indexOf(from); at < this.#leaves.length && next <= to; at++) {
      const leaf = this.#leaves[at];
      const end = Math.min(to, (this.#leaves[at + 1]?.first ?? Infinity) - 1);
      isBroken ||= leaf.first > next;
      for (const row of this.#messages(leaf)) {
        if (row === undefined) {
          isBroken = true;
          continue;
        }
        const key = row.key as number;
        if (key < next || key > end) continue;
        if (isBroken && key > next) yield { kind: "lost", from: next, to: key - 1 };
        isBroken = false;
        if (row.kept === 1) yield { kind: "row", row };
        next = key + 1;
      }
    }
    if (next <= to) yield { kind: "lost", from: next, to };
  }

  #look(page: number): void {
    let first: number | undefined;
    for (const row of this.#rows(page)) {
      const message = row && messageRow(row);
      if (message !== undefined) {
        first ??= row!.key;
        if (message.kept === 1) this.messageCount++;
      }
      const contact = row && contactRow(row);
      if (contact !== undefined && this.contacts.size < MAX_CONTACTS) {
        this.contacts.set(contact.key, contact);
      }
    }
    if (first !== undefined) this.#leaves.push({ page, first });
  }

  #messages({ page }: Leaf): (Row | undefined)[] {
    return Array.from(this.#rows(page), (row) => row && messageRow(row));
  }

  *#rows(number: number): Generator<RawRow | undefined> {
    yield* rowsOf(this.pages.read(number), this.pages);
  }

  /** The last page that begins at a key or before it. */
  #indexOf(key: number): number {
    const behind = this.#leaves.findIndex(({ first }) => first > key);
    return Math.max(0, (behind < 0 ? this.#leaves.length : behind) - 1);
  }

  [Symbol.dispose](): void {
    this.pages[Symbol.dispose]();
  }
}

/** A row that can only be one of `message`. */
function messageRow({ key, values }: RawRow): Row | undefined {
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
