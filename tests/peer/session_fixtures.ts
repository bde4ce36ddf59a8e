import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import type { Peer } from "../../lib/discovery/peer.ts";
import { Intake } from "../../lib/peer/intake.ts";
import type { Session } from "../../lib/peer/session.ts";
import { Sessions, type SessionsOptions, type Upgrade } from "../../lib/peer/sessions.ts";
import type { MemoryHost, MemoryNetwork } from "../../lib/transport/memory.ts";
import { PrefixedStream } from "../../lib/transport/prefixed.ts";
import type { Listener, Stream } from "../../lib/transport/stream.ts";
import type { SocketAddress } from "../../lib/wire/address.ts";
import { accepted } from "../../lib/wire/decoded.ts";
import { formatPeerId, type PeerId } from "../../lib/wire/peer_id.ts";
import { type ChatMessage, decodeSessionLine, type SessionLine } from "../../lib/wire/session.ts";
import { messageIdOf } from "../support/message_ids.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import { addHost, memoryWorld, peerAt, watched } from "./fixtures.ts";

/** An id that begins with this number of two bytes: ids are in the order of their numbers. */
export function idOf(number: number): PeerId {
  return formatPeerId(new Uint8Array(32).fill(number >> 8, 0, 1).fill(number & 255, 1));
}

/** An upgrade without cryptography: both sides say their id. */
export function clearUpgrade(ownId: PeerId): Upgrade {
  return async (stream, _role, judge, signal) => {
    const onAbort = () => stream.close();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      if (signal?.aborted) throw signal.reason;
      const own = new TextEncoder().encode(ownId);
      for (let at = 0; at < own.length;) at += await stream.write(own.subarray(at));
      const other = new Uint8Array(own.length);
      for (let at = 0; at < other.length;) {
        const count = await stream.read(other.subarray(at));
        if (count === null) throw new Error("the connection ended in the handshake");
        at += count;
      }
      const problem = await judge(other);
      if (problem !== undefined) throw new Error(problem);
      return new PrefixedStream(stream, new Uint8Array(0));
    } catch (error) {
      stream.close();
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  };
}

/** A message as a node would make it. */
export function chatMessage(content: string): ChatMessage {
  const number = Number.parseInt(systemRandom.bytes(6).toHex(), 16);
  return { id: messageIdOf(number), content, timestamp: 1_700_000_000 };
}

/** One message of a {@linkcode Person} as it stands. */
export type Sent = ReturnType<typeof watched> & { readonly content: string };

/** A peer with an id: its sessions, and what came of them. */
export class Person implements AsyncDisposable {
  readonly id: PeerId;
  readonly address: SocketAddress;
  readonly refusals: Refusals;
  readonly intake: Intake;
  readonly sessions: Sessions;
  /** What it knows of others. */
  readonly announced = new Map<PeerId, Peer>();
  readonly blocked = new Set<PeerId>();
  /** Contents of the messages that came, in order. */
  readonly heard: string[] = [];
  readonly established: Session[] = [];
  readonly ended: string[] = [];
  readonly impostors: string[] = [];
  /** How often it dialled. */
  dials = 0;
  /** Makes peers wait while set. */
  room: PromiseWithResolvers<void> | undefined;
  readonly #listener: Listener;

  constructor(
    readonly clock: FakeClock,
    readonly host: MemoryHost,
    readonly nickname: string,
    number: number,
    options: Partial<SessionsOptions> & { hostname?: string } = {},
  ) {
    this.id = idOf(number);
    this.refusals = new Refusals(clock, silentLog);
    this.intake = new Intake(this.refusals, () => this.room?.promise);
    this.#listener = host.transport.listen({ hostname: "0.0.0.0", port: 0 });
    const hostname = options.hostname ?? host.interfaces[0].address;
    this.address = { hostname, port: this.#listener.address.port };
    this.sessions = new Sessions({
      clock,
      random: { float: () => 0.5, bytes: (length) => new Uint8Array(length) },
      refusals: this.refusals,
      transport: {
        ...host.transport,
        dial: (address, signal) => {
          this.dials++;
          return host.transport.dial(address, signal);
        },
      },
      upgrade: clearUpgrade(this.id),
      identify: (bytes) => Promise.resolve(accepted(new TextDecoder().decode(bytes) as PeerId)),
      ownId: this.id,
      nickname,
      instance: number.toString(16).padStart(16, "0"),
      maxContentBytes: 64 * 1024,
      find: (id) => this.announced.get(id),
      objection: (id) => this.blocked.has(id) ? "the user has blocked it" : undefined,
      intake: this.intake,
      onMessage: ({ content }, _session, taken) => {
        this.heard.push(content);
        taken();
        return true;
      },
      onEstablished: (session) => this.established.push(session),
      onEnded: (_session, reason) => this.ended.push(reason),
      onImpostor: (message) => this.impostors.push(message),
      ...options,
    });
    void this.#accept();
  }

  /** Lets it know where the other one is. */
  meet(other: { id: PeerId; address: SocketAddress; nickname: string }): void {
    const peer = { ...peerAt([other.address], { nickname: other.nickname }), id: other.id };
    this.announced.set(other.id, peer);
  }

  /** Sends to somebody it has met. */
  say(id: PeerId, content: string): Sent {
    const peer = this.announced.get(id)!;
    return Object.assign(watched(this.sessions.send(peer, id, chatMessage(content))), {
      content,
    });
  }

  async #accept(): Promise<void> {
    try {
      while (true) void this.sessions.accept(await this.#listener.accept());
    } catch {
      // closed
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.room?.resolve();
    await this.sessions[Symbol.asyncDispose]();
  }
}

/** Two people who know each other, each on a host of its own. */
export function couple(
  { clock, network }: { clock: FakeClock; network: MemoryNetwork },
  options: Partial<SessionsOptions> = {},
): { alice: Person; bob: Person } {
  const alice = new Person(clock, addHost(network, "10.0.0.1"), "alice", 1, options);
  const bob = new Person(clock, addHost(network, "10.0.0.2"), "bob", 2, options);
  alice.meet(bob);
  bob.meet(alice);
  return { alice, bob };
}

/** The far end of a session, written by hand. */
export class Hand {
  /** The lines that came, in order. */
  readonly lines: SessionLine[] = [];
  ended = false;
  /** Whether it takes what comes. */
  reads = true;
  #text = "";

  private constructor(readonly stream: Stream) {
    void this.#read();
  }

  /** Makes a hand of a connection, the ids of both exchanged. */
  static async on(stream: Stream, id: PeerId): Promise<Hand> {
    const upgraded = await clearUpgrade(id)(stream, "client", () => Promise.resolve(undefined));
    return new Hand(upgraded);
  }

  /** Dials somebody under an id. */
  static async dial(host: MemoryHost, to: SocketAddress, id: PeerId): Promise<Hand> {
    return await Hand.on(await host.transport.dial(to, new AbortController().signal), id);
  }

  /** Writes lines. */
  async say(...lines: (object | string)[]): Promise<void> {
    const text = lines.map((line) => typeof line === "string" ? line : JSON.stringify(line));
    const bytes = new TextEncoder().encode(text.map((line) => `${line}\n`).join(""));
    for (let at = 0; at < bytes.length;) at += await this.stream.write(bytes.subarray(at));
  }

  hello(fields: object = {}): Promise<void> {
    const instance = "00000000000000ff";
    return this.say({
      type: "hello",
      version: 2,
      nickname: "hand",
      instance,
      ordinal: 1,
      dialled: 0,
      ...fields,
    });
  }

  /** The types of the lines that came. */
  get types(): string[] {
    return this.lines.map(({ type }) => type);
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      while (this.reads) {
        const count = await this.stream.read(buffer);
        if (count === null) break;
        const lines = (this.#text + new TextDecoder().decode(buffer.subarray(0, count))).split(
          "\n",
        );
        this.#text = lines.pop()!;
        for (const line of lines) {
          const decoded = decodeSessionLine(line);
          if (decoded.ok && decoded.value !== undefined) this.lines.push(decoded.value);
        }
      }
    } catch {
      // broken
    }
    this.ended = true;
  }
}

/** Alice, and somebody whose side of the session the test writes; she knows no address of his. */
export async function withHand(number = 9) {
  const world = memoryWorld();
  const { alice, bob } = couple(world);
  const id = idOf(number);
  const dial = () => Hand.dial(bob.host, alice.address, id);
  const hand = await dial();
  alice.meet({ id, nickname: "hand", address: { hostname: "10.0.0.2", port: 9 } });
  return { ...world, alice, hand, dial, id };
}

/** Texts with a number each. */
export const texts = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `text ${from + index}`);
