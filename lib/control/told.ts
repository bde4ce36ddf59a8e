import type { Node, NodeEvent } from "../node.ts";
import type { Output } from "../ui/output.ts";

/** Resolves when what a command was told until now has been shown: to whether it was. */
export type Shown = () => Promise<boolean>;

/**
 * Knows how far a command of this process has come with what its own client tells it: between them
 * there is much that is written and not shown. Marks go through behind what was told.
 */
export class Told {
  readonly #output: Output;
  readonly #shown: Shown;
  /** A mark that is on its way; there is one at a time. */
  #mark: PromiseWithResolvers<boolean> | undefined;
  #isEnding = false;
  /** How {@linkcode take} has ended: with everything that was told, or without. */
  #ended: "whole" | "cut" | undefined;

  /** @param output Takes what is told. */
  constructor(output: Output, shown: Shown) {
    this.#output = output;
    this.#shown = shown;
  }

  /** The events of a node, until the end: what it has taken then and not told is not seen. */
  eventsOf({ events }: Pick<Node, "events">): AsyncIterable<NodeEvent> & CountWritten {
    const isEnding = () => this.#isEnding;
    return {
      countWritten: (written) => events.countWritten(written),
      // Without `return`, which would count what was taken last.
      async *[Symbol.asyncIterator]() {
        while (true) {
          const next = await events.next();
          if (next.done || isEnding()) return;
          yield next.value;
        }
      },
    };
  }

  /** Resolves when what was told until now has been shown: to whether it was. */
  async seen(): Promise<boolean> {
    if (this.#ended === "cut") return false;
    // Nothing was told behind the end.
    if (this.#ended === "whole") return await this.#shown();
    this.#mark = Promise.withResolvers();
    this.#output.push('{"mark":"seen"}\n');
    return await this.#mark.promise;
  }

  /** Tells nothing more. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#output.push('{"mark":"end"}\n');
  }

  /** Hands what was told over to the command, but for the marks. */
  async *take<T extends { readonly mark?: unknown }>(
    objects: AsyncIterable<T>,
  ): AsyncGenerator<T, void, void> {
    try {
      for await (const object of objects) {
        if (object.mark === "end") {
          this.#ended = "whole";
          return;
        }
        // The command asks for the next one when it has done with those before.
        if (object.mark === "seen") this.#resolveMark(this.#shown());
        else yield object;
      }
    } finally {
      this.#ended ??= "cut";
      this.#resolveMark(this.#ended === "whole" && this.#shown());
    }
  }

  #resolveMark(isSeen: boolean | Promise<boolean>): void {
    this.#mark?.resolve(isSeen);
    this.#mark = undefined;
  }
}

type CountWritten = Pick<Node["events"], "countWritten">;
