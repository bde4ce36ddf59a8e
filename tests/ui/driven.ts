import { silentLog } from "../../lib/base/log.ts";
import type { Node } from "../../lib/node.ts";
import { Store } from "../../lib/store/store.ts";
import { Output } from "../../lib/ui/output.ts";
import type { World } from "../node/fixtures.ts";
import type { SecureWorld } from "../node/secure_world.ts";
import { settle } from "../support/fake_clock.ts";

const encoder = new TextEncoder();

/** Standard input that a test types on. */
export class Keyboard {
  readonly #chunks: Uint8Array[] = [];
  #ended = false;
  #wake: (() => void) | undefined;
  /** How many bytes were read. */
  taken = 0;

  /** Adds input. */
  type(text: string): void {
    this.#chunks.push(encoder.encode(text));
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  readonly read = async (buffer: Uint8Array): Promise<number | null> => {
    while (this.#chunks.length === 0) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const [chunk] = this.#chunks;
    const count = Math.min(chunk.length, buffer.length);
    buffer.set(chunk.subarray(0, count));
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
    this.taken += count;
    return count;
  };
}

/** Standard output that a test reads, stalls or closes. */
export class Paper {
  text = "";
  readonly #decoder = new TextDecoder();
  #gone = false;
  #stalled: PromiseWithResolvers<void> | undefined;

  readonly output = new Output(async (bytes) => {
    await this.#stalled?.promise;
    if (this.#gone) throw new Deno.errors.BrokenPipe("Broken pipe");
    this.text += this.#decoder.decode(bytes, { stream: true });
    return bytes.length;
  });

  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }

  stall(): void {
    this.#stalled = Promise.withResolvers();
  }

  go(): void {
    this.#stalled?.resolve();
    this.#stalled = undefined;
  }

  /** Nobody reads any more. */
  tear(): void {
    this.#gone = true;
    this.go();
  }
}

/**
 * Waits for turns of the event loop until `condition` holds; fails when it never does. Handshakes
 * take other threads' time, so later turns leave them some.
 */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 7500; turn++) {
    if (condition()) return;
    if (turn < 5000) await settle(1);
    else await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`Waited in vain for ${what}`);
}

/** Starts a node that keeps what is said in memory, as the interfaces need it. */
export async function startKeeping(
  world: World,
  nickname: string,
  { queuePlain = false, ...options }:
    & Parameters<World["start"]>[1]
    & { queuePlain?: boolean } = {},
): Promise<Node> {
  const store = await Store.open({ path: undefined, clock: world.clock, log: silentLog });
  const days = { keepDays: Infinity, maxMegabytes: Infinity, expireDays: Infinity };
  const history = { store, queuePlain, ...days };
  const node = await world.start(nickname, { ...options, history });
  const dispose = node[Symbol.asyncDispose].bind(node);
  node[Symbol.asyncDispose] = async () => {
    await dispose();
    await store[Symbol.asyncDispose]();
  };
  return node;
}

/** The same with an identity; ended with the others of `secure`. */
export async function startSecure(secure: SecureWorld, nickname: string): Promise<Node> {
  const { history } = await secure.profile();
  const options = { log: silentLog, history };
  return await secure.start(nickname, options);
}
