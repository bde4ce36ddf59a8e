import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { InvalidInputError, messageOf } from "../errors.ts";
import type { ContactName } from "../store/contacts.ts";
import type { OutgoingMessage, StoredMessage } from "../store/message.ts";
import type { Store } from "../store/store.ts";
import type { MessageId } from "../wire/message_id.ts";
import type { Carrier } from "./carrier.ts";
import { contactKey, type DeliveryState, type Outgoing } from "./delivery.ts";
import { Lane } from "./lane.ts";

/** How often messages that have waited too long are looked for, in milliseconds. */
const EXPIRY_INTERVAL_MS = 3600_000;
const DAY_MS = 86_400_000;
/** A state that could not be stored is tried again after this long, in milliseconds. */
const STORE_RETRY_MS = 5000;
/** Messages that are read from the store at once. */
const PAGE = 512;
/** Lanes that are kept for the next message. */
const MAX_IDLE_LANES = 1000;
const ABANDONED = "the program ended before it was sent; it cannot be told whether it arrived";

type FinalState = Exclude<DeliveryState, "pending">;

/** What the outbox needs of the store. */
export type OutboxStore = Pick<
  Store["outbox"],
  | "enqueue"
  | "pending"
  | "contactsWithPending"
  | "find"
  | "delivered"
  | "sent"
  | "failed"
  | "cancel"
  | "expire"
>;

/** What {@linkcode Outbox} works with, and whom it tells. */
export interface OutboxOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: OutboxStore;
  /** How messages get to a recipient. */
  readonly carrier: (contact: ContactName) => Carrier;
  /** Resolves when more news is welcome; `undefined` when it is now. */
  readonly ready: () => Promise<void> | undefined;
  /** Whether messages to version 1 peers, too, wait for them. */
  readonly queuePlain: boolean;
  /** After this many days a message is given up; Infinity for never. */
  readonly expireDays: number;
  /** Messages wait for somebody who is announced and cannot be reached. */
  readonly onUnreachable: (contact: ContactName, reason: string) => void;
  /** A message has come further, or back to waiting. */
  readonly onState: (message: Outgoing, state: DeliveryState, reason?: string) => void;
}

/**
 * Messages on their way: stored before anything else, handed over in order while the recipient is
 * there, and kept until it has stored them, however often either side or the network breaks.
 */
export class Outbox implements Disposable {
  readonly #options: OutboxOptions;
  readonly #lanes = new Map<string, Lane>();
  /** Everybody for whom messages wait in the store. */
  readonly #waiting = new Map<string, ContactName>();
  readonly #cancelling = new Set<number>();
  #idle: PromiseWithResolvers<void> | undefined;
  /** Whether the log says already that states cannot be stored. */
  #isLogged = false;
  /** Whom the last message was for. */
  #latest: Lane | undefined;
  #cancelExpiry: () => void = () => {};
  readonly #stop = new AbortController();

  private constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Opens the outbox with what earlier runs have left in it. */
  static async open(options: OutboxOptions): Promise<Outbox> {
    const outbox = new Outbox(options);
    await outbox.#expire();
    try {
      outbox.#readContacts();
    } catch (error) {
      // Whoever has nothing to lose can still write and read new messages.
      options.log.error(`Cannot read what waits to be sent: ${messageOf(error)}`);
    }
    return outbox;
  }

  #readContacts(): void {
    const { store, queuePlain } = this.#options;
    for (let after: number | undefined = 0; after !== undefined;) {
      const contacts = store.contactsWithPending(after);
      for (const contact of contacts) {
        if (contact.id === undefined && !queuePlain) void this.#abandon(contact);
        else this.#waiting.set(contactKey(contact), contact);
      }
      after = contacts.at(-1)?.key;
    }
  }

  /**
   * Accepts a message.
   *
   * @param onStored Called with its key before anything is told about it.
   * @returns Its state once it is on disk: `sent` where it left at once, else `pending`.
   * @throws {StoreError} When it cannot be stored; then it is not sent either.
   */
  async send(
    message: Omit<OutgoingMessage, "state">,
    onStored: (key: number) => void = () => {},
  ): Promise<DeliveryState> {
    const { store, onState } = this.#options;
    const key = await store.enqueue({ ...message, state: "pending" });
    onStored(key);
    const { id, contact, content, timestamp } = message;
    const outgoing = { key, id, contact, content, timestamp };
    this.#waiting.set(contactKey(contact), contact);
    if (!this.#stop.signal.aborted) {
      this.#latest = this.#lane(contact);
      if (this.#latest.add(outgoing)) return contact.id === undefined ? "pending" : "sent";
    }
    onState(outgoing, "pending");
    return "pending";
  }

  /** See {@linkcode Lane.pace}, of the recipient of the last message. */
  pace(): Promise<void> | undefined {
    return this.#latest?.pace();
  }

  /** A recipient has come, or there is a session with it. */
  wake(contact: ContactName): void {
    if (this.#stop.signal.aborted || !this.#waiting.has(contactKey(contact))) return;
    this.#lane(contact).hurry();
  }

  /** What may go to whom has changed: the user has decided something. */
  wakeAll(): void {
    for (const contact of this.#waiting.values()) this.wake(contact);
  }

  /** Whether nothing for a contact is on its way or waits. */
  isClear(contact: ContactName): boolean {
    const key = contactKey(contact);
    return !this.#waiting.has(key) && (this.#lanes.get(key)?.isEmpty ?? true);
  }

  /**
   * Takes a message back that still waits.
   *
   * @throws {InvalidInputError} When there is no such message, or it is not waiting any more.
   */
  async cancel(id: MessageId): Promise<void> {
    const { store, onState } = this.#options;
    const message = store.find(id);
    const lane = message && this.#lanes.get(contactKey(message.contact));
    if (message === undefined || lane?.has(message.key)) {
      const why = message === undefined ? "there is no such message" : "it is on its way already";
      throw new InvalidInputError(`Cannot cancel ${id}: ${why}; /outbox shows what waits`);
    }
    const { key } = message;
    this.#cancelling.add(key);
    lane?.reread();
    let state: DeliveryState | undefined;
    try {
      state = await store.cancel(id);
    } catch (error) {
      lane?.rewind(key);
      throw error;
    } finally {
      this.#cancelling.delete(key);
    }
    if (state !== "pending") {
      throw new InvalidInputError(`Cannot cancel ${id}: it is ${state} already`);
    }
    onState(outgoing(message), "failed", "cancelled");
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

  #lane(contact: ContactName): Lane {
    const name = contactKey(contact);
    let lane = this.#lanes.get(name);
    if (lane !== undefined) return lane;
    const { clock, random, store, carrier, ready, onState } = this.#options;
    const isPlain = contact.id === undefined;
    lane = new Lane({
      clock,
      random,
      carrier: carrier(contact),
      pending: (after, limit) => store.pending(contact, { after, limit }).map(outgoing),
      ready,
      isHeld: ({ key }) => this.#cancelling.has(key),
      // What waits for a connection of version 1 is not sent until the network has taken it.
      onSent: (message) => isPlain || onState(message, "sent"),
      onArrived: (messages) => this.#settle(messages, isPlain ? "sent" : "delivered"),
      onRefused: (message, reason) => this.#settle([message], "failed", reason),
      onReturned: (message, reason) => onState(message, "pending", reason),
      onUnreachable: (reason) => {
        if (!this.#stop.signal.aborted) this.#options.onUnreachable(contact, reason);
      },
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

  /** Records what became of messages to one recipient; a disk that is full only delays that. */
  async #settle(messages: readonly Outgoing[], state: FinalState, reason = ""): Promise<void> {
    const { clock, log, onState } = this.#options;
    while (true) {
      try {
        await this.#record(messages, state, reason);
        this.#isLogged = false;
        for (const message of messages) onState(message, state, reason || undefined);
        return;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (!this.#isLogged) {
          this.#isLogged = true; // once for all messages that wait for the disk
          log.warn(`Cannot record that a message is ${state}, trying again: ${messageOf(error)}`);
        }
        await clock.sleep(STORE_RETRY_MS, this.#stop.signal).catch(() => {});
      }
    }
  }

  async #record(
    messages: readonly Outgoing[],
    state: FinalState,
    reason: string,
  ): Promise<void> {
    const { store } = this.#options;
    const writing: Promise<unknown>[] = [];
    if (state === "delivered") {
      for (let at = 0; at < messages.length; at += PAGE) {
        const ids = messages.slice(at, at + PAGE).map(({ id }) => id);
        writing.push(store.delivered(messages[0].contact, ids));
      }
    } else {
      for (const { id } of messages) {
        writing.push(state === "sent" ? store.sent(id) : store.failed(id, reason));
      }
    }
    await Promise.all(writing);
  }

  async #expire(): Promise<void> {
    const { clock, log, store, expireDays, ready, onState } = this.#options;
    if (expireDays === Infinity) return;
    const reason = `nobody took it within ${expireDays} ${expireDays === 1 ? "day" : "days"}`;
    try {
      while (true) {
        const expired = await store.expire(clock.now() - expireDays * DAY_MS, reason);
        for (const message of expired) onState(outgoing(message), "failed", reason);
        if (expired.length === 0) break;
        await ready();
      }
    } catch (error) {
      log.warn(`Cannot give up old messages: ${messageOf(error)}`);
    }
    if (this.#stop.signal.aborted) return;
    this.#cancelExpiry = clock.after(EXPIRY_INTERVAL_MS, () => void this.#expire());
  }

  /** Gives up what was on its way to a version 1 peer when the program ended. */
  async #abandon(contact: ContactName): Promise<void> {
    const { log, store, ready } = this.#options;
    try {
      for (let after: number | undefined = 0; after !== undefined;) {
        const page = store.pending(contact, { after, limit: PAGE });
        await this.#settle(page.map(outgoing), "failed", ABANDONED);
        after = page.at(-1)?.key;
        await ready();
      }
    } catch (error) {
      log.error(`Cannot give up what was on its way: ${messageOf(error)}`);
    }
  }
}

/** Whatever was sent has an id. */
function outgoing({ key, id, contact, content, timestamp }: StoredMessage): Outgoing {
  return { key, id: id!, contact, content, timestamp };
}
