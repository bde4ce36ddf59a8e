import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { listFragment, type Registration } from "./list_fragment.ts";
import { type ListItem, ListPages } from "./list_pages.ts";

/** A peer without a heartbeat for longer than this is dropped (protocol version 1, section 3). */
export const PEER_TIMEOUT_MS = 30_000;
/** How often that is looked at. */
export const EXPIRY_INTERVAL_MS = 10_000;
/** How long a peer list may show an older `last_seen`, whose own unit is the second. */
const REFRESH_MS = 1000;

interface Entry extends ListItem {
  /** The peer in the list, up to the digits of `last_seen` and after them. */
  readonly before: string;
  readonly after: string;
  /** The whole of it, as of `lastSeen`. */
  text: string;
  /** Unix time in seconds. */
  lastSeen: number;
  /** Monotonic time of the last heartbeat, in milliseconds. */
  heardAt: number;
}

/**
 * Who is registered, and the `peer_list` that says so.
 *
 * The list is kept as one text for all who ask. Who comes or goes makes it stale at once, so every
 * list holds every peer; it is put together again when it is next asked for, from texts that are
 * kept. A heartbeat changes nothing but a `last_seen`, and with thousands of peers there is always
 * one: those make the list stale at most once a second, so that the cost of writing it does not
 * grow with the number of peers times the number of those who ask.
 */
export class Registry {
  readonly #entries = new Map<string, Entry>();
  readonly #pages = new ListPages();
  #list: string | undefined;
  #refreshDue = false;
  #refreshedAt: number;
  #rebuilds = 0;

  constructor(private readonly clock: Clock, private readonly random: Random) {
    this.#refreshedAt = clock.monotonic();
  }

  /** How many peers are registered. */
  get size(): number {
    return this.#entries.size;
  }

  /** How often the list was put together. */
  get rebuilds(): number {
    return this.#rebuilds;
  }

  /** Adds a peer; returns its new id. */
  add(registration: Registration): string {
    const id = uuidV4(this.random);
    const [before, after] = listFragment(id, registration);
    const lastSeen = Math.floor(this.clock.now() / 1000);
    const text = `${before}${lastSeen}${after}`;
    const entry = { before, after, text, lastSeen, heardAt: this.clock.monotonic() };
    this.#entries.set(id, entry);
    this.#pages.add(entry);
    this.#list = undefined;
    return id;
  }

  /** Whether the peer is registered. */
  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** Notes a sign of life; returns whether the peer is registered. */
  touch(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    entry.heardAt = this.clock.monotonic();
    const lastSeen = Math.floor(this.clock.now() / 1000);
    if (lastSeen !== entry.lastSeen) {
      entry.lastSeen = lastSeen;
      entry.text = `${entry.before}${lastSeen}${entry.after}`;
      this.#pages.outdate(entry);
      this.#refreshDue = true;
    }
    return true;
  }

  /** Takes a peer out; returns whether it was registered. */
  remove(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    this.#pages.remove(entry);
    this.#list = undefined;
    return true;
  }

  /** Takes out everybody who was silent for longer than {@linkcode PEER_TIMEOUT_MS}; says how many. */
  expire(): number {
    const oldest = this.clock.monotonic() - PEER_TIMEOUT_MS;
    let dropped = 0;
    for (const [id, entry] of this.#entries) {
      if (entry.heardAt < oldest && this.remove(id)) dropped++;
    }
    return dropped;
  }

  /** The text frame that answers `list_peers`. */
  list(): string {
    const now = this.clock.monotonic();
    if (this.#refreshDue && now - this.#refreshedAt >= REFRESH_MS) {
      this.#pages.refresh();
      this.#list = undefined;
      this.#refreshDue = false;
      this.#refreshedAt = now;
    }
    if (this.#list === undefined) {
      this.#list = `{"type":"peer_list","peers":[${this.#pages.join()}]}`;
      this.#rebuilds++;
    }
    return this.#list;
  }
}

/** A random UUID (RFC 9562, section 5.4). */
function uuidV4(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toHex();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
    .join("-");
}
