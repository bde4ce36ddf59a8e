import { join } from "node:path";
import type { Clock } from "./base/clock.ts";
import type { Log } from "./base/log.ts";
import type { Settings } from "./config/settings.ts";
import type { NodeHistory } from "./node_options.ts";
import { HISTORY_FILE } from "./store/schema.ts";
import { StoreError } from "./store/store_error.ts";

/** What {@linkcode openHistory} works with. */
export interface OpenHistoryOptions {
  readonly settings: Pick<
    Settings,
    "keepHistory" | "keepDays" | "maxMegabytes" | "expireDays" | "queuePlain"
  >;
  /** The profile's directory, which no other process uses. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Opens what earlier runs have kept. Where that fails, the file stays as it is, and this run keeps
 * what is said in memory: the user is told, and can go on talking.
 */
export async function openHistory(
  { settings, directory, clock, log }: OpenHistoryOptions,
): Promise<NodeHistory & AsyncDisposable> {
  const { Store } = await import("./store/store.ts");
  const { keepHistory } = settings;
  const path = join(directory, HISTORY_FILE);
  const open = async () => {
    try {
      const store = await Store.open({ path, clock, log, keepHistory });
      return { store, isDurable: true, problem: undefined };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const store = await Store.open({ path: undefined, clock, log, keepHistory });
      const problem =
        `${error.message}. Until then messages are kept only while this client runs, ` +
        "and what comes is not confirmed";
      return { store, isDurable: false, problem };
    }
  };
  const opened = await open();
  const { store } = opened;
  return {
    ...settings,
    ...opened,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}
