import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { messageOf } from "../errors.ts";
import type { ReceivedMessage } from "../store/message.ts";
import type { Store } from "../store/store.ts";
import type { DiskTrouble } from "./disk_trouble.ts";

/** What could not be stored is tried again after this long, in milliseconds. */
const STORE_RETRY_MS = 5000;
/** Messages, and UTF-16 units of them, that may wait for a disk that takes nothing. */
const MAX_UNSTORED = 10_000;
const MAX_UNSTORED_LENGTH = 8 * 1024 * 1024;

/** What the inbox needs of the store. */
export type InboxStore = Pick<Store["inbox"], "receive">;

/** What {@linkcode Inbox} works with. */
export interface InboxOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: InboxStore;
  /** Told whether storing works. */
  readonly trouble: DiskTrouble;
}

/** A message that is not yet acknowledged. */
interface Entry {
  readonly message: ReceivedMessage;
  readonly show: () => void;
  readonly taken: () => void;
  state: "storing" | "stored" | "failed";
  isShown: boolean;
}

/**
 * Messages that come in: stored before they are acknowledged, and shown once. While the disk takes
 * nothing they are shown all the same, and not acknowledged: their senders keep them.
 */
export class Inbox implements Disposable {
  readonly #options: InboxOptions;
  /** In the order of arrival: an acknowledgement speaks for everything before it. */
  readonly #entries = new Set<Entry>();
  #failures = 0;
  #failedLength = 0;
  #cancelRetry: (() => void) | undefined;
  #closed = false;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /**
   * Takes a message.
   *
   * @param show Called once if it is new, when it is stored, or when it turns out that it cannot be.
   * @param taken Called when it is stored, now or before: it may be acknowledged.
   * @returns Whether it was taken; not while too much waits for the disk.
   */
  take(message: ReceivedMessage, show: () => void, taken: () => void): boolean {
    if (this.#closed) return false;
    if (this.#failures >= MAX_UNSTORED || this.#failedLength >= MAX_UNSTORED_LENGTH) return false;
    const entry: Entry = { message, show, taken, state: "storing", isShown: false };
    this.#entries.add(entry);
    // What waits for the disk has come before, and is to be kept before.
    if (this.#failures > 0) this.#await(entry);
    else void this.#store(entry);
    return true;
  }

  /** Acknowledges nothing any more: what is not stored yet comes again. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cancelRetry?.();
  }

  async #store(entry: Entry): Promise<void> {
    let isNew: boolean;
    try {
      isNew = (await this.#options.store.receive(entry.message)).kind === "new";
    } catch (error) {
      return this.#onFailure(entry, messageOf(error));
    }
    entry.state = "stored";
    this.#options.trouble.worked();
    if (isNew) this.#show(entry);
    this.#acknowledge();
  }

  #onFailure(entry: Entry, reason: string): void {
    if (this.#closed) return;
    this.#options.trouble.failed(reason);
    this.#await(entry);
  }

  /** Shows an entry, and stores it the next time. */
  #await(entry: Entry): void {
    entry.state = "failed";
    this.#failures++;
    this.#failedLength += entry.message.content.length;
    this.#show(entry);
    this.#cancelRetry ??= this.#options.clock.after(STORE_RETRY_MS, () => this.#retry());
  }

  #retry(): void {
    this.#cancelRetry = undefined;
    this.#failures = 0;
    this.#failedLength = 0;
    for (const entry of this.#entries) {
      if (entry.state !== "failed") continue;
      entry.state = "storing";
      void this.#store(entry);
    }
  }

  #show(entry: Entry): void {
    if (entry.isShown) return;
    entry.isShown = true;
    entry.show();
  }

  #acknowledge(): void {
    for (const entry of this.#entries) {
      if (entry.state !== "stored") return;
      this.#entries.delete(entry);
      if (!this.#closed) entry.taken();
    }
  }
}
