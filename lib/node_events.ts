import { Broadcast } from "./base/broadcast.ts";
import type { Arrival } from "./chat/arrivals.ts";
import { eventWeight, type NodeEvent } from "./node_options.ts";

/** What may wait for the user interface before peers are made to wait, in UTF-16 units. */
const HIGH_WATER = 8 * 1024 * 1024;

/** Resolves when what was handed over until now has been written: to whether it was. */
export type Written = () => Promise<boolean>;

/**
 * What happens at a node, in order, for one consumer. It has seen an event when it asks for the
 * next one, or, if it says how to learn that, when it has written it: only then a message counts as
 * shown.
 */
export class NodeEvents extends Broadcast<NodeEvent> {
  /** Of messages that wait for the consumer, or that it has not written yet. */
  readonly #arrivals = new Map<NodeEvent, Arrival>();
  readonly #shown: (arrival: Arrival) => void;
  #taken: NodeEvent | undefined;
  #written: Written | undefined;
  #unwritten: Arrival[] = [];
  #isWaiting = false;

  /** @param shown Told when the user has seen a message. */
  constructor(shown: (arrival: Arrival) => void) {
    super(HIGH_WATER, eventWeight);
    this.#shown = shown;
  }

  /** See {@linkcode Broadcast.watch}. */
  watchAll(onOverrun: () => void): AsyncIterableIterator<NodeEvent> {
    return this.watch(HIGH_WATER, onOverrun);
  }

  /**
   * Adds a message that is kept, or is about to be.
   *
   * @returns Whether somebody takes it.
   */
  pushArrival(event: NodeEvent, arrival: Arrival): boolean {
    this.#arrivals.set(event, arrival);
    if (this.push(event)) return true;
    this.#arrivals.delete(event);
    return false;
  }

  /** From now on events count as seen when they are written. */
  countWritten(written: Written): void {
    this.#written = written;
  }

  /** Asks for the next event as iterating does, but not for one that has yet to come. */
  override poll(): NodeEvent | undefined {
    this.#seen();
    return super.poll();
  }

  override next(): Promise<IteratorResult<NodeEvent>> {
    this.#seen();
    return super.next();
  }

  override return(): Promise<IteratorResult<NodeEvent>> {
    this.#seen();
    this.#arrivals.clear();
    return super.return();
  }

  protected override onTaken(event: NodeEvent): void {
    this.#taken = event;
  }

  #seen(): void {
    const event = this.#taken;
    if (event?.type !== "message") return;
    this.#taken = undefined;
    const arrival = this.#arrivals.get(event);
    if (arrival === undefined) return;
    this.#arrivals.delete(event);
    if (this.#written === undefined) return this.#shown(arrival);
    this.#unwritten.push(arrival);
    if (!this.#isWaiting) void this.#awaitWriting(this.#written);
  }

  async #awaitWriting(written: Written): Promise<void> {
    this.#isWaiting = true;
    while (this.#unwritten.length > 0) {
      const arrivals = this.#unwritten;
      this.#unwritten = [];
      // What cannot be written any more was not seen: the next run shows it.
      if (!await written()) break;
      for (const arrival of arrivals) this.#shown(arrival);
    }
    this.#isWaiting = false;
  }
}
