import { nextTurn } from "../base/next_turn.ts";
import type { Node, NodeEvent } from "../node.ts";

/** Turns of the event loop in which a reader may stay behind the news: others can always make more. */
const MAX_TURNS = 100;

/** Hands a node's events to an interface, as fast as that can show them. */
export class EventPump {
  #taken = 0;
  #room: Promise<void> | undefined;

  /**
   * @param handle Shows an event.
   * @param ready Resolves when there is room to show more; `undefined` when there is now.
   * @param written Resolves when what was shown until now has left the program: to whether it did.
   */
  constructor(
    private readonly handle: (event: NodeEvent) => void,
    private readonly ready: () => Promise<void> | undefined,
    private readonly written: () => Promise<boolean> = () => Promise.resolve(true),
  ) {}

  /**
   * Runs until the events end, or cannot be shown any more.
   *
   * @param events A node's own events; those of {@linkcode Node.watch} say nothing of what was shown.
   */
  async run(
    events: AsyncIterable<NodeEvent> & Partial<Pick<Node["events"], "countWritten" | "poll">>,
  ): Promise<void> {
    try {
      events.countWritten?.(this.written);
      for await (const first of events) {
        for (let event: NodeEvent | undefined = first; event; event = events.poll?.()) {
          this.#taken++;
          this.handle(event);
          this.#room = this.ready();
          if (this.#room !== undefined) await this.#room;
        }
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
      await nextTurn();
    } while (this.#taken !== seen && ++turn < MAX_TURNS);
  }
}
