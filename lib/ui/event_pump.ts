import type { NodeEvent } from "../node.ts";

/** Turns of the event loop in which a reader may stay behind the news: others can always make more. */
const MAX_TURNS = 100;

/** Hands a node's events to an interface, as fast as that can show them. */
export class EventPump {
  #taken = 0;
  #room: Promise<void> | undefined;

  /**
   * @param handle Shows an event.
   * @param ready Resolves when there is room to show more; `undefined` when there is now.
   */
  constructor(
    private readonly handle: (event: NodeEvent) => void,
    private readonly ready: () => Promise<void> | undefined,
  ) {}

  /** Runs until the events end, or cannot be shown any more. */
  async run(events: AsyncIterable<NodeEvent>): Promise<void> {
    try {
      for await (const event of events) {
        this.#taken++;
        this.handle(event);
        this.#room = this.ready();
        if (this.#room !== undefined) await this.#room;
      }
    } catch {
      // The terminal was closed.
    }
  }

  /** Resolves when what has happened until now was handed over. */
  async drained(): Promise<void> {
    let seen: number;
    let turn = 0;
    do {
      seen = this.#taken;
      await this.#room?.catch(() => {});
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.#taken !== seen && ++turn < MAX_TURNS);
  }
}
