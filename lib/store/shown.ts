import type { Clock } from "../base/clock.ts";
import type { Database } from "./database.ts";
import { type Eraser, markRemnants } from "./eraser.ts";
import type { KeySequence } from "./keys.ts";
import { getMeta, setMeta } from "./meta.ts";
import type { WriteQueue } from "./write_queue.ts";

/** What {@linkcode ShownMark} works with. */
export interface ShownMarkParts {
  readonly database: Database;
  readonly queue: WriteQueue;
  readonly keys: KeySequence;
  readonly eraser: Eraser;
  readonly clock: Clock;
  readonly keepHistory: boolean;
}

/** Stands in `meta`: what was received up to this key has been shown. */
const SHOWN_TO = "shown_to";
/** When it is written if nothing else is, in milliseconds. */
const SOON_MS = 1000;
/** What could not be written is tried again after this long, in milliseconds. */
const RETRY_MS = 5000;
/** Messages that are dropped together. */
const STEP = 1000;

/**
 * How far the user has seen what came: a crash leaves messages behind it that were acknowledged and
 * not shown. Written along with the next messages that come, so that it costs no wait for the disk.
 *
 * What is only there to be shown is dropped as it moves on.
 */
export class ShownMark {
  #to: number;
  /** As it is on the disk; nothing in a file that has none yet. */
  #written: number | undefined;
  /** Behind this key nothing is to be dropped where the history is kept. */
  readonly #earlier: number;
  #isQueued = false;
  #isHeld = false;
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(private readonly parts: ShownMarkParts) {
    const { database, keys } = parts;
    this.#written = getMeta(database, SHOWN_TO);
    this.#to = this.#written ?? keys.last;
    this.#earlier = keys.last;
  }

  /** What was received up to this key has been shown. */
  get to(): number {
    return this.#to;
  }

  moveTo(key: number): void {
    if (key <= this.#to) return;
    this.#to = key;
    this.#after(SOON_MS);
  }

  /** Writes it with whatever else is written in this turn. */
  write(): void {
    if (!this.#isQueued && !this.#isHeld && this.#written !== this.#to) void this.#write(STEP);
  }

  /** Writes it at last; what is queued must still be written afterwards. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
    if (this.#written !== undefined && this.#written !== this.#to) void this.#write(Infinity);
  }

  async #write(most: number): Promise<void> {
    const { database, queue, eraser } = this.parts;
    this.#isQueued = true;
    try {
      const { to, dropped } = await queue.add(() => {
        const done = this.#drop(this.#to, most);
        setMeta(database, SHOWN_TO, done.to);
        return done;
      }, this.#isDropping ? STEP : 0);
      this.#written = to;
      if (dropped > 0) eraser.soon();
    } catch {
      // Told by the state of the store; until then messages are shown once more at most.
      this.#isHeld = true;
    }
    this.#isQueued = false;
    if (this.#written !== this.#to) this.#after(this.#isHeld ? RETRY_MS : SOON_MS);
  }

  get #isDropping(): boolean {
    const from = this.#written ?? Infinity;
    return from < this.#to && (!this.parts.keepHistory || from < this.#earlier);
  }

  /** @returns How far it has come. */
  #drop(to: number, most: number): { to: number; dropped: number } {
    if (!this.#isDropping) return { to, dropped: 0 };
    const { database } = this.parts;
    const found = database.all<{ key: number }>(
      `SELECT key FROM message WHERE key > ? AND key <= ? AND state = 0 AND kept = 0
       ORDER BY key LIMIT ?`,
      this.#written!,
      to,
      Math.min(most, Number.MAX_SAFE_INTEGER),
    );
    for (const { key } of found) database.run("DELETE FROM message WHERE key = ?", key);
    if (found.length > 0) markRemnants(database);
    return { to: found.length < most ? to : found.at(-1)!.key, dropped: found.length };
  }

  #after(ms: number): void {
    if (this.#closed) return;
    this.#cancel ??= this.parts.clock.after(ms, () => {
      this.#cancel = undefined;
      this.#isHeld = false;
      this.write();
    });
  }
}
