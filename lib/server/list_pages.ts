/** Peers whose texts are kept as one; 10,000 peers make 79 pages of about 20 KB. */
const PAGE_SIZE = 128;

/** Something that stands in the list. */
export interface ListItem {
  /** Its text as it is now. */
  readonly text: string;
  /** Where it stands; belongs to {@linkcode ListPages}. */
  page?: ListPage;
}

/** A stretch of the list. */
export interface ListPage {
  readonly items: Set<ListItem>;
  /** All of its items, with commas between them; `undefined` when that is out of date. */
  text: string | undefined;
  /** Whether an item's own text is newer than `text`, which is good enough for a while. */
  outdated: boolean;
}

/**
 * A list of texts as one text, kept in pages: who comes or goes has one page written anew and the
 * pages strung together. That bounds what clients that register and leave all the time can cost a
 * server with many peers: about 0.5 ms each time with 10,000 of them, instead of 2 ms.
 */
export class ListPages {
  readonly #pages: ListPage[] = [];
  /** Those of the pages that have room. */
  readonly #open: ListPage[] = [];

  /** Puts an item into the list. */
  add(item: ListItem): void {
    let page = this.#open.at(-1);
    if (page === undefined) {
      page = { items: new Set(), text: undefined, outdated: false };
      this.#pages.push(page);
      this.#open.push(page);
    }
    page.items.add(item);
    page.text = undefined;
    item.page = page;
    if (page.items.size === PAGE_SIZE) this.#open.pop();
  }

  /** Takes an item out of the list. */
  remove(item: ListItem): void {
    const { page } = item;
    if (page === undefined || !page.items.delete(item)) return;
    page.text = undefined;
    if (page.items.size === PAGE_SIZE - 1) this.#open.push(page);
  }

  /** Notes that an item has another text, for the next {@linkcode ListPages.refresh}. */
  outdate(item: ListItem): void {
    if (item.page !== undefined) item.page.outdated = true;
  }

  /** Has the pages of outdated items written anew. */
  refresh(): void {
    for (const page of this.#pages) {
      if (page.outdated) page.text = undefined;
    }
  }

  /** All items, with commas between them. */
  join(): string {
    const texts: string[] = [];
    for (const page of this.#pages) {
      if (page.items.size === 0) continue;
      if (page.text === undefined) {
        page.text = Array.from(page.items, ({ text }) => text).join(",");
        page.outdated = false;
      }
      texts.push(page.text);
    }
    return texts.join(",");
  }
}
