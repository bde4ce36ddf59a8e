import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import v8 from "node:v8";
import vm from "node:vm";
import { type Clock, systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { messageIdOf } from "../support/message_ids.ts";
import { RawTls } from "../support/raw_tls.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { makeCertificate } from "../../lib/identity/certificate_maker.ts";
import { type Identity, makeIdentity } from "../../lib/identity/identity.ts";
import { KnownPeers } from "../../lib/identity/known_peers.ts";
import {
  defaultNodeOptions,
  Node,
  type NodeEvent,
  type NodeHistory,
  type PlaintextPolicy,
} from "../../lib/node.ts";
import { type MemoryHost, MemoryNetwork } from "../../lib/transport/memory.ts";
import type { Transport } from "../../lib/transport/stream.ts";
import { tcpTransport } from "../../lib/transport/tcp.ts";
import {
  type Datagram,
  encodeDatagram,
  MULTICAST_GROUP,
  MULTICAST_PORT,
} from "../../lib/wire/announce.ts";
import type { PeerId } from "../../lib/wire/peer_id.ts";
import { encodeSessionLine, encodeSessionMessage } from "../../lib/wire/session.ts";

/** Bounds every wait: what has not happened by then does not happen. */
export const PATIENCE_MS = 15_000;

/** Makes a new identity. */
export async function newIdentity(): Promise<Identity> {
  const { keyPem, certificatePem } = await makeCertificate(systemRandom);
  return makeIdentity(keyPem, certificatePem);
}

/** Connects to a node and shakes hands with it by hand, as somebody. */
export async function dialAs(
  { certificateDer: certificate, keyPem }: Identity,
  { tcpPort: port }: Pick<Node, "tcpPort">,
): Promise<RawTls> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  return await RawTls.client(connection, { certificate, keyPem });
}

/** Waits until a condition holds for which there is no event. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `never: ${what}`);
    await setTimeout(5);
  }
}

/** Fails unless `promise` settles, which no clock of the test's own makes it do. */
export async function inTime<Result>(promise: Promise<Result>, what: string): Promise<Result> {
  const stop = new AbortController();
  const late = setTimeout(PATIENCE_MS, undefined, { signal: stop.signal }).then(
    () => assert.fail(`never: ${what}`),
    () => promise, // over: only stopped
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
  }
}

/**
 * Bytes that everything in this test file keeps alive, attackers included. Other than the memory
 * of the process it holds neither garbage nor what tests beside this one keep.
 */
export function retained(): number {
  v8.setFlagsFromString("--expose-gc");
  (vm.runInNewContext("gc") as () => void)();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** The first lines of a peer that has got through the handshake. */
export function opening(nickname: string, ...contents: string[]): string {
  const instance = systemRandom.bytes(8).toHex();
  const hello = { type: "hello" as const, version: 2, nickname, instance, ordinal: 1 };
  return encodeSessionLine({ ...hello, dialled: 0 }) +
    contents.map((content, at) =>
      encodeSessionMessage(at + 1, { id: messageIdOf(at), content, timestamp: 1_700_000_000 })
    ).join("");
}

/** A node with what its user sees. */
export class Person implements AsyncDisposable {
  readonly events: NodeEvent[] = [];
  #wake: () => void = () => {};
  readonly #ended: Promise<void>;

  constructor(
    readonly node: Node,
    readonly identity: Identity,
    readonly known: KnownPeers,
    private readonly directory: string,
    /** Warnings, each cause at most once a second. */
    readonly log: readonly string[],
    reads: boolean,
  ) {
    this.#ended = reads ? this.#read() : Promise.resolve();
  }

  /** What was said to this person: `bob: text (trust)`. */
  get heard(): string[] {
    return this.events.flatMap((event) =>
      event.type === "message"
        ? [`${event.message.from}: ${event.message.content} (${event.trust})`]
        : []
    );
  }

  /** Resolves with the first event, past ones included, that matches. */
  async seen(matches: (event: NodeEvent) => boolean): Promise<NodeEvent> {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    while (true) {
      const found = this.events.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        deadline.onabort = () => reject(new Error(`never seen: ${matches}`));
      });
    }
  }

  hears(line: string): Promise<NodeEvent> {
    return this.seen((event) =>
      event.type === "message" && line === `${event.message.from}: ${event.message.content}`
    );
  }

  /** The ids that this person's profile remembers. */
  async remembered(): Promise<PeerId[]> {
    await this.known.flush();
    const { peers } = JSON.parse(await Deno.readTextFile(`${this.directory}/peers.json`));
    return peers.map(({ id }: { id: PeerId }) => id);
  }

  /** How often something was refused for causes that match. */
  refused(cause: RegExp): number {
    return Object.entries(this.node.refusals)
      .reduce((sum, [name, count]) => cause.test(name) ? sum + count : sum, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node[Symbol.asyncDispose]();
    await this.#ended;
    await this.known[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }

  async #read(): Promise<void> {
    for await (const event of this.node.events) {
      this.events.push(event);
      this.#wake();
    }
  }
}

/** How {@linkcode Lan.start} makes a node. */
export interface StartOptions {
  readonly plaintext?: PlaintextPolicy;
  readonly clock?: Clock;
  readonly identity?: Identity;
  /** What it keeps of what is said; nothing unless told. */
  readonly history?: NodeHistory;
  /** Whether the user interface takes the events; yes unless told. */
  readonly reads?: boolean;
  /** How it connects; over TCP unless told. */
  readonly dial?: Transport["dial"];
}

/**
 * Datagrams of one LAN in memory, streams over TCP on 127.0.0.1: nodes and attackers find each
 * other without disturbing what else runs on this machine.
 */
export class Lan {
  readonly #host: MemoryHost = new MemoryNetwork(systemClock, systemRandom).host(
    { name: "lo", address: "127.0.0.1", netmask: "255.0.0.0", lan: "lo" },
    { name: "lo", address: "127.0.0.2", netmask: "255.0.0.0", lan: "lo" },
  );

  /** Starts a node that knows nobody. */
  async start(nickname: string, options: StartOptions = {}): Promise<Person> {
    const { plaintext = "allow", clock = systemClock, reads = true } = options;
    const identity = options.identity ?? await newIdentity();
    const directory = await Deno.makeTempDir({ prefix: "parlance-attack-" });
    const knownPeers = await KnownPeers.open({ directory, clock, log: silentLog });
    const log: string[] = [];
    const node = await Node.start({
      ...defaultNodeOptions,
      nickname,
      interfaces: ["127.0.0.1"],
      security: { identity, knownPeers, plaintext },
      history: options.history,
    }, {
      clock,
      random: systemRandom,
      log: { ...silentLog, warn: (line) => void log.push(line) },
      transport: { ...tcpTransport, dial: options.dial ?? tcpTransport.dial },
      lan: this.#host.lan,
      dialTextChannel: () => Promise.reject(new Error("There is no server")),
    });
    return new Person(node, identity, knownPeers, directory, log, reads);
  }

  /** Sends a datagram to everybody, from an address of the attacker's choice. */
  async say(datagram: Datagram, from = "127.0.0.1"): Promise<void> {
    using socket = this.#host.lan.open(from);
    await socket.send(encodeDatagram(datagram), {
      hostname: MULTICAST_GROUP,
      port: MULTICAST_PORT,
    });
  }

  /** Announces a peer; without an id as version 1 does. */
  announce(nickname: string, tcpPort: number, id?: PeerId, from?: string): Promise<void> {
    const version = id === undefined ? 1 : 2;
    return this.say({ type: "announce", nickname, tcpPort, version, ask: false, id }, from);
  }
}

/** Has two people say something to each other, over one encrypted session. */
export async function talk(a: Person, b: Person, text: string): Promise<void> {
  const isUp = (other: Person) => (event: NodeEvent) =>
    event.type === "peer_up" && event.peer.id === other.identity.id;
  await Promise.all([a.seen(isUp(b)), b.seen(isUp(a))]);
  for (const [from, to] of [[a, b], [b, a]]) {
    await from.node.send(to.node.nickname, text);
    const event = await to.hears(`${from.node.nickname}: ${text}`);
    assert.ok(event.type === "message" && event.encrypted && event.id === from.identity.id);
  }
}

/** Everybody whom alice knows by a session, and nobody else. */
export async function assertKnows(alice: Person, ...others: Person[]): Promise<void> {
  const ids = await alice.remembered();
  assert.deepEqual(ids.sort(), others.map(({ identity }) => identity.id).sort());
}
