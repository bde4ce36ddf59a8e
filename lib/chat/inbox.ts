import type { Clock } from "../base/clock.ts";
import { messageOf } from "../errors.ts";
import type { ReceivedMessage } from "../store/message.ts";
import type { Reception } from "../store/inbox.ts";
import type { Store } from "../store/store.ts";
import type { MessageId } from "../wire/message_id.ts";
import { Arrival, type Arrivals } from "./arrivals.ts";
import { contactKey } from "./delivery.ts";
import type { DiskTrouble } from "./disk_trouble.ts";

/** What could not be stored is tried again after this long, in milliseconds. */
const STORE_RETRY_MS = 5000;
/** Messages of one sender, and UTF-16 units of them, that are stored together. */
const MAX_BATCH = 1000;
const MAX_BATCH_LENGTH = 1024 * 1024;
/** From here on senders are made to wait for the disk that takes their messages… */
const HIGH_COUNT = 5000;
const HIGH_LENGTH = 4 * 1024 * 1024;
/**
 * …but nobody for those whose messages it does not take. One of these has room for what a sender
 * hands over without an acknowledgement, see `lane.ts`…
 */
const HELD_COUNT = 10_000;
const HELD_LENGTH = 4 * 1024 * 1024;
/** …all of them together for this… */
const ALL_HELD_COUNT = 40_000;
const ALL_HELD_LENGTH = 24 * 1024 * 1024;
/** …and this is the end for everybody: what more comes is not taken. */
const MAX_COUNT = 50_000;
const MAX_LENGTH = 32 * 1024 * 1024;

/** What the inbox needs of the store. */
export type InboxStore = Pick<Store["inbox"], "receiveAll">;

/** What {@linkcode Inbox} works with. */
export interface InboxOptions {
  readonly clock: Clock;
  readonly store: InboxStore;
  /** Whether what is stored outlives the program; only then is anything acknowledged. */
  readonly isDurable: boolean;
  /** Told whether storing works. */
  readonly trouble: DiskTrouble;
  /** Told what is stored. */
  readonly arrivals: Arrivals;
}

/** Shows a message; what it is given is to be told when the user has seen it. */
export type Show = (arrival: Arrival) => void;

/** A message that is not yet acknowledged. */
interface Entry {
  readonly message: ReceivedMessage;
  readonly show: Show;
  readonly arrival: Arrival;
  /** More than one where it has come again on another session. */
  readonly taken: (() => void)[];
  /** Whether it is on its way to the user. */
  isPassedOn: boolean;
}

/** How much of something there is. */
class Amount {
  count = 0;
  length = 0;

  add(count: number, length: number): void {
    this.count += count;
    this.length += length;
  }

  isAtLeast(count: number, length: number): boolean {
    return this.count >= count || this.length >= length;
  }
}

/** What one sender has sent, in order: an acknowledgement speaks for everything before it. */
class Queue {
  readonly entries: Entry[] = [];
  /** How many of them are committed, and wait for the disk. */
  committed = 0;
  readonly byId = new Map<MessageId, Entry>();
  readonly amount = new Amount();
  isStoring = false;
  /** Whether it waits for a disk that takes nothing of it. */
  isHeld = false;
  isScheduled = false;

  constructor(readonly sender: string) {}
}

/**
 * Messages that come in: stored before they are acknowledged, and shown once. While the disk takes
 * nothing they are shown all the same, and not acknowledged: their senders keep them.
 */
export class Inbox implements Disposable {
  readonly #options: InboxOptions;
  /** By sender: nobody waits for what another one has sent. */
  readonly #queues = new Map<string, Queue>();
  readonly #all = new Amount();
  /** What is in queues that are held. */
  readonly #held = new Amount();
  #room: PromiseWithResolvers<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  #isOpen = false;
  #closed = false;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Begins to store and to show; until then what comes waits, so that it comes behind the rest. */
  open(): void {
    this.#isOpen = true;
    for (const queue of this.#queues.values()) this.#schedule(queue);
    this.#makeRoom();
  }

  /**
   * Takes a message.
   *
   * @param show Called once if it is new, when it is committed, or when it turns out that it cannot be.
   * @param taken Called when it is on the disk, now or before: it may be acknowledged.
   * @returns Whether it was taken; not while too much waits for the disk.
   */
  take(message: ReceivedMessage, show: Show, taken: () => void): boolean {
    if (this.#closed) return false;
    const sender = contactKey(message.contact);
    const queue = this.#queues.get(sender) ?? new Queue(sender);
    if (this.#isFull(queue)) return false;
    const { id } = message;
    const again = id === undefined ? undefined : queue.byId.get(id);
    if (again !== undefined) {
      again.taken.push(taken);
      this.#count(queue, 1, 0); // it takes a place, too: one message can come any number of times
      return true;
    }
    this.#queues.set(sender, queue);
    const entry: Entry = {
      message,
      show,
      arrival: new Arrival(),
      taken: [taken],
      isPassedOn: false,
    };
    queue.entries.push(entry);
    if (id !== undefined) queue.byId.set(id, entry);
    this.#count(queue, 1, message.content.length);
    if (queue.isHeld) this.#show(entry);
    else this.#schedule(queue);
    return true;
  }

  /** Resolves when more is welcome; `undefined` when it is now. */
  ready(): Promise<void> | undefined {
    if (this.#closed || !this.#isHigh) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /**
   * Shows and acknowledges nothing any more: what is not stored yet comes again, and the next run
   * shows what is. Idempotent.
   */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#room?.resolve();
  }

  #isFull(queue: Queue): boolean {
    if (this.#all.isAtLeast(MAX_COUNT, MAX_LENGTH)) return true;
    return queue.isHeld && (queue.amount.isAtLeast(HELD_COUNT, HELD_LENGTH) ||
      this.#held.isAtLeast(ALL_HELD_COUNT, ALL_HELD_LENGTH));
  }

  get #isHigh(): boolean {
    const count = this.#all.count - this.#held.count;
    const length = this.#all.length - this.#held.length;
    return !this.#isOpen || count >= HIGH_COUNT || length >= HIGH_LENGTH;
  }

  #makeRoom(): void {
    if (this.#room === undefined || this.#isHigh) return;
    this.#room.resolve();
    this.#room = undefined;
  }

  #count(queue: Queue, count: number, length: number): void {
    this.#all.add(count, length);
    queue.amount.add(count, length);
    if (queue.isHeld) this.#held.add(count, length);
  }

  #hold(queue: Queue, isHeld: boolean): void {
    if (queue.isHeld === isHeld) return;
    queue.isHeld = isHeld;
    const { count, length } = queue.amount;
    if (isHeld) this.#held.add(count, length);
    else this.#held.add(-count, -length);
  }

  #schedule(queue: Queue): void {
    if (queue.isScheduled || queue.isStoring || !this.#isOpen || this.#closed) return;
    queue.isScheduled = true;
    // A later microtask: what was read together is stored together.
    queueMicrotask(() => {
      queue.isScheduled = false;
      void this.#store(queue);
    });
  }

  /** One batch behind the other: what comes later must not be kept where this one is not. */
  async #store(queue: Queue): Promise<void> {
    const batch = nextBatch(queue);
    if (batch.length === 0) return;
    queue.isStoring = true;
    let isCommitted = false;
    const onCommitted = (receptions: readonly Reception[]) => {
      isCommitted = true;
      this.#committed(queue, batch, receptions);
    };
    const [outcome] = await Promise.allSettled([
      this.#options.store.receiveAll(batch.map(({ message }) => message), onCommitted),
    ]);
    if (this.#closed) return;
    if (outcome.status === "fulfilled") this.#kept(queue, batch.length);
    else if (!isCommitted) this.#failed(queue, outcome.reason);
    this.#makeRoom();
  }

  /** Shows what is new, which the end of the program does not undo any more; the next batch follows. */
  #committed(queue: Queue, batch: readonly Entry[], receptions: readonly Reception[]): void {
    if (this.#closed) return;
    const { arrivals, trouble } = this.#options;
    queue.isStoring = false;
    queue.committed += batch.length;
    trouble.worked(`from ${queue.sender}`);
    this.#hold(queue, false);
    for (const [at, entry] of batch.entries()) {
      const reception = receptions[at];
      if (reception.kind !== "new") continue;
      arrivals.stored(entry.arrival, reception.key);
      this.#show(entry);
    }
    if (queue.committed < queue.entries.length) this.#schedule(queue);
  }

  #failed(queue: Queue, error: unknown): void {
    const { clock, trouble } = this.#options;
    trouble.failed(`from ${queue.sender}`, messageOf(error));
    queue.isStoring = false;
    this.#hold(queue, true);
    for (const entry of queue.entries.slice(queue.committed)) this.#show(entry);
    this.#cancelRetry ??= clock.after(STORE_RETRY_MS, () => this.#retry());
  }

  #retry(): void {
    this.#cancelRetry = undefined;
    for (const queue of this.#queues.values()) if (queue.isHeld) this.#schedule(queue);
  }

  #show(entry: Entry): void {
    if (entry.isPassedOn) return;
    entry.isPassedOn = true;
    entry.show(entry.arrival);
  }

  /** Acknowledges the first entries of a queue, which a power cut does not undo any more. */
  #kept(queue: Queue, count: number): void {
    queue.committed -= count;
    for (const { taken, message } of queue.entries.splice(0, count)) {
      this.#count(queue, -taken.length, -message.content.length);
      if (message.id !== undefined) queue.byId.delete(message.id);
      if (this.#options.isDurable) { for (const acknowledge of taken) acknowledge(); }
    }
    if (queue.entries.length === 0) this.#queues.delete(queue.sender);
  }
}

/** The first entries that are not committed yet. */
function nextBatch({ entries, committed }: Queue): Entry[] {
  const batch: Entry[] = [];
  let length = 0;
  for (let at = committed; at < entries.length; at++) {
    const entry = entries[at];
    length += entry.message.content.length;
    if (batch.length > 0 && (batch.length >= MAX_BATCH || length > MAX_BATCH_LENGTH)) break;
    batch.push(entry);
  }
  return batch;
}
