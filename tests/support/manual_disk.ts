import type { DiskSync } from "../../lib/store/log_file.ts";
import type { StoreError } from "../../lib/store/store_error.ts";

/** A disk that takes what was committed when the test says so. */
export class ManualDisk implements DiskSync {
  /** What it was asked for, the first first. */
  readonly syncs: PromiseWithResolvers<StoreError | undefined>[] = [];

  #isReleased = false;

  sync(): Promise<StoreError | undefined> {
    if (this.#isReleased) return Promise.resolve(undefined);
    const sync = Promise.withResolvers<StoreError | undefined>();
    this.syncs.push(sync);
    return sync.promise;
  }

  /** It has done the last that it was asked for. */
  finish(failure?: StoreError): void {
    this.syncs.at(-1)!.resolve(failure);
  }

  /** From now on it takes everything at once: a test is over. */
  release(): void {
    this.#isReleased = true;
    for (const sync of this.syncs) sync.resolve(undefined);
  }
}
