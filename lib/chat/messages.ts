import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { InvalidInputError, messageOf, ParlanceError } from "../errors.ts";
import type { Contact, ContactName } from "../store/contacts.ts";
import type { ReceivedMessage, StoredMessage, TrustMark } from "../store/message.ts";
import type { SearchHit } from "../store/search.ts";
import type { Store } from "../store/store.ts";
import { StoreError } from "../store/store_error.ts";
import { type MessageId, MessageIdSource, parseMessageId } from "../wire/message_id.ts";
import { type Arrival, Arrivals, leaveLeft, showLeft } from "./arrivals.ts";
import type { Carrier } from "./carrier.ts";
import { conversationsWith, readConversation, searchConversations } from "./conversations.ts";
import { contactKey, type DeliveryState, type Outgoing } from "./delivery.ts";
import { DiskTrouble } from "./disk_trouble.ts";
import { HistoryLimits } from "./history_limits.ts";
import { Inbox, type Show } from "./inbox.ts";
import { Outbox } from "./outbox.ts";

/** Characters of an id's end that are enough to name a message that waits. */
const MIN_SUFFIX = 4;
/** Messages on their way whose tags are remembered, by their keys. */
const MAX_TAGS = 100_000;
/** Messages that wait are shown in pages of this size. */
const PAGE = 1000;

/** What the user has set about the history and the outbox. */
export interface MessageSettings {
  /** Messages older than this go; Infinity keeps all. */
  readonly keepDays: number;
  /** The history takes no more than about this much of the disk; Infinity keeps all. */
  readonly maxMegabytes: number;
  /** After this many days a message that nobody has taken is given up. */
  readonly expireDays: number;
  /** Whether messages to version 1 peers wait for them, too. */
  readonly queuePlain: boolean;
}

/** Whom a message goes to, as the user named it. */
export interface Destination {
  readonly contact: ContactName;
  /** What to call it on the screen. */
  readonly label: string;
  readonly trust: TrustMark;
}

/** A message that was accepted. */
export interface SentMessage {
  readonly messageId: MessageId;
  readonly to: Destination;
  /** `sent` where it has left already, else `pending`. */
  readonly state: DeliveryState;
}

/** What {@linkcode Messages} works with, and whom it tells. */
export interface MessagesOptions extends MessageSettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Belongs to the caller, who closes it afterwards. */
  readonly store: Store;
  /** `false` where the store ends with the program: then nothing that comes is acknowledged. */
  readonly isDurable?: boolean;
  /** `false` where nobody sees what an earlier run has left: then a later run shows it. */
  readonly showsLeft?: boolean;
  /** Whom a target stands for; throws where it may not be sent to. */
  readonly resolve: (target: string, messageId: MessageId) => Destination;
  readonly carrier: (contact: ContactName) => Carrier;
  /** Whether somebody is announced, so that a message need not wait for long. */
  readonly isHere: (contact: ContactName) => boolean;
  /** The contacts whose history a target stands for, among those that have the name. */
  readonly meant: (target: string, named: readonly Contact[]) => readonly ContactName[];
  /** Resolves when more news is welcome; `undefined` when it is now. */
  readonly ready: () => Promise<void> | undefined;
  readonly onState: (
    message: Outgoing,
    state: DeliveryState,
    reason: string | undefined,
    tag: unknown,
  ) => void;
  /** A message was not accepted after all. */
  readonly onRejected: (messageId: MessageId) => void;
  readonly onProblem: (message: string) => void;
  /** An earlier run has received a message and may not have shown it; see {@linkcode showLeft}. */
  readonly onLeft: (message: StoredMessage, arrival: Arrival) => boolean;
}

/** Everything that the user has sent and received: what waits, what arrives, and what was said. */
export class Messages implements Disposable {
  readonly #options: MessagesOptions;
  readonly #ids: MessageIdSource;
  readonly #inbox: Inbox;
  readonly #arrivals: Arrivals;
  readonly #outbox: Outbox;
  #limits: HistoryLimits | undefined;
  readonly #tags: Map<number, unknown>;
  readonly #stop = new AbortController();
  readonly #trouble: DiskTrouble;
  /** Messages on their way that could not be stored; a session's limits bound them. */
  readonly #unstored = new Set<Promise<void>>();

  private constructor(
    options: MessagesOptions,
    outbox: Outbox,
    tags: Map<number, unknown>,
  ) {
    const { clock, random, store, isDurable = true, onProblem } = options;
    this.#options = options;
    this.#tags = tags;
    this.#ids = new MessageIdSource(clock, random);
    this.#trouble = new DiskTrouble(onProblem);
    this.#arrivals = new Arrivals((key) => store.inbox.shownTo(key));
    this.#inbox = new Inbox({
      clock,
      store: store.inbox,
      isDurable,
      trouble: this.#trouble,
      arrivals: this.#arrivals,
    });
    this.#outbox = outbox;
    store.watchDisk((failure) => {
      if (failure === undefined) return;
      onProblem(
        `${failure.message}. Until that works again messages are shown, and sent to who is there, ` +
          "but not confirmed; a power cut would take them",
      );
    });
  }

  /** Opens what earlier runs have left. */
  static open(options: MessagesOptions): Messages {
    const tags = new Map<number, unknown>();
    const outbox = Outbox.open({
      ...options,
      onUnreachable: ({ nickname }, reason) =>
        options.onProblem(`What waits for ${JSON.stringify(nickname)} is tried again: ${reason}`),
      store: options.store.outbox,
      onState: (message, state, reason) => {
        const { key, contact } = message;
        options.onState(message, state, reason, tags.get(key));
        if (isLast(state, contact)) tags.delete(key);
      },
    });
    const messages = new Messages(options, outbox, tags);
    void messages.#showLeft();
    return messages;
  }

  /**
   * Accepts a message for sending, now or when its recipient is there.
   *
   * @param tag Comes back with the news of the message, as long as the program runs.
   * @returns Once it is on disk.
   * @throws {ParlanceError} When it is clear already that it cannot go.
   */
  async send(target: string, content: string, tag?: unknown): Promise<SentMessage> {
    const messageId = this.#ids.next();
    const to = this.#options.resolve(target, messageId);
    const { contact, trust } = to;
    this.#requireKeeping(messageId, to);
    const timestamp = Math.max(0, Math.floor(this.#options.clock.now() / 1000));
    const encrypted = contact.id !== undefined;
    const message = { id: messageId, contact, content, timestamp, encrypted, trust };
    let isCommitted = false;
    const onCommitted = (key: number) => {
      isCommitted = true;
      if (tag === undefined) return;
      this.#tags.set(key, tag);
      // What waits for somebody who is away must not take the place of what is on its way.
      if (this.#tags.size > MAX_TAGS) this.#tags.delete(this.#tags.keys().next().value!);
    };
    try {
      const state = await this.#outbox.send(message, onCommitted);
      this.#trouble.worked(`to ${contactKey(contact)}`);
      return { messageId, to, state };
    } catch (error) {
      const carrier = this.#options.carrier(contact);
      const outgoing = { ...message, key: 0 };
      const isUnstored = error instanceof StoreError && !isCommitted;
      if (!isUnstored || !await this.#canGo(carrier, outgoing)) {
        this.#options.onRejected(messageId);
        throw error;
      }
      // Who is there can be told all the same; only nothing of it is kept.
      this.#trouble.failed(`to ${contactKey(contact)}`, error.message);
      const sending = this.#sendUnstored(carrier, outgoing, tag)
        .finally(() => this.#unstored.delete(sending));
      this.#unstored.add(sending);
      return { messageId, to, state: "sent" };
    }
  }

  /** Whether a message can go to who is there without being stored. */
  async #canGo(carrier: Carrier, message: Outgoing): Promise<boolean> {
    // Nothing may overtake what waits.
    const mayGo = () =>
      this.#outbox.isClear(message.contact) && carrier.admits?.(message) !== false;
    if (!mayGo()) return false;
    if (!carrier.isOpen() && carrier.isReachable()) {
      // Where that fails, too, the disk is what the user can do something about.
      await carrier.open().catch(() => {});
    }
    return carrier.isOpen() && mayGo();
  }

  /** What would be lost with the program must not look as if it were kept. */
  #requireKeeping(messageId: MessageId, { contact, label }: Destination): void {
    const { isDurable = true, carrier, isHere, onRejected } = this.#options;
    if (isDurable || isHere(contact) || carrier(contact).isOpen()) return;
    onRejected(messageId);
    throw new StoreError(
      "other",
      `Cannot keep a message for ${JSON.stringify(label)}, who is away: the history could not be ` +
        "opened when the program started; mend that and start again",
    );
  }

  /**
   * For whoever sends much: resolves when the recipient of the last message has caught up with what
   * was written, or after a tenth of a second; `undefined` when more is welcome now.
   */
  pace(): Promise<void> | undefined {
    return this.#outbox.pace();
  }

  /**
   * A message has come.
   *
   * @param show Called once if it is new; what it is given goes to {@linkcode shown}.
   * @param taken Called when it is stored, and may be acknowledged.
   * @returns Whether it is taken at all.
   */
  receive(message: ReceivedMessage, show: Show, taken: () => void = () => {}): boolean {
    return this.#inbox.take(message, show, taken);
  }

  /** The user has seen a message: the next run need not show it. */
  shown(arrival: Arrival): void {
    this.#arrivals.shown(arrival);
  }

  /** Receives and acknowledges nothing any more: before nobody is there to show it to. */
  endIntake(): void {
    this.#inbox[Symbol.dispose]();
  }

  /** Somebody has come, or there is a session with it: what waits for it goes out. */
  wake(contact: ContactName): void {
    this.#outbox.wake(contact);
  }

  /** The user has decided something about others: what may go now goes. */
  wakeAll(): void {
    this.#outbox.wakeAll();
  }

  /** Resolves when more may come in; `undefined` when it may now. */
  ready(): Promise<void> | undefined {
    return this.#inbox.ready();
  }

  /** Resolves when everything has arrived that can without somebody coming who is away. */
  async idle(): Promise<void> {
    await Promise.all([this.#outbox.idle(), ...this.#unstored]);
  }

  /** See {@linkcode readConversation}. */
  history(target: string | undefined, count: number): StoredMessage[] {
    return readConversation(this.#options, target, count);
  }

  /** Whether a message that is kept needs no `message` event any more: the user has seen it. */
  isShown({ key, state }: StoredMessage): boolean {
    return state !== undefined || key <= this.#options.store.inbox.lastShown;
  }

  /** See {@linkcode searchConversations}. */
  search(query: string, limit: number, signal?: AbortSignal): Promise<SearchHit[]> {
    return searchConversations(this.#options, query, limit, signal);
  }

  /** Messages that wait, in the order in which they were written; at most 1,000. */
  pending(): StoredMessage[] {
    return this.#options.store.outbox.list("pending", { limit: PAGE });
  }

  /** How many messages wait. */
  get pendingCount(): number {
    return this.#options.store.outbox.pendingCount();
  }

  /**
   * Takes a message back that waits.
   *
   * @param text Its id, or enough of the end of it.
   * @throws {InvalidInputError} When no message, or more than one, is meant, or it has left.
   */
  async cancel(text: string): Promise<MessageId> {
    const id = this.#pendingId(text);
    await this.#outbox.cancel(id);
    return id;
  }

  /**
   * Deletes what was said with somebody, or everything, for good. What waits is still delivered.
   *
   * @returns How many messages were deleted.
   */
  async clear(target: string | undefined): Promise<number> {
    const { store, isDurable = true } = this.#options;
    if (!isDurable) {
      throw new ParlanceError(
        "Cannot clear the history: it could not be opened when the program started; mend that and " +
          "start again",
      );
    }
    const { signal } = this.#stop;
    if (target === undefined) return await store.clear(undefined, signal);
    let count = 0;
    for (const contact of conversationsWith(this.#options, target, "clear")) {
      count += await store.clear(contact, signal);
    }
    return count;
  }

  /** Sends and acknowledges nothing any more. */
  [Symbol.dispose](): void {
    this.#stop.abort(new Error("the program ends"));
    this.#limits?.[Symbol.dispose]();
    this.#outbox[Symbol.dispose]();
    this.#inbox[Symbol.dispose]();
  }

  #pendingId(text: string): MessageId {
    const parsed = parseMessageId(text);
    if (parsed.ok) return parsed.value;
    const suffix = text.toLowerCase();
    const isSuffix = /^[0-9a-f-]+$/.test(suffix) && suffix.length >= MIN_SUFFIX;
    const found = isSuffix ? this.#options.store.outbox.pendingEndingWith(suffix) : [];
    if (found.length === 1) return found[0].id!;
    throw new InvalidInputError(
      `Cannot cancel ${JSON.stringify(text)}: ${found.length === 0 ? "no" : "more than one"} ` +
        "message that waits has an id with this end; /outbox shows the ids",
    );
  }

  async #sendUnstored(carrier: Carrier, message: Outgoing, tag: unknown): Promise<void> {
    const { onState } = this.#options;
    try {
      const arrival = carrier.send(message);
      if (message.contact.id === undefined) {
        await arrival;
        return onState(message, "sent", undefined, tag);
      }
      onState(message, "sent", undefined, tag);
      await arrival;
      onState(message, "delivered", undefined, tag);
    } catch (error) {
      onState(message, "failed", messageOf(error), tag);
    }
  }

  /** Shows what an earlier run has left, before anything new. */
  async #showLeft(): Promise<void> {
    const { store, ready, showsLeft = true, onLeft, onProblem } = this.#options;
    const unshown = (after: number) => store.inbox.unshown(after);
    try {
      if (showsLeft) await showLeft(this.#arrivals, unshown, onLeft, ready);
      else leaveLeft(this.#arrivals, unshown);
    } catch (error) {
      onProblem(`Cannot show all that came before the last end: ${messageOf(error)}`);
    }
    this.#inbox.open();
    // Only now, when what an earlier run has left may have been shown and need not be spared.
    if (!this.#stop.signal.aborted) this.#limits = new HistoryLimits(this.#options);
  }
}

/** Whether nothing more will be known of a message. */
export function isLast(state: DeliveryState, { id }: ContactName): boolean {
  return state === "delivered" || state === "failed" || (state === "sent" && id === undefined);
}
