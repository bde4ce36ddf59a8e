import type { Clock } from "../base/clock.ts";
import type { Ages } from "./ages.ts";
import type { ContactName, ContactTable } from "./contacts.ts";
import type { Database } from "./database.ts";
import { type Eraser, markRemnants } from "./eraser.ts";
import { usedBytes } from "./growth.ts";
import type { KeySequence } from "./keys.ts";
import { fitting, type Sized } from "./page.ts";
import { type Prunable, PrunableMessages } from "./prunable.ts";
import { ALONE, type SearchIndex } from "./search_index.ts";
import { isDamage, StoreError } from "./store_error.ts";
import { drop, sweep, type SweepRequest } from "./sweep.ts";
import { dropUnusedContacts } from "./unused_contacts.ts";
import type { WalCleaner } from "./wal.ts";
import type { WriteQueue } from "./write_queue.ts";

/** What deleting needs of the store. */
export interface RetentionParts {
  readonly database: Database;
  readonly queue: WriteQueue;
  readonly contacts: ContactTable;
  readonly keys: KeySequence;
  readonly index: SearchIndex;
  readonly ages: Ages;
  readonly wal: WalCleaner;
  readonly eraser: Eraser;
  readonly clock: Clock;
  /** The key up to which all that came has been shown. */
  readonly shownTo: () => number;
}

/** What the user wants to keep. */
export interface RetentionLimits {
  /**
   * Messages stored before this moment go, as far as the clock is to be trusted, see
   * {@linkcode Ages}; milliseconds since the Unix epoch.
   */
  readonly before?: number;
  /**
   * Messages, what the index has of them, and contacts without an id take at most so many bytes.
   * The ids of what was received and the contacts with an id, which stay, are not counted, nor is
   * the WAL.
   */
  readonly maxBytes?: number;
  /** The share of them to be left free, 0 to 1, where they are exceeded; 0.03 unless given. */
  readonly room?: number;
  /**
   * Told at the end how many messages had to go that the user has not seen, if any; only because of
   * `maxBytes`.
   */
  readonly onUnseen?: (count: number) => void;
  readonly signal?: AbortSignal;
}

/** Messages and bytes of text that one step deletes where all goes. */
const BULK_ROWS = 1_000;
const BULK_BYTES = 2 ** 20;
/** Pages in one step. */
const STEP_PAGES = 512;
/** So as not to have to come back for a few pages. */
const LEAST_ROOM = 0.03;
/** From this share of all on, making the index of the rest anew is sooner done than cutting it. */
const BULK_SHARE = 1 / 5;
/** Steps that are queued at once, so that who writes as fast as he can is not faster. */
const BULK_STEPS = 4;
/** Of what deleting was to free, what it has to free for more to be deleted. */
const LEAST_EFFECT = 1 / 4;
/** In `clearing`, all contacts. */
const EVERYBODY = 0;

/** How much is to go because of the size, in bytes. */
interface Cut {
  /** What stays whatever is deleted, and is not counted. */
  readonly lasting: number;
  readonly maxBytes: number;
  /** What is to be left where that is exceeded. */
  readonly aim: number;
  readonly signal?: AbortSignal;
  /** Given where also what was not shown may go; told what has gone. */
  readonly onDropped?: (taken: readonly Prunable[]) => void;
}

/**
 * Deletes messages for good, in steps between which others have their turn: SQLite overwrites what
 * it frees with zeros, and {@linkcode Eraser} at the end what it has not. What the file system keeps
 * of its own accord (snapshots, journals, worn cells) is out of reach.
 *
 * What is pending is never lost: it leaves the history at once where the user clears that, and the
 * file when it was delivered or has failed.
 */
export class Retention {
  /** One at a time deletes, for their marks' sake. */
  #turn: Promise<unknown> = Promise.resolve();

  readonly #prunable: PrunableMessages;

  constructor(private readonly parts: RetentionParts) {
    this.#prunable = new PrunableMessages(parts);
  }

  /**
   * Clears the history, of one contact or all of it. Messages that come meanwhile stay. Where the
   * program ends before, the next one goes on.
   *
   * @returns How many messages it had.
   * @throws {StoreError} Among others `busy`: everything is deleted, but another process reads, and
   *   keeps what is left in the file from being overwritten; that is tried again.
   */
  async clear(contact?: ContactName, signal?: AbortSignal): Promise<number> {
    const { contacts, database, keys, queue } = this.parts;
    const scope = contact === undefined ? EVERYBODY : contacts.find(contact)?.key;
    if (scope === undefined) return 0;
    const last = await queue.add(() => {
      database.run(
        `INSERT INTO clearing (contact, last_key) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET last_key = max(last_key, ?2)`,
        scope,
        keys.last,
      );
      return keys.last;
    });
    return await this.#inTurn(async () => {
      const count = await this.#clearTo(scope, last, signal);
      await this.#finish(0, signal).catch((error) => {
        throw error instanceof StoreError ? notErased(count, error) : error;
      });
      return count;
    });
  }

  /** Goes on with what an earlier run began to delete, and empties the WAL that a crash left. */
  async resume(signal?: AbortSignal): Promise<void> {
    const { database, index, wal, eraser } = this.parts;
    eraser.resume();
    const begun = database.all<{ contact: number; last_key: number }>(
      "SELECT contact, last_key FROM clearing LIMIT 1000",
    );
    await this.#inTurn(async () => {
      for (const { contact, last_key } of begun) await this.#clearTo(contact, last_key, signal);
      await index.resume(signal);
      if (begun.length > 0) return await this.#finish(0, signal);
      await dropUnusedContacts(this.parts, signal);
      wal.tryEmpty();
    });
  }

  /**
   * Deletes the oldest messages until the limits hold. What came and was not shown yet is left alone,
   * but where the size cannot be held without: whoever may send could fill the disk otherwise.
   *
   * @returns How many were deleted.
   */
  prune(limits: RetentionLimits): Promise<number> {
    const { before, maxBytes, room = LEAST_ROOM, signal, onUnseen } = limits;
    return this.#inTurn(async () => {
      let count = 0;
      if (before !== undefined) {
        const range = { bound: this.parts.ages.oldTo(before), before, withUnseen: false };
        const next = (after: number, limit: number) => this.#prunable.oldest(after, limit, range);
        count += await sweep(this.parts, { next, signal });
      }
      let most = Infinity;
      if (maxBytes !== undefined && usedBytes(this.parts.database) > maxBytes) {
        const lasting = this.#lastingBytes();
        count += await this.#cutTo({ lasting, maxBytes, room, signal, onUnseen });
        most = maxBytes + lasting;
      }
      if (count > 0 || most < Infinity) await this.#finish(most, signal);
      return count;
    });
  }

  /** Cuts what was shown, and only where that is not enough, what was not. */
  async #cutTo({ room, onUnseen, ...cut }: Omit<Cut, "aim"> & {
    readonly room: number;
    readonly onUnseen?: (count: number) => void;
  }): Promise<number> {
    const { database, index } = this.parts;
    const { lasting, maxBytes, signal } = cut;
    const isTooMuch = () => usedBytes(database) - lasting > maxBytes;
    let count = await this.#cutSome({ ...cut, aim: maxBytes * (1 - room) });
    if (!isTooMuch()) return count;
    // Before that something goes which nobody has seen, all else does that takes room.
    await index.compact(signal);
    await dropUnusedContacts(this.parts, signal);
    let unseen = 0;
    const onDropped = (taken: readonly Prunable[]) => {
      for (const message of taken) unseen += message.unseen;
    };
    try {
      const aim = maxBytes * (1 - Math.min(room, LEAST_ROOM));
      count += await this.#cutSome({ ...cut, aim, onDropped });
    } finally {
      if (unseen > 0) onUnseen?.(unseen);
    }
    return count;
  }

  /**
   * Deletes the oldest messages, as large a share of all text as the limit is exceeded by; again
   * where that was not enough, and no more where it did not help.
   */
  async #cutSome({ lasting, maxBytes, aim, onDropped, signal }: Cut): Promise<number> {
    const { database, index } = this.parts;
    const withUnseen = onDropped !== undefined;
    const used = () => usedBytes(database) - lasting;
    const shareOf = (bytes: number) => bytes > maxBytes ? 1 - aim / bytes : 0;
    const first = shareOf(used());
    // What many small writes have left scattered says little about what messages take.
    if (!withUnseen && first > 0 && first < BULK_SHARE) await index.compact(signal);
    let count = 0;
    for (let before = used(); before > maxBytes;) {
      const share = shareOf(before);
      const bound = await this.#prunable.boundOf(share, withUnseen, signal);
      if (bound === 0 && !withUnseen) break;
      const next = (after: number, limit: number) =>
        this.#prunable.oldest(after, limit, { bound, withUnseen });
      if (share >= BULK_SHARE) {
        await index.without(async () => {
          count += await this.#dropAll(next, { signal, onDropped });
        }, { signal });
      } else {
        count += await sweep(this.parts, { next, signal, onDropped });
        await index.compact(signal);
      }
      await dropUnusedContacts(this.parts, signal);
      const now = used();
      if (before - now < before * share * LEAST_EFFECT) break;
      before = now;
    }
    return count;
  }

  /** Deletes messages and nothing of the index, in steps between which others have their turn. */
  async #dropAll<T extends Sized>(
    next: (after: number, limit: number) => T[],
    { signal, onDropped }: Pick<SweepRequest<T>, "signal" | "onDropped">,
  ): Promise<number> {
    const { database, queue } = this.parts;
    let count = 0;
    for (let after = 0;;) {
      signal?.throwIfAborted();
      // What one step has taken the next one does not find any more.
      const step = () => {
        const taken = fitting(next(after, BULK_ROWS), BULK_BYTES);
        drop(database, taken.map(({ key }) => key));
        return taken;
      };
      const steps = Array.from({ length: BULK_STEPS }, () => queue.add(step, ALONE));
      for (const taken of await Promise.all(steps)) {
        if (taken.length === 0) return count;
        count += taken.length;
        onDropped?.(taken);
        after = taken.at(-1)!.key;
      }
    }
  }

  async #inTurn<T>(body: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(body);
    this.#turn = turn.catch(() => {});
    return await turn;
  }

  async #clearTo(scope: number, last: number, signal?: AbortSignal): Promise<number> {
    const { database, queue } = this.parts;
    const count = scope === EVERYBODY
      ? await this.#clearAll(last, signal)
      : await sweep(this.parts, {
        next: (after, limit) => this.#keptOf(scope, after, last, limit),
        signal,
      });
    const done = "DELETE FROM clearing WHERE contact = ? AND last_key <= ?";
    await queue.add(() => database.run(done, scope, last));
    return count;
  }

  async #clearAll(last: number, signal?: AbortSignal): Promise<number> {
    const next = (after: number, limit: number) => this.#kept(after, last, limit);
    const drop = () => this.#dropAll(next, { signal });
    return await this.parts.index.without(drop, { to: last, signal });
  }

  /** Gives free pages back to the disk and overwrites what is left: only then it is gone. */
  async #finish(maxBytes: number, signal?: AbortSignal): Promise<void> {
    const { keys, queue, wal, eraser } = this.parts;
    await dropUnusedContacts(this.parts, signal);
    await queue.add(() => keys.trim());
    wal.tryEmpty(); // so that zeros are on the disk where the file is then cut off
    await this.#shrink(maxBytes, signal);
    await eraser.erase(signal);
  }

  #keptOf(contact: number, after: number, last: number, limit: number): Sized[] {
    return this.parts.database.all<Sized & Record<string, unknown>>(
      `SELECT key, octet_length(content) AS size FROM message
       WHERE contact = ? AND kept = 1 AND key > ? AND key <= ? ORDER BY key LIMIT ?`,
      contact,
      after,
      last,
      limit,
    );
  }

  #kept(after: number, last: number, limit: number): Sized[] {
    return this.parts.database.all<Sized & Record<string, unknown>>(
      `SELECT key, octet_length(content) AS size FROM message
       WHERE kept = 1 AND key > ? AND key <= ? ORDER BY key LIMIT ?`,
      after,
      last,
      limit,
    );
  }

  /** What stays in the file whatever is deleted; reads all of it, 20 ms for a million ids. */
  #lastingBytes(): number {
    const { database } = this.parts;
    const { share } = database.get<{ share: number | null }>(
      "SELECT total(c.id IS NOT NULL) / count(*) AS share FROM contact c",
    )!;
    return database.get<{ bytes: number }>(
      `SELECT total(pgsize * CASE WHEN name IN ('contact', 'contact_latest') THEN ? ELSE 1 END)
         AS bytes FROM dbstat
       WHERE aggregate = TRUE AND name IN ('received', 'contact', 'contact_id', 'contact_latest',
         'hour', 'meta', 'clearing', 'search_config', 'sqlite_schema')`,
      share ?? 0,
    )!.bytes;
  }

  /** Gives free pages back to the disk until the file is small enough. */
  async #shrink(maxBytes: number, signal?: AbortSignal): Promise<void> {
    const { database, queue } = this.parts;
    const pragma = (name: string) => database.pragma(name) as number;
    const size = () => pragma("page_count") * pragma("page_size");
    while (pragma("freelist_count") > 0 && size() > maxBytes) {
      signal?.throwIfAborted();
      // Each page is a step of the statement, and the first one would be the only one with `run`.
      try {
        const isSmaller = await queue.add(() => {
          const free = pragma("freelist_count");
          database.all(`PRAGMA incremental_vacuum(${STEP_PAGES})`);
          // Pages are moved to where they may have been overwritten already.
          markRemnants(database);
          return pragma("freelist_count") < free;
        }, ALONE);
        // Nothing is given back by a file whose layout another program has changed.
        if (!isSmaller) return;
      } catch (error) {
        // What was deleted is deleted, and its room will be used again.
        if (isDamage(error)) return;
        throw error;
      }
    }
  }
}

function notErased(count: number, error: StoreError): StoreError {
  const what = count === 1 ? "1 message" : `${count} messages`;
  const said = count === 1 ? "it said" : "they said";
  return new StoreError(
    error.kind,
    `Deleted ${what}, but the file may still have what ${said}: ${error.message}. It is tried ` +
      "again every minute, and at the next start",
    { cause: error },
  );
}
