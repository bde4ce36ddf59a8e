import type { Clock } from "../../lib/base/clock.ts";
import type { Log } from "../../lib/base/log.ts";
import type {
  ControlEndpoint,
  ControlListener,
  ControlStream,
  Secrets,
} from "../../lib/control/endpoint.ts";
import { MemoryPipe } from "../../lib/transport/memory_pipe.ts";
import { settle } from "../support/fake_clock.ts";

/** Two ends of a stream in memory. */
export function streamPair(clock: Clock): [ControlStream, ControlStream] {
  const [there, back] = [0, 1].map(() => new MemoryPipe(clock, () => 0, () => true));
  const end = (read: MemoryPipe, write: MemoryPipe): ControlStream => ({
    read: (buffer) => read.read(buffer),
    write: (bytes) => write.write(bytes),
    closeWrite: () => Promise.resolve(write.end()),
    close() {
      write.end();
      read.break(new Error("Stream is closed"), new Error("Broken pipe"));
    },
  });
  return [end(back, there), end(there, back)];
}

/** Programs of one process reach each other. */
export class MemoryEndpoint implements ControlEndpoint {
  #accept: ((stream: ControlStream) => void) | undefined;
  #waiting: ControlStream[] = [];
  #isOpen = false;

  constructor(private readonly clock: Clock, private readonly secrets?: Secrets) {}

  listen(): Promise<ControlListener> {
    this.#isOpen = true;
    let fail: (error: Error) => void = () => {};
    return Promise.resolve({
      secrets: this.secrets,
      accept: () =>
        new Promise<ControlStream>((resolve, reject) => {
          const [first] = this.#waiting.splice(0, 1);
          if (first !== undefined) return resolve(first);
          this.#accept = resolve;
          fail = reject;
        }),
      [Symbol.asyncDispose]: () => {
        this.#isOpen = false;
        fail(new Error("Listener is closed"));
        return Promise.resolve();
      },
    });
  }

  dial(): Promise<{ stream: ControlStream; secrets?: Secrets } | undefined> {
    if (!this.#isOpen) return Promise.resolve(undefined);
    const [stream, accepted] = streamPair(this.clock);
    if (this.#accept === undefined) this.#waiting.push(accepted);
    else this.#accept(accepted);
    this.#accept = undefined;
    return Promise.resolve({ stream, secrets: this.secrets });
  }
}

/** The other end of a stream, as a test uses it. */
export class Talker {
  text = "";
  /** Whether the other side has ended. */
  isEnded = false;

  constructor(readonly stream: ControlStream, reads = true) {
    if (reads) void this.#read();
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    const decoder = new TextDecoder();
    try {
      for (let count = await stream(this).read(buffer); count !== null;) {
        this.text += decoder.decode(buffer.subarray(0, count), { stream: true });
        count = await stream(this).read(buffer);
      }
    } catch {
      // It was closed.
    }
    this.isEnded = true;
  }

  get events(): Record<string, unknown>[] {
    return this.text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  }

  async say(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await this.stream.write(bytes.subarray(at));
    await settle(8);
  }
}

const stream = (talker: Talker) => talker.stream;

/** A log that a test reads. */
export function keptLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const add = (text: string) => void lines.push(text);
  return { lines, debug: add, info: add, warn: add, error: add };
}
