import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { systemClock } from "../../lib/base/clock.ts";
import { type Random, systemRandom } from "../../lib/base/random.ts";
import { messageOf } from "../../lib/errors.ts";
import { MemoryNetwork } from "../../lib/transport/memory.ts";
import type { Stream, Transport } from "../../lib/transport/stream.ts";
import { tcpTransport } from "../../lib/transport/tcp.ts";
import { ChaosNode } from "./chaos_node.ts";

/** Nodes that all send to each other. */
const NODES = 5;
/** Between two bursts of messages, and between two breaks: up to this, in milliseconds. */
const SEND_MS = 10;
const KILL_MS = 60;
/** Between two ends of a node, and from its end to its next start: up to this, in milliseconds. */
const END_MS = 2000;
const AWAY_MS = 300;
/** Everything is settled within this time after the last break, in milliseconds. */
const SETTLE_MS = 30_000;

/** What became of one message. */
interface Fate {
  readonly from: number;
  readonly to: number;
  readonly content: string;
  state: "waiting" | "sent" | Error;
  /** The receiver's latest run when the sender was told. */
  toldInRun: number;
}

/** What {@linkcode runChaos} did, all of it as it should be. */
export interface ChaosReport {
  readonly sent: number;
  readonly notSent: number;
  /** Those of them that may have arrived, and are reported so. */
  readonly uncertain: number;
  /** Messages that a later run took, too: the break and the end swallowed their acknowledgement. */
  readonly takenAnew: number;
  readonly kills: number;
  readonly restarts: number;
}

/**
 * Five nodes on this machine talk to each other through TLS over TCP while connections are closed
 * at random, in the middle of a handshake as well as in use, and nodes end and start again with
 * their identities. Fails unless each message that was reported as sent arrived once and in order,
 * and one that was reported as not sent did not.
 *
 * @param seed Decides who sends to whom, and what breaks; the network's timing is its own.
 * @param durationMs How long messages are sent and connections broken.
 */
export async function runChaos(seed: number, durationMs: number): Promise<ChaosReport> {
  await using cleanup = new AsyncDisposableStack();
  const random = seeded(seed);
  const pick = (below: number) => Math.floor(random() * below);
  const streams = new Set<Stream>();
  const transport = killable(streams);
  const network = new MemoryNetwork(systemClock, systemRandom);
  const nodes: ChaosNode[] = [];
  for (let index = 0; index < NODES; index++) {
    const node = cleanup.use(await ChaosNode.make(index, network, transport));
    nodes.push(node);
    await node.start();
  }
  const deadline = systemClock.monotonic() + 10_000;
  while (nodes.some(({ node }) => node!.peers().length < NODES - 1)) {
    assert.ok(systemClock.monotonic() < deadline, "the nodes did not find each other");
    await setTimeout(10);
  }

  const fates: Fate[] = [];
  let kills = 0;
  let restarts = 0;
  const end = systemClock.monotonic() + durationMs;
  const counters = new Map<string, number>();
  const send = (from: number, to: number) => {
    const sender = nodes[from].node;
    if (sender === undefined) return;
    const number = counters.get(`${from} ${to}`) ?? 0;
    counters.set(`${from} ${to}`, number + 1);
    const content = `${from} ${to} ${number}`;
    const fate: Fate = { from, to, content, state: "waiting", toldInRun: 0 };
    fates.push(fate);
    const told = (state: "sent" | Error) => {
      fate.state = state;
      fate.toldInRun = nodes[to].heard.length;
    };
    sender.send(nodes[to].nickname, content).then(
      () => told("sent"),
      (error) => told(error instanceof Error ? error : new Error(messageOf(error))),
    );
  };
  const breaking = (async () => {
    while (systemClock.monotonic() < end) {
      await setTimeout(random() * KILL_MS);
      const all = [...streams];
      if (all.length === 0) continue;
      all[pick(all.length)].close();
      kills++;
    }
  })();
  const restarting = (async () => {
    while (systemClock.monotonic() < end) {
      await setTimeout(random() * Math.min(END_MS, end - systemClock.monotonic()));
      const node = nodes[pick(NODES)];
      await node.end();
      await setTimeout(random() * AWAY_MS);
      await node.start();
      restarts++;
    }
  })();
  while (systemClock.monotonic() < end) {
    const from = pick(NODES);
    const to = (from + 1 + pick(NODES - 1)) % NODES;
    for (let burst = 1 + pick(4); burst > 0; burst--) send(from, to);
    await setTimeout(random() * SEND_MS);
  }
  await Promise.all([breaking, restarting]);
  const settled = systemClock.monotonic() + SETTLE_MS;
  while (fates.some(({ state }) => state === "waiting")) {
    assert.ok(systemClock.monotonic() < settled, "a message is neither sent nor reported");
    await setTimeout(10);
  }
  await setTimeout(100); // what "cannot be told" may still arrive
  const takenAnew = checkFates(fates, nodes);
  const count = (is: (state: Fate["state"]) => boolean) =>
    fates.filter(({ state }) => is(state)).length;
  const sent = count((state) => state === "sent");
  const uncertain = count(isUncertain);
  return { sent, notSent: fates.length - sent, uncertain, takenAnew, kills, restarts };
}

/**
 * Returns how many messages a second run of their receiver took. A receiver that starts again does
 * not know what it took, so that is right for those whose sender had not been told by then.
 */
function checkFates(fates: readonly Fate[], nodes: readonly ChaosNode[]): number {
  const byContent = new Map(fates.map((fate) => [fate.content, fate]));
  /** In which run each message was taken last. */
  const arrived = new Map<string, number>();
  let takenAnew = 0;
  for (const { heard } of nodes) {
    for (const [run, contents] of heard.entries()) {
      const last = new Map<string, number>();
      for (const content of contents) {
        const [from, to, number] = content.split(" ").map(Number);
        const before = last.get(`${from} ${to}`) ?? -1;
        assert.ok(number > before, `${content} came after number ${before}`);
        last.set(`${from} ${to}`, number);
        if (arrived.has(content)) {
          takenAnew++;
          const { toldInRun } = byContent.get(content)!;
          assert.ok(toldInRun > run, `${content} came again although its sender was told`);
        }
        arrived.set(content, run);
      }
    }
  }
  for (const { content, state } of fates) {
    if (state === "sent") assert.ok(arrived.has(content), `${content} was lost`);
    else if (!isUncertain(state)) {
      assert.ok(!arrived.has(content), `${content} arrived, but: ${messageOf(state)}`);
    }
  }
  return takenAnew;
}

function isUncertain(state: Fate["state"]): boolean {
  return state instanceof Error && state.message.startsWith("Cannot tell");
}

/** TCP on this machine, whatever address the others see; keeps what is open. */
function killable(streams: Set<Stream>): Transport {
  const kept = (stream: Stream): Stream => {
    const close = stream.close.bind(stream);
    stream.close = () => {
      streams.delete(stream);
      close();
    };
    streams.add(stream);
    return stream;
  };
  return {
    dial: async ({ port }, signal) =>
      kept(await tcpTransport.dial({ hostname: "127.0.0.1", port }, signal)),
    listen: ({ port }) => {
      const listener = tcpTransport.listen({ hostname: "127.0.0.1", port });
      return {
        address: listener.address,
        accept: async () => kept(await listener.accept()),
        close: () => listener.close(),
        [Symbol.dispose]: () => listener.close(),
      };
    },
  };
}

/** The same numbers from 0 to 1 for the same seed. */
function seeded(seed: number): Random["float"] {
  let state = seed % 0x7fffffff || 1;
  return () => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff;
}
