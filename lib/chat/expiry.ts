import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { orAborted } from "../base/or_aborted.ts";
import { messageOf } from "../errors.ts";
import type { StoredMessage } from "../store/message.ts";
import type { Store } from "../store/store.ts";
import { contactKey } from "./delivery.ts";

/** How often messages that have waited too long are looked for, in milliseconds. */
const EXPIRY_INTERVAL_MS = 3600_000;
const DAY_MS = 86_400_000;

/** What {@linkcode Expiry} works with, and whom it tells. */
export interface ExpiryOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Pick<Store["outbox"], "expire">;
  /** After this many days a message is given up; Infinity for never. */
  readonly expireDays: number;
  /** Resolves when more news is welcome; `undefined` when it is now. */
  readonly ready: () => Promise<void> | undefined;
  /** Whether the message with this key may have arrived already, so that it cannot be given up. */
  readonly isOnItsWay: (key: number) => boolean;
  /** A message has been given up. */
  readonly onExpired: (message: StoredMessage, reason: string) => void;
  /** No more messages of these recipients, named by {@linkcode contactKey}, are given up for now. */
  readonly onDone: (recipients: ReadonlySet<string>) => void;
}

/** Gives up messages that nobody has taken for too long: at the start, and then every hour. */
export class Expiry implements Disposable {
  readonly #options: ExpiryOptions;
  readonly #stop = new AbortController();
  #cancel: () => void = () => {};
  #first: Promise<void> | undefined;

  constructor(options: ExpiryOptions) {
    this.#options = options;
    if (options.expireDays === Infinity) return;
    this.#first = this.#round().then(() => this.#first = undefined);
  }

  /**
   * What earlier runs have left is looked through for the first time: until this has resolved,
   * anything of that may be too old to be sent.
   */
  get first(): Promise<void> | undefined {
    return this.#first;
  }

  /** Gives nothing up any more. */
  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#cancel();
  }

  async #round(): Promise<void> {
    const { clock, log, onDone } = this.#options;
    const recipients = new Set<string>();
    try {
      await this.#giveUp(recipients);
    } catch (error) {
      if (!this.#stop.signal.aborted) log.warn(`Cannot give up old messages: ${messageOf(error)}`);
    }
    if (this.#stop.signal.aborted) return;
    if (recipients.size > 0) onDone(recipients);
    this.#cancel = clock.after(EXPIRY_INTERVAL_MS, () => void this.#round());
  }

  /** @param recipients To which those are added whose messages were given up. */
  async #giveUp(recipients: Set<string>): Promise<void> {
    const { clock, store, expireDays, ready, isOnItsWay, onExpired } = this.#options;
    const { signal } = this.#stop;
    const reason = `nobody took it within ${expireDays} ${expireDays === 1 ? "day" : "days"}`;
    for (let after = 0; !signal.aborted;) {
      const before = clock.now() - expireDays * DAY_MS;
      const expired = await store.expire(before, reason, after, isOnItsWay);
      if (expired.length === 0) return;
      after = expired.at(-1)!.key;
      for (const message of expired) {
        recipients.add(contactKey(message.contact));
        onExpired(message, reason);
      }
      const room = ready();
      if (room !== undefined) await orAborted(room, signal);
    }
  }
}
