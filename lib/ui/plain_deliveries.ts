import { isLast, type SentMessage } from "../chat/messages.ts";
import type { Node } from "../node.ts";
import { type Delivery, finalText, interimText, isAway, isCancelled } from "./delivery_text.ts";
import { plainStyle } from "./style.ts";

/** What {@linkcode PlainDeliveries} works with. */
export interface PlainDeliveriesOptions {
  readonly node: Pick<Node, "find">;
  readonly print: (text: string) => void;
  /** A message of this interface has failed. */
  readonly onFailed: () => void;
}

/** A message of this interface; goes with it as its tag. */
class Posted {
  label: string | undefined;
  isOver = false;
  /** Whether it was said that it waits. */
  isWaiting = false;
  /** Whether it counts among those on their way to peers that confirm nothing. */
  isPlain = false;

  constructor(readonly owner: PlainDeliveries) {}
}

/** What a pipe gets to know of messages on their way: a line when each has arrived, or waits. */
export class PlainDeliveries {
  /** Messages to version 1 peers that the network has not taken yet. */
  #plainCount = 0;

  constructor(private readonly options: PlainDeliveriesOptions) {}

  /**
   * Sends a message by way of {@linkcode Node.post}.
   *
   * @param post Takes the tag to send it with.
   * @throws What `post` throws.
   */
  async send(post: (tag: unknown) => Promise<SentMessage>): Promise<void> {
    const posted = new Posted(this);
    const { to: { contact, label } } = await post(posted);
    posted.label = label;
    if (posted.isOver || posted.isWaiting || contact.id !== undefined) return;
    posted.isPlain = true;
    this.#plainCount++;
  }

  /** Says what there is to say about an event. */
  take(event: Delivery): void {
    const { print, onFailed, node } = this.options;
    const { state, to, tag } = event;
    const posted = tag instanceof Posted && tag.owner === this ? tag : undefined;
    if (!isLast(state, to)) {
      if (state !== "pending" || posted === undefined || posted.isWaiting) return;
      if (!isAway(node, to)) return; // it goes on by itself
      this.#leave(posted);
      posted.isWaiting = true;
      return print(interimText(posted.label ?? to.nickname, state, true, plainStyle));
    }
    // Of what others have sent by the same node, a script needs to know what is lost.
    if (posted === undefined && state !== "failed") return;
    const isLate = posted === undefined || posted.isWaiting;
    print(finalText({ ...event, label: posted?.label, isLate }, plainStyle));
    if (posted === undefined) return;
    posted.isOver = true;
    this.#leave(posted);
    if (state === "failed" && !isCancelled(event)) onFailed();
  }

  /** Says which messages may be lost, because they are given up on the way. */
  end(): void {
    if (this.#plainCount === 0) return;
    const count = this.#plainCount;
    this.options.print(
      `✗ ${count === 1 ? "1 message" : `${count} messages`} in plain text may not have arrived`,
    );
    this.options.onFailed();
  }

  #leave(posted: Posted): void {
    if (posted.isPlain) this.#plainCount--;
    posted.isPlain = false;
  }
}
