import type { Clock } from "../base/clock.ts";
import { messageOf } from "../errors.ts";
import type { ReceivedMessage } from "../store/message.ts";
import type { Store } from "../store/store.ts";
import type { MessageId } from "../wire/message_id.ts";
import { contactKey } from "./delivery.ts";
import type { DiskTrouble } from "./disk_trouble.ts";

/** What could not be stored is tried again after this long, in milliseconds. */
const STORE_RETRY_MS = 5000;
/** Messages of one sender, and UTF-16 units of them, that are stored together. */
const MAX_BATCH = 1000;
const MAX_BATCH_LENGTH = 1024 * 1024;
/** From here on senders are made to wait… */
const HIGH_COUNT = 5000;
const HIGH_LENGTH = 4 * 1024 * 1024;
/** …and this is the end: what more comes is not taken. */
const MAX_COUNT = 50_000;
const MAX_LENGTH = 32 * 1024 * 1024;

/** What the inbox needs of the store. */
export type InboxStore = Pick<Store["inbox"], "receive">;

/** What {@linkcode Inbox} works with. */
export interface InboxOptions {
  readonly clock: Clock;
  readonly store: InboxStore;
  /** Whether what is stored outlives the program; only then is anything acknowledged. */
  readonly isDurable: boolean;
  /** Told whether storing works. */
  readonly trouble: DiskTrouble;
}

/** A message that is not yet acknowledged. */
interface Entry {
  readonly message: ReceivedMessage;
  readonly show: () => void;
  /** More than one where it has come again on another session. */
  readonly taken: (() => void)[];
  state: "waiting" | "storing" | "stored";
  isShown: boolean;
}

/** What one sender has sent, in order: an acknowledgement speaks for everything before it. */
interface Queue {
  readonly entries: Entry[];
  readonly byId: Map<MessageId, Entry>;
  isStoring: boolean;
  /** Whether it waits for a disk that takes nothing. */
  isHeld: boolean;
  isScheduled: boolean;
}

/**
 * Messages that come in: stored before they are acknowledged, and shown once. While the disk takes
 * nothing they are shown all the same, and not acknowledged: their senders keep them.
 */
export class Inbox implements Disposable {
  readonly #options: InboxOptions;
  /** By sender: nobody waits for what another one has sent. */
  readonly #queues = new Map<string, Queue>();
  #count = 0;
  #length = 0;
  #room: PromiseWithResolvers<void> | undefined;
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
    const sender = contactKey(message.contact);
    const queue: Queue = this.#queues.get(sender) ??
      { entries: [], byId: new Map(), isStoring: false, isHeld: false, isScheduled: false };
    if (this.#count >= MAX_COUNT || this.#length >= MAX_LENGTH) return false;
    const { id } = message;
    const again = id === undefined ? undefined : queue.byId.get(id);
    if (again !== undefined) {
      again.taken.push(taken);
      this.#count++; // it takes a place, too: one message can come any number of times
      return true;
    }
    this.#queues.set(sender, queue);
    const entry: Entry = { message, show, taken: [taken], state: "waiting", isShown: false };
    queue.entries.push(entry);
    if (id !== undefined) queue.byId.set(id, entry);
    this.#count++;
    this.#length += message.content.length;
    if (queue.isHeld) this.#show(entry);
    else this.#schedule(sender, queue);
    return true;
  }

  /** Resolves when more is welcome; `undefined` when it is now. */
  ready(): Promise<void> | undefined {
    if (this.#closed || !this.#isHigh) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /** Acknowledges nothing any more: what is not stored yet comes again. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#room?.resolve();
  }

  get #isHigh(): boolean {
    return this.#count >= HIGH_COUNT || this.#length >= HIGH_LENGTH;
  }

  #schedule(sender: string, queue: Queue): void {
    if (queue.isScheduled || queue.isStoring || queue.isHeld || this.#closed) return;
    queue.isScheduled = true;
    // A later microtask: what was read together is stored together.
    queueMicrotask(() => {
      queue.isScheduled = false;
      void this.#store(sender, queue);
    });
  }

  /** One batch behind the other: what comes later must not be kept where this one is not. */
  async #store(sender: string, queue: Queue): Promise<void> {
    const batch = nextBatch(queue);
    queue.isStoring = true;
    const { store, trouble } = this.#options;
    const outcomes = await Promise.allSettled(batch.map(({ message }) => store.receive(message)));
    queue.isStoring = false;
    if (this.#closed) return;
    for (const [index, outcome] of outcomes.entries()) {
      const entry = batch[index];
      if (outcome.status === "fulfilled") {
        entry.state = "stored";
        if (outcome.value.kind === "new") this.#show(entry);
      } else {
        entry.state = "waiting";
        queue.isHeld = true;
        trouble.failed(messageOf(outcome.reason));
      }
    }
    this.#acknowledge(sender, queue);
    if (queue.isHeld) {
      for (const entry of queue.entries) if (entry.state === "waiting") this.#show(entry);
      this.#cancelRetry ??= this.#options.clock.after(STORE_RETRY_MS, () => this.#retry());
      return;
    }
    trouble.worked();
    if (queue.entries.length > 0) this.#schedule(sender, queue);
  }

  #retry(): void {
    this.#cancelRetry = undefined;
    for (const [sender, queue] of this.#queues) {
      queue.isHeld = false;
      this.#schedule(sender, queue);
    }
  }

  #show(entry: Entry): void {
    if (entry.isShown) return;
    entry.isShown = true;
    entry.show();
  }

  #acknowledge(sender: string, { entries, byId }: Queue): void {
    let count = 0;
    while (count < entries.length && entries[count].state === "stored") {
      const { taken, message } = entries[count++];
      this.#count -= taken.length;
      this.#length -= message.content.length;
      if (message.id !== undefined) byId.delete(message.id);
      if (this.#options.isDurable) { for (const acknowledge of taken) acknowledge(); }
    }
    entries.splice(0, count);
    if (entries.length === 0) this.#queues.delete(sender);
    if (this.#room === undefined || this.#isHigh) return;
    this.#room.resolve();
    this.#room = undefined;
  }
}

/** The first entries that wait. */
function nextBatch({ entries }: Queue): Entry[] {
  const batch: Entry[] = [];
  let length = 0;
  for (const entry of entries) {
    if (entry.state !== "waiting") continue;
    length += entry.message.content.length;
    if (batch.length > 0 && (batch.length >= MAX_BATCH || length > MAX_BATCH_LENGTH)) break;
    entry.state = "storing";
    batch.push(entry);
  }
  return batch;
}
