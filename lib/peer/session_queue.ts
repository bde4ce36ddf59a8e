import { RefusedError } from "../errors.ts";

/** UTF-16 units that may wait for one peer. */
export const MAX_QUEUED = 16 * 1024 * 1024;

/** A message that waits for its peer's answer. */
export interface QueuedMessage {
  /** Greater than those of all messages before it. */
  readonly seq: number;
  /** What errors call the peer. */
  readonly label: string;
  /** What the peer has to call itself; `undefined` where its id says enough. */
  readonly nickname: string | undefined;
  /** Throws when the message must not go to the peer any more. */
  readonly admit: (() => void) | undefined;
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** Whether a session has had it, so that it may have arrived. */
  wasSent: boolean;
}

/** The messages to one peer that it has not answered, in order and within a limit. */
export class SessionQueue {
  #messages: QueuedMessage[] = [];
  #length = 0;

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** How many messages wait. */
  get size(): number {
    return this.#messages.length;
  }

  /** Whether a line of this length can wait, too; a single one always can. */
  hasRoom(length: number): boolean {
    return this.isEmpty || this.#length + length <= MAX_QUEUED;
  }

  push(message: QueuedMessage): void {
    this.#messages.push(message);
    this.#length += message.line.length;
  }

  /**
   * Everything up to this number was taken.
   *
   * @returns Whether that was news.
   */
  acknowledge(seq: number): boolean {
    let count = 0;
    while (count < this.#messages.length && this.#messages[count].seq <= seq) {
      this.#length -= this.#messages[count].line.length;
      this.#messages[count++].resolve();
    }
    if (count > 0) this.#messages.splice(0, count);
    return count > 0;
  }

  /**
   * The message with this number will never be taken.
   *
   * @returns Whether it waited.
   */
  refuse(seq: number, reason: string): boolean {
    const index = this.#indexOf(seq);
    if (this.#messages[index]?.seq !== seq) return false;
    const [{ line, label, reject }] = this.#messages.splice(index, 1);
    this.#length -= line.length;
    reject(new RefusedError(label, `the peer refuses the message: ${reason}`));
    return true;
  }

  /** Takes out what does not belong; the rest keeps its order. */
  takeWhere(isMeant: (message: QueuedMessage) => boolean): QueuedMessage[] {
    const taken: QueuedMessage[] = [];
    this.#messages = this.#messages.filter((message) => {
      if (!isMeant(message)) return true;
      this.#length -= message.line.length;
      taken.push(message);
      return false;
    });
    return taken;
  }

  /** Where the first message is whose number is not smaller. */
  #indexOf(seq: number): number {
    let low = 0;
    let high = this.#messages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#messages[middle].seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  [Symbol.iterator](): Iterator<QueuedMessage> {
    return this.#messages.values();
  }
}
