import { AsyncQueue } from "../../lib/base/async_queue.ts";
import { silentLog } from "../../lib/base/log.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import {
  BootstrapClient,
  type BootstrapClientOptions,
} from "../../lib/discovery/bootstrap_client.ts";
import { PeerRegistry } from "../../lib/discovery/registry.ts";
import type { TextChannel } from "../../lib/transport/text_channel.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { brief, instanceOf } from "./registry_fixtures.ts";

/** A channel in memory, from the server's side. */
export class MemoryChannel implements TextChannel {
  /** What the client sent and was not looked at. */
  // deno-lint-ignore no-explicit-any -- whatever the JSON holds
  readonly #sent: any[] = [];
  readonly #texts = new AsyncQueue<string>(Infinity);
  #failure: Error | undefined;
  /** Whether the client has closed it. */
  closed = false;

  /** What the client sent since the last call. */
  // deno-lint-ignore no-explicit-any -- whatever the JSON holds
  sent(): any[] {
    return this.#sent.splice(0);
  }

  /** Sends an object or a text to the client. */
  say(what: unknown): void {
    this.#texts.push(typeof what === "string" ? what : JSON.stringify(what));
  }

  /** Sends a list of peers. */
  list(...peers: unknown[]): void {
    this.say({ type: "peer_list", peers });
  }

  /** Ends the connection, with an error or in order. */
  end(failure?: Error): void {
    this.#failure = failure;
    this.#texts.close();
  }

  send(text: string): void {
    if (!this.closed) this.#sent.push(JSON.parse(text));
  }

  get messages(): AsyncIterable<string> {
    return this.#read();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    this.#texts.close();
    return Promise.resolve();
  }

  async *#read(): AsyncGenerator<string> {
    yield* this.#texts;
    if (this.#failure !== undefined && !this.closed) throw this.#failure;
  }
}

/** A client, its registry, and the server that it dials. */
export class Bootstrap implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly refusals = new Refusals(this.clock, silentLog);
  readonly registry: PeerRegistry;
  readonly client: BootstrapClient;
  readonly #events: string[] = [];
  readonly #problems: string[] = [];
  readonly #dials: number[] = [];
  readonly channels: MemoryChannel[] = [];
  /** What dialling ends with; a new channel unless it says otherwise. */
  onDial: (signal: AbortSignal) => Promise<TextChannel> = () => Promise.resolve(this.accept());
  /** What the dice show next. */
  dice = () => 0.5;

  constructor(options: Partial<BootstrapClientOptions> & { first?: Bootstrap["onDial"] } = {}) {
    const { first, ...rest } = options;
    if (first !== undefined) this.onDial = first;
    this.registry = new PeerRegistry(this.clock, this.refusals, "me", (event) => {
      const reason = event.type === "peer_down" ? ` ${event.reason}` : "";
      this.#events.push(`${event.type.slice(5)} ${event.peer.label}${reason}`);
    });
    this.client = new BootstrapClient({
      clock: this.clock,
      random: { float: () => this.dice(), bytes: (length) => new Uint8Array(length) },
      log: silentLog,
      refusals: this.refusals,
      dial: (_url, signal) => {
        this.#dials.push(this.clock.monotonic());
        return this.onDial(signal);
      },
      registry: this.registry,
      url: "ws://server.example:8080",
      nickname: "me",
      instance: instanceOf("abcd"),
      tcpPort: 5000,
      heartbeatIntervalMs: 10_000,
      peerTimeoutMs: 30_000,
      onState: (state, reason) => this.#events.push(reason ? `${state}: ${reason}` : state),
      onProblem: (message) => this.#problems.push(message),
      ...rest,
    });
  }

  accept(): MemoryChannel {
    const channel = new MemoryChannel();
    this.channels.push(channel);
    return channel;
  }

  /** The connection of now. */
  get channel(): MemoryChannel {
    return this.channels.at(-1)!;
  }

  /** Lets the client connect, and answers its registration. */
  async register(peerId = "own"): Promise<void> {
    await this.clock.advance(0);
    this.channel.say({ type: "registered", peer_id: peerId, public_addr: "203.0.113.1:5000" });
    await this.clock.advance(0);
  }

  /** States of the connection and presence events since the last call. */
  events(): string[] {
    return this.#events.splice(0);
  }

  /** What the user was told since the last call. */
  problems(): string[] {
    return this.#problems.splice(0);
  }

  /** When the client dialled since the last call. */
  dials(): number[] {
    return this.#dials.splice(0);
  }

  known(): string[] {
    return this.registry.peers().map(brief);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
  }
}

/** An entry of a list. */
export function entry(peer_id: string, nickname: string, public_addr: string, more = {}) {
  const local_addr = "0.0.0.0:5000";
  return { peer_id, nickname, public_addr, local_addr, last_seen: 1_700_000_000, ...more };
}
