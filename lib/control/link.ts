import type { Clock } from "../base/clock.ts";
import { MemoryPipe } from "../transport/memory_pipe.ts";
import type { Node } from "../node.ts";
import { inputLines, type Read } from "../ui/input.ts";
import { runJsonInterface } from "../ui/json.ts";
import { Output } from "../ui/output.ts";
import { decodeObject } from "../wire/decoded.ts";
import { type Shown, Told } from "./told.ts";

/**
 * The longest line of a client, in bytes: a list of 10,000 peers has some megabytes. It runs for
 * the same user, so this only bounds what a mistake can cost.
 */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** An object of the JSON interface, as it came. */
export type Line = Readonly<Record<string, unknown>>;

/** Hands over the objects of a stream one by one; ends with it, or with what is no object. */
export async function* readObjects(read: Read): AsyncGenerator<Line, void, void> {
  for await (const lines of inputLines(read, MAX_LINE_BYTES)) {
    for (const input of lines) {
      const object = "line" in input ? decodeObject(input.line) : undefined;
      if (!object?.ok) return;
      yield object.value;
    }
  }
}

/**
 * What of a client outlives it: all that is sent and received; only what is on its way; nothing,
 * where the disk takes nothing.
 */
export type Kept = "everything" | "outbox" | "nothing";

/** What a link is made of. */
export interface LinkParts {
  readonly clock: Clock;
  readonly objects: AsyncGenerator<Line, void, void>;
  readonly write: (bytes: Uint8Array) => Promise<number>;
  /** Ends reads and writes at once. */
  readonly cut: () => void;
  /** Ends {@linkcode Link.events} behind what was told until now; the same as `cut` unless given. */
  readonly end?: () => void;
  /** Gives everything back; the link is cut then. */
  readonly release?: () => Promise<void>;
  /** For how long the client has looked for peers, in milliseconds. */
  readonly ageMs: number;
  /** Whether the client runs in this process, for this command. */
  readonly isOwn: boolean;
  /** Whether the client is a command, too, and ends when it has done its work. */
  readonly isOneShot: boolean;
  /** Whether messages wait for version 1 peers, too. */
  readonly queuesPlain: boolean;
  /** Everything unless given. */
  readonly kept?: () => Kept;
}

/** A conversation by the JSON interface with a client, in another process or in this one. */
export class Link implements AsyncDisposable {
  readonly isOwn: boolean;
  readonly isOneShot: boolean;
  /** Whether messages wait for version 1 peers, too. */
  readonly queuesPlain: boolean;
  /** What the client says, in order; ends when it is cut or the client has left. */
  readonly events: AsyncGenerator<Line, void, void>;
  readonly #parts: LinkParts;
  readonly #output: Output;
  readonly #startedAt: number;

  constructor(parts: LinkParts) {
    const { clock, isOwn, isOneShot, queuesPlain, objects, ageMs } = parts;
    this.#parts = parts;
    this.isOwn = isOwn;
    this.isOneShot = isOneShot;
    this.queuesPlain = queuesPlain;
    this.events = objects;
    this.#output = new Output(parts.write);
    this.#startedAt = clock.monotonic() - ageMs;
  }

  /** For how long the client has looked for peers, in milliseconds. */
  get ageMs(): number {
    return this.#parts.clock.monotonic() - this.#startedAt;
  }

  /** What outlives the client, as far as this process knows. */
  get kept(): Kept {
    return this.#parts.kept?.() ?? "everything";
  }

  /** Gives a command to the client. */
  command(command: Line): void {
    this.#output.push(`${JSON.stringify(command)}\n`);
  }

  /** Ends {@linkcode events}, now. */
  cut(): void {
    this.#parts.cut();
  }

  /** Ends {@linkcode events}, behind what a client of this process has told until now. */
  end(): void {
    (this.#parts.end ?? this.#parts.cut)();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#parts.cut();
    await this.#parts.release?.();
  }
}

/** Talks to a node of this process, as its only interface, which it makes wait when it is slow. */
export function linkTo(
  { clock, node, version, startedAt, kept, shown, release }: {
    readonly clock: Clock;
    readonly node: Node;
    readonly version: string;
    /** By the clock's monotonic time. */
    readonly startedAt: number;
    readonly kept: () => Kept;
    /** See {@linkcode Shown}; what is kept all the same is not shown unless given. */
    readonly shown?: Shown;
    readonly release: () => Promise<void>;
  },
): Link {
  const [commands, events] = [0, 1].map(() => new MemoryPipe(clock, () => 0, () => true));
  const stop = new AbortController();
  const output = new Output((bytes) => events.write(bytes));
  const told = new Told(output, shown ?? (() => Promise.resolve(true)));
  // What is only kept has been seen by nobody: the next client shows it.
  const isSeen = () => shown !== undefined || kept() !== "everything";
  const running = runJsonInterface({
    clock,
    node,
    events: told.eventsOf(node),
    version,
    read: (buffer) => commands.read(buffer),
    output,
    seen: async () => isSeen() && await told.seen(),
    signal: stop.signal,
  });
  return new Link({
    clock,
    objects: told.take(readObjects((buffer) => events.read(buffer))),
    write: (bytes) => commands.write(bytes),
    end: () => told.end(),
    cut() {
      const gone = new Error("The command has ended");
      stop.abort();
      commands.break(gone, gone);
      events.break(gone, gone);
      // The interface waits for nothing more once it sees that nobody reads: what is on its way is
      // on the disk.
      output.push("\n");
    },
    async release() {
      await running;
      await release();
    },
    ageMs: clock.monotonic() - startedAt,
    isOwn: true,
    isOneShot: true,
    queuesPlain: node.queuesPlain,
    kept,
  });
}
