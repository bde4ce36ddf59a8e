import type { StoredMessage } from "../store/message.ts";

/** A message that came, on its way to the disk and to the user, whichever it reaches first. */
export class Arrival {
  /** Its place in the store; none while it is not there. */
  key: number | undefined;
  isShown = false;
}

/**
 * Knows how far the user has seen what is stored: a message that was acknowledged must not be lost
 * when the program ends between, so the next run shows what is behind this.
 */
export class Arrivals {
  /** Stored and not shown, in the order of their keys, but for shown ones among them. */
  #open: Arrival[] = [];
  #head = 0;
  /** The largest key that was heard of. */
  #last = 0;
  #told = 0;

  /** @param shownTo Told up to which key all was shown. */
  constructor(private readonly shownTo: (key: number) => void) {}

  /** A message is stored. Keys have to come in their order, as they do from the store. */
  stored(arrival: Arrival, key: number): void {
    arrival.key = key;
    this.#last = Math.max(this.#last, key);
    if (!arrival.isShown) this.#open.push(arrival);
    else this.#advance();
  }

  /** The user has seen a message. */
  shown(arrival: Arrival): void {
    arrival.isShown = true;
    if (arrival.key !== undefined) this.#advance();
  }

  #advance(): void {
    while (this.#head < this.#open.length && this.#open[this.#head].isShown) this.#head++;
    if (
      this.#head === this.#open.length || this.#head >= 1024 && this.#head * 2 > this.#open.length
    ) {
      this.#open = this.#open.slice(this.#head);
      this.#head = 0;
    }
    const to = this.#open.length === 0 ? this.#last : this.#open[this.#head].key! - 1;
    if (to <= this.#told) return;
    this.#told = to;
    this.shownTo(to);
  }
}

/**
 * Leaves what {@linkcode showLeft} would show to a later run; whatever this one stores behind it
 * does not count as shown then.
 */
export function leaveLeft(
  arrivals: Arrivals,
  unshown: (after: number) => readonly StoredMessage[],
): void {
  const [first] = unshown(0);
  if (first !== undefined) arrivals.stored(new Arrival(), first.key);
}

/**
 * Shows what an earlier run has received and perhaps not shown, as fast as that is welcome.
 *
 * @param unshown Reads a page of messages behind a key; none behind the last.
 * @param show Shows a message; returns whether somebody takes it. What it is given is to be told
 *   when the user has seen the message.
 * @param ready Resolves when more is welcome; `undefined` when it is now.
 */
export async function showLeft(
  arrivals: Arrivals,
  unshown: (after: number) => readonly StoredMessage[],
  show: (message: StoredMessage, arrival: Arrival) => boolean,
  ready: () => Promise<void> | undefined,
): Promise<void> {
  for (let after = 0;;) {
    const page = unshown(after);
    if (page.length === 0) return;
    for (const message of page) {
      const arrival = new Arrival();
      arrivals.stored(arrival, message.key);
      if (!show(message, arrival)) return;
    }
    after = page.at(-1)!.key;
    const room = ready();
    if (room !== undefined) await room;
  }
}
