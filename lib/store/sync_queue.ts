import type { Clock } from "../base/clock.ts";
import { nextTurn } from "../base/next_turn.ts";
import type { DiskSync } from "./log_file.ts";
import type { StoreError } from "./store_error.ts";

/** A disk that has failed is tried again after this long, in milliseconds. */
const RETRY_MS = 5000;

/** For {@linkcode SyncQueue}. */
export interface SyncQueueOptions {
  readonly clock: Clock;
  readonly disk: DiskSync;
  /** Called when the disk begins to fail, with why, and when it works again. */
  readonly onChange: (failure: StoreError | undefined) => void;
}

/** Told once whether something is on the disk: nothing, or why that is not known at the end. */
export type OnSynced = (failure: StoreError | undefined) => void;

/**
 * What was committed and waits for the disk, in order. All that comes while the disk is at work
 * shares its next turn; whoever commits waits for the outcome, which bounds how much that is.
 *
 * What is committed cannot be taken back: while the disk fails it waits, and is tried again.
 */
export class SyncQueue {
  readonly #options: SyncQueueOptions;
  #waiting: OnSynced[] = [];
  #running: Promise<void> | undefined;
  #failure: StoreError | undefined;
  readonly #closing = new AbortController();

  constructor(options: SyncQueueOptions) {
    this.#options = options;
  }

  /** Why what is committed is not known to be on the disk, while that fails. */
  get failure(): StoreError | undefined {
    return this.#failure;
  }

  /** Something was committed. */
  add(onSynced: OnSynced): void {
    this.#waiting.push(onSynced);
    this.#running ??= this.#run();
  }

  /** Resolves when everything has had its outcome; what fails now is not tried again. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("the history is closed"));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, disk } = this.#options;
    const { signal } = this.#closing;
    while (this.#waiting.length > 0) {
      // What follows from a commit leaves first, to the network and to the screen.
      await nextTurn();
      const covered = this.#waiting;
      this.#waiting = [];
      const failure = await disk.sync();
      this.#note(failure);
      if (failure === undefined || signal.aborted) {
        for (const onSynced of covered) onSynced(failure);
      } else {
        this.#waiting = [...covered, ...this.#waiting];
        await clock.sleep(RETRY_MS, signal).catch(() => {}); // closing tries for the last time
      }
    }
    this.#running = undefined;
  }

  #note(failure: StoreError | undefined): void {
    const hasFailed = this.#failure !== undefined;
    this.#failure = failure;
    if (hasFailed !== (failure !== undefined)) this.#options.onChange(failure);
  }
}
