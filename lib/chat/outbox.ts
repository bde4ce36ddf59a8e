import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { InvalidInputError, messageOf } from "../errors.ts";
import {
  type DeliveryState,
  type OutgoingMessage,
  type Recipient,
  recipientKey,
  type StoredMessage,
} from "./delivery.ts";
import { type Carrier, Lane } from "./lane.ts";

/** How often messages that have waited too long are looked for, in milliseconds. */
const EXPIRY_INTERVAL_MS = 3600_000;
const DAY_MS = 86_400_000;
/** A state that could not be stored is tried again after this long, in milliseconds. */
const STORE_RETRY_MS = 5000;

/** Messages that are read from the store at once. */
const PAGE = 512;
/** Lanes that are kept for the next message. */
const MAX_IDLE_LANES = 1000;
const CANCELLED = "cancelled";
const ABANDONED = "the program ended before it was sent; it cannot be told whether it arrived";

type FinalState = Exclude<DeliveryState, "pending">;

/** What the outbox needs of the store. Writes resolve when they are on disk. */
export interface OutboxStore {
  /** Stores a message as pending. */
  enqueue(message: OutgoingMessage): Promise<StoredMessage>;
  /** Pending messages of a recipient behind a key, in order. */
  pending(recipient: Recipient, after: number, limit: number): StoredMessage[];
  /** Everybody for whom messages wait. */
  recipients(): Recipient[];
  /** Records what became of a pending message. */
  settle(key: number, state: FinalState, reason?: string): Promise<void>;
  /** Ends the wait of messages that were written before a moment (Unix time in milliseconds). */
  expire(before: number, reason: string): Promise<StoredMessage[]>;
}

/** What {@linkcode Outbox} works with, and whom it tells. */
export interface OutboxOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: OutboxStore;
  /** How messages get to a recipient. */
  readonly carrier: (recipient: Recipient) => Carrier;
  /** Whether messages to version 1 peers, too, wait for them. */
  readonly queuePlain: boolean;
  /** After this many days a message is given up; Infinity for never. */
  readonly expireDays: number;
  /** A message has come further, or back to waiting. */
  readonly onState: (message: OutgoingMessage, state: DeliveryState, reason?: string) => void;
}

/**
 * Messages on their way: stored before anything else, handed over in order while the recipient is
 * there, and kept until it has stored them, however often either side or the network breaks.
 */
export class Outbox implements Disposable {
  readonly #options: OutboxOptions;
  readonly #lanes = new Map<string, Lane>();
  /** Everybody for whom messages wait in the store. */
  readonly #waiting = new Map<string, Recipient>();
  readonly #cancelling = new Set<number>();
  #idle: PromiseWithResolvers<void> | undefined;
  #cancelExpiry: () => void = () => {};
  readonly #stop = new AbortController();

  private constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Opens the outbox with what earlier runs have left in it. */
  static async open(options: OutboxOptions): Promise<Outbox> {
    const outbox = new Outbox(options);
    await outbox.#expire();
    for (const recipient of options.store.recipients()) {
      if (recipient.id === undefined && !options.queuePlain) await outbox.#abandon(recipient);
      else outbox.#waiting.set(recipientKey(recipient), recipient);
    }
    return outbox;
  }

  /**
   * Accepts a message.
   *
   * @returns Its state once it is on disk: `sent` where it left at once, else `pending`.
   * @throws {StoreError} When it cannot be stored; then it is not sent either.
   */
  async send(message: OutgoingMessage): Promise<DeliveryState> {
    const { store, onState } = this.#options;
    const stored = await store.enqueue(message);
    const { recipient } = stored;
    this.#waiting.set(recipientKey(recipient), recipient);
    if (this.#stop.signal.aborted) return "pending";
    if (this.#lane(recipient).add(stored)) return "sent";
    onState(stored, "pending");
    return "pending";
  }

  /** A recipient has come, or there is a session with it. */
  wake(recipient: Recipient): void {
    if (this.#stop.signal.aborted || !this.#waiting.has(recipientKey(recipient))) return;
    this.#lane(recipient).hurry();
  }

  /**
   * Takes a message back that still waits.
   *
   * @throws {InvalidInputError} When it is on its way already.
   */
  async cancel(message: StoredMessage): Promise<void> {
    const { store, onState } = this.#options;
    const { key, id, recipient } = message;
    const lane = this.#lanes.get(recipientKey(recipient));
    if (lane?.has(key)) {
      throw new InvalidInputError(`Cannot cancel ${id}: it is on its way already`);
    }
    this.#cancelling.add(key);
    try {
      await store.settle(key, "failed", CANCELLED);
    } catch (error) {
      lane?.rewind(key);
      throw error;
    } finally {
      this.#cancelling.delete(key);
    }
    onState(message, "failed", CANCELLED);
  }

  /** Resolves when everything has arrived that can without somebody coming who is away. */
  async idle(): Promise<void> {
    if (!this.#isBusy()) return;
    this.#idle ??= Promise.withResolvers<void>();
    await this.#idle.promise;
  }

  /** Sends nothing any more; what has not arrived stays in the store. */
  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#cancelExpiry();
    for (const lane of this.#lanes.values()) lane.close();
    this.#idle?.resolve();
  }

  #lane(recipient: Recipient): Lane {
    const name = recipientKey(recipient);
    let lane = this.#lanes.get(name);
    if (lane !== undefined) return lane;
    const { clock, random, store, carrier, onState } = this.#options;
    const isPlain = recipient.id === undefined;
    lane = new Lane({
      clock,
      random,
      carrier: carrier(recipient),
      pending: (after, limit) => store.pending(recipient, after, limit),
      isHeld: (key) => this.#cancelling.has(key),
      // What waits for a connection of version 1 is not sent until the network has taken it.
      onSent: (message) => isPlain || onState(message, "sent"),
      onArrived: (message) => this.#settle(message, isPlain ? "sent" : "delivered"),
      onRefused: (message, reason) => this.#settle(message, "failed", reason),
      onReturned: (message, reason) => onState(message, "pending", reason),
      onQuiet: () => this.#onQuiet(name),
    });
    this.#lanes.set(name, lane);
    return lane;
  }

  #onQuiet(name: string): void {
    const lane = this.#lanes.get(name);
    if (lane?.isEmpty) {
      this.#waiting.delete(name);
      if (this.#lanes.size > MAX_IDLE_LANES) this.#lanes.delete(name);
    }
    if (this.#idle === undefined || this.#isBusy()) return;
    this.#idle.resolve();
    this.#idle = undefined;
  }

  #isBusy(): boolean {
    return this.#lanes.values().some((lane) => lane.isBusy);
  }

  /** Records what became of a message; a disk that is full only delays that. */
  async #settle(message: StoredMessage, state: FinalState, reason?: string): Promise<void> {
    const { clock, log, store, onState } = this.#options;
    while (true) {
      try {
        await store.settle(message.key, state, reason);
        return onState(message, state, reason);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        log.warn(`Cannot record that a message is ${state}, trying again: ${messageOf(error)}`);
        await clock.sleep(STORE_RETRY_MS, this.#stop.signal).catch(() => {});
      }
    }
  }

  async #expire(): Promise<void> {
    const { clock, log, store, expireDays, onState } = this.#options;
    if (expireDays === Infinity) return;
    const reason = `nobody took it within ${expireDays} days`;
    try {
      const expired = await store.expire(clock.now() - expireDays * DAY_MS, reason);
      for (const message of expired) onState(message, "failed", reason);
    } catch (error) {
      log.warn(`Cannot give up old messages: ${messageOf(error)}`);
    }
    if (this.#stop.signal.aborted) return;
    this.#cancelExpiry = clock.after(EXPIRY_INTERVAL_MS, () => void this.#expire());
  }

  /** Gives up what was on its way to a version 1 peer when the program ended. */
  async #abandon(recipient: Recipient): Promise<void> {
    const { store } = this.#options;
    for (let after = 0;;) {
      const page = store.pending(recipient, after, PAGE);
      await Promise.all(page.map((message) => this.#settle(message, "failed", ABANDONED)));
      if (page.length < PAGE) return;
      after = page.at(-1)!.key;
    }
  }
}
