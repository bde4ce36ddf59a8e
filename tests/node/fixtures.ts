import { type Log, silentLog } from "../../lib/base/log.ts";
import { defaultNodeOptions, Node, type NodeEvent, type NodeOptions } from "../../lib/node.ts";
import { type MemoryHost, MemoryNetwork } from "../../lib/transport/memory.ts";
import type { DialTextChannel } from "../../lib/transport/text_channel.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { addHost } from "../peer/fixtures.ts";

/** Randomness that is the same in every run: each node still gets an instance of its own. */
function countingRandom() {
  let state = 1;
  const next = () => state = (state * 48271) % 0x7fffffff;
  return {
    float: () => next() / 0x7fffffff,
    bytes: (length: number) => new Uint8Array(length).map(() => next() & 255),
  };
}

const noServer: DialTextChannel = () => Promise.reject(new Error("There is no server"));

/** Nodes in one process, on a network in memory and a clock that the test moves. */
export class World {
  readonly clock = new FakeClock();
  readonly #random = countingRandom();
  readonly network = new MemoryNetwork(this.clock, this.#random);
  #nextAddress = 1;

  /** Adds a host on the common LAN. */
  host(): MemoryHost {
    return addHost(this.network, `10.0.0.${this.#nextAddress++}`);
  }

  /** Starts a node, on a host of its own unless one is given. */
  start(
    nickname: string,
    { host = this.host(), log = silentLog, dialTextChannel = noServer, ...options }:
      & Partial<NodeOptions>
      & { host?: MemoryHost; log?: Log; dialTextChannel?: DialTextChannel } = {},
  ): Promise<Node> {
    return Node.start({ ...defaultNodeOptions, ...options, nickname }, {
      clock: this.clock,
      random: this.#random,
      log,
      transport: host.transport,
      lan: host.lan,
      dialTextChannel,
    });
  }
}

/** Takes a node's events as they come. */
export class Listening {
  readonly events: NodeEvent[] = [];
  /** Resolves when the events have ended. */
  readonly ended: Promise<void>;

  constructor(readonly node: Node) {
    this.ended = (async () => {
      for await (const event of node.events) this.events.push(event);
    })();
  }

  /** The events in short: `+bob`, `-bob (reason)`, `bob: text`, `new bob`, `! problem`, `bob delivered`. */
  get story(): string[] {
    return this.events.map((event) => {
      switch (event.type) {
        case "peer_up":
          return `+${event.peer.nickname}`;
        case "peer_down":
          return `-${event.peer.nickname} (${event.reason})`;
        case "message":
          return `${event.message.from}: ${event.message.content}`;
        case "identity":
          return `${event.change} ${event.nickname}`;
        case "delivery":
          return `${event.to.nickname} ${event.state}`;
        case "bootstrap":
          return `bootstrap ${event.state}`;
        case "problem":
          return `! ${event.message}`;
      }
    });
  }

  /** What was said by others. */
  get heard(): string[] {
    return this.events.flatMap((event) =>
      event.type === "message" ? [`${event.message.from}: ${event.message.content}`] : []
    );
  }
}
