import type { Clock } from "../base/clock.ts";
import type { DeliveryState } from "../chat/delivery.ts";
import { isLast, type SentMessage } from "../chat/messages.ts";
import type { Node } from "../node.ts";
import { type Delivery, finalText, interimText, isAway, returnedText } from "./delivery_text.ts";
import { BoundedNotices, DELIVERY_BOUNDS, WAITING_BOUNDS } from "./notices.ts";
import type { Style } from "./style.ts";

/** A message that arrives within this time takes one line only, in milliseconds. */
const MOMENT_MS = 300;

/** What {@linkcode Deliveries} works with. */
export interface DeliveriesOptions {
  readonly clock: Clock;
  readonly node: Pick<Node, "find">;
  readonly style: Style;
  /** Puts a line on the screen. */
  readonly print: (text: string) => void;
}

/** A message of this run, and what was said about it; goes with it as its tag. */
class Posted {
  label: string | undefined;
  state: DeliveryState = "pending";
  isOver = false;
  /** Whether there is a line about it. */
  isTold = false;
  /** Whether it was said that it waits again. */
  isReturned = false;
  cancel: () => void = () => {};

  constructor(readonly owner: Deliveries) {}
}

/**
 * What a terminal says about messages on their way: one line where they arrive at once, else one
 * line about what they wait for, and later that they have arrived.
 */
export class Deliveries {
  readonly #options: DeliveriesOptions;
  readonly #arrived: BoundedNotices;
  readonly #waiting: BoundedNotices;
  readonly #timed = new Set<Posted>();
  #isClosed = false;

  constructor(options: DeliveriesOptions) {
    const { clock, print } = options;
    this.#options = options;
    this.#arrived = new BoundedNotices(clock, DELIVERY_BOUNDS, print);
    this.#waiting = new BoundedNotices(clock, WAITING_BOUNDS, print);
  }

  /**
   * Sends a message by way of {@linkcode Node.post}.
   *
   * @param post Takes the tag to send it with.
   * @throws What `post` throws.
   */
  async send(post: (tag: unknown) => Promise<SentMessage>): Promise<void> {
    const posted = new Posted(this);
    const { to: { contact, label }, state } = await post(posted);
    posted.label = label;
    if (posted.isOver || this.#isClosed) return;
    if (posted.state === "pending") posted.state = state;
    this.#timed.add(posted);
    posted.cancel = this.#options.clock.after(MOMENT_MS, () => {
      this.#timed.delete(posted);
      const away = isAway(this.#options.node, contact);
      posted.isTold = true;
      this.#waiting.add(interimText(label, posted.state, away, this.#options.style));
    });
  }

  /** Says what there is to say about an event. */
  take(event: Delivery): void {
    const { state, to, tag } = event;
    const posted = tag instanceof Posted && tag.owner === this ? tag : undefined;
    if (isLast(state, to)) return this.#end(event, posted);
    if (posted === undefined) return;
    const isReturned = state === "pending" && posted.state === "sent";
    posted.state = state;
    if (!isReturned || !posted.isTold || posted.isReturned) return;
    posted.isReturned = true;
    const { label = to.nickname } = posted;
    this.#waiting.add(returnedText(label, event.content, this.#options.style));
  }

  /** Says no more than what has become of messages. */
  close(): void {
    this.#isClosed = true;
    for (const { cancel } of this.#timed) cancel();
    this.#arrived.close();
    this.#waiting.close();
  }

  #end(event: Delivery, posted: Posted | undefined): void {
    const isLate = posted === undefined || posted.isTold;
    const text = finalText({ ...event, label: posted?.label, isLate }, this.#options.style);
    if (posted !== undefined) {
      posted.isOver = true;
      posted.cancel();
      this.#timed.delete(posted);
    }
    if (isLate && event.state !== "failed") this.#arrived.add(text);
    else this.#options.print(text);
  }
}
