import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { orAborted } from "../base/or_aborted.ts";
import type { Random } from "../base/random.ts";
import { InvalidInputError, messageOf } from "../errors.ts";
import type { ContactName } from "../store/contacts.ts";
import type { OutgoingMessage, StoredMessage } from "../store/message.ts";
import type { Store } from "../store/store.ts";
import type { MessageId } from "../wire/message_id.ts";
import type { Carrier } from "./carrier.ts";
import { contactKey, type DeliveryState, type Outgoing } from "./delivery.ts";
import { Expiry } from "./expiry.ts";
import { Lane } from "./lane.ts";
import { Settlement } from "./settlement.ts";

/** Messages that are read from the store at once. */
const PAGE = 512;
/** News of one message that are told when the disk has it; of more the last, and those before. */
const MAX_UNTOLD = 8;
/** Lanes that are kept for the next message. */
const MAX_IDLE_LANES = 1000;
const ABANDONED =
  "messages to version 1 peers do not wait for the next start; it cannot be told whether it " +
  "arrived";

/** What the outbox needs of the store. */
export type OutboxStore = Pick<
  Store["outbox"],
  | "lastKey"
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

/** News of a message, for the user. */
type News = Parameters<OutboxOptions["onState"]>;

/**
 * Messages on their way: stored before anything else, handed over in order while the recipient is
 * there, and kept until it has stored them, however often either side or the network breaks.
 *
 * A message leaves when it is committed, so that the disk and the network are waited for at the same
 * time; the user is told of it when it is on the disk.
 */
export class Outbox implements Disposable {
  readonly #options: OutboxOptions;
  readonly #lanes = new Map<string, Lane>();
  /** Everybody for whom messages wait in the store. */
  readonly #waiting = new Map<string, ContactName>();
  /** For whom earlier runs have left some. */
  readonly #left = new Set<string>();
  readonly #cancelling = new Set<number>();
  /** News of what is not on the disk yet. */
  readonly #untold = new Map<MessageId, News[]>();
  #idle: PromiseWithResolvers<void> | undefined;
  /** Whom the last message was for. */
  #latest: Lane | undefined;
  readonly #stop = new AbortController();
  readonly #settlement: Settlement;
  readonly #expiry: Expiry;
  /** The last message of earlier runs, or something that came then. */
  readonly #lastKey: number;

  private constructor(options: OutboxOptions) {
    this.#options = options;
    this.#lastKey = options.store.lastKey;
    const onState = (...news: News) => this.#tell(...news);
    this.#settlement = new Settlement({ ...options, onState, signal: this.#stop.signal });
    this.#expiry = new Expiry({
      ...options,
      isOnItsWay: (key) => this.#lanes.values().some((lane) => lane.holds(key)),
      onExpired: (message, reason) => onState(outgoing(message), "failed", reason),
      onDone: (recipients) => {
        for (const name of recipients) this.#lanes.get(name)?.lookAgain();
      },
    });
  }

  /** Opens the outbox with what earlier runs have left in it. */
  static open(options: OutboxOptions): Outbox {
    const outbox = new Outbox(options);
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
        else {
          this.#waiting.set(contactKey(contact), contact);
          this.#left.add(contactKey(contact));
        }
      }
      after = contacts.at(-1)?.key;
    }
  }

  /**
   * Accepts a message.
   *
   * @param onCommitted Called with its key before anything is told about it.
   * @returns Its state once it is on the disk: `sent` where it left at once, else `pending`, or what
   *   became of it meanwhile.
   * @throws {StoreError} When it cannot be stored; then it is not sent either, unless it was
   *   committed.
   */
  async send(
    message: Omit<OutgoingMessage, "state">,
    onCommitted: (key: number) => void = () => {},
  ): Promise<DeliveryState> {
    const { id } = message;
    const news: News[] = [];
    let state: DeliveryState = "pending";
    // Before it is stored: it may leave together with one that was stored at the same time.
    this.#untold.set(id, news);
    try {
      await this.#options.store.enqueue({ ...message, state }, (key) => {
        onCommitted(key);
        state = this.#dispatch({ ...message, key });
      });
    } finally {
      this.#untold.delete(id);
    }
    for (const item of news) {
      [, state] = item;
      this.#options.onState(...item);
    }
    return state;
  }

  /** @returns `sent` where it left at once. */
  #dispatch(message: Outgoing): DeliveryState {
    const { contact } = message;
    this.#waiting.set(contactKey(contact), contact);
    if (!this.#stop.signal.aborted) {
      this.#latest = this.#lane(contact);
      if (this.#latest.add(message)) return contact.id === undefined ? "pending" : "sent";
    }
    this.#tell(message, "pending");
    return "pending";
  }

  #tell(...news: News): void {
    const untold = this.#untold.get(news[0].id);
    if (untold === undefined) this.#options.onState(...news);
    else untold[Math.min(untold.length, MAX_UNTOLD - 1)] = news;
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
    const { store } = this.#options;
    const message = store.find(id);
    const lane = () => message && this.#lanes.get(contactKey(message.contact));
    if (message === undefined || lane()?.has(message.key)) {
      const why = message === undefined ? "there is no such message" : "it is on its way already";
      throw new InvalidInputError(`Cannot cancel ${id}: ${why}; /outbox shows what waits`);
    }
    const { key } = message;
    this.#cancelling.add(key);
    lane()?.reread();
    let state: DeliveryState | undefined;
    try {
      state = await store.cancel(id);
    } finally {
      this.#cancelling.delete(key);
      // It was passed over meanwhile, perhaps by a lane that there was none of before.
      lane()?.rewind(key);
    }
    if (state !== "pending") {
      throw new InvalidInputError(`Cannot cancel ${id}: it is ${state} already`);
    }
    this.#tell(outgoing(message), "failed", "cancelled");
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
    this.#expiry[Symbol.dispose]();
    for (const lane of this.#lanes.values()) lane.close();
    this.#idle?.resolve();
  }

  #lane(contact: ContactName): Lane {
    const name = contactKey(contact);
    let lane = this.#lanes.get(name);
    if (lane !== undefined) return lane;
    const { clock, random, store, queuePlain, carrier } = this.#options;
    const isPlain = contact.id === undefined;
    lane = new Lane({
      clock,
      random,
      carrier: carrier(contact),
      after: isPlain && !queuePlain ? this.#lastKey : 0,
      pending: (after, limit) => store.pending(contact, { after, limit }).map(outgoing),
      ready: () => this.#ready(name),
      isHeld: ({ key }) => this.#cancelling.has(key),
      // What waits for a connection of version 1 is not sent until the network has taken it.
      onSent: (message) => isPlain || this.#tell(message, "sent"),
      onArrived: (messages) => this.#settlement.arrived(messages, isPlain ? "sent" : "delivered"),
      onRefused: (message, reason) => this.#settlement.refused(message, reason),
      onReturned: (message, reason) => this.#tell(message, "pending", reason),
      onUnreachable: (reason) => {
        if (!this.#stop.signal.aborted) this.#options.onUnreachable(contact, reason);
      },
      onQuiet: () => this.#onQuiet(name),
    });
    this.#lanes.set(name, lane);
    return lane;
  }

  /** Resolves when messages to a recipient may be handed over; `undefined` when they may now. */
  #ready(name: string): Promise<void> | undefined {
    const { ready } = this.#options;
    const { first } = this.#expiry;
    // What an earlier run has left may be too old to be sent.
    if (first === undefined || !this.#left.has(name)) return ready();
    return first.then(() => ready());
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

  /** Gives up what was on its way to a version 1 peer when the program ended. */
  async #abandon(contact: ContactName): Promise<void> {
    const { log, store, ready } = this.#options;
    const { signal } = this.#stop;
    try {
      for (let after = 0; after < this.#lastKey && !signal.aborted;) {
        const page = store.pending(contact, { after, limit: PAGE });
        if (page.length === 0) break;
        after = page.at(-1)!.key;
        const left = page.filter(({ key }) => key <= this.#lastKey);
        await this.#settlement.abandoned(left.map(outgoing), ABANDONED);
        const room = ready();
        if (room !== undefined) await orAborted(room, signal);
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
