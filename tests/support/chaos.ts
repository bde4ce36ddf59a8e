import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { type Random, systemRandom } from "../../lib/base/random.ts";
import { messageOf } from "../../lib/errors.ts";
import { makeCertificate } from "../../lib/identity/certificate_maker.ts";
import { makeIdentity } from "../../lib/identity/identity.ts";
import { KnownPeers } from "../../lib/identity/known_peers.ts";
import { defaultNodeOptions, Node } from "../../lib/node.ts";
import { MemoryNetwork } from "../../lib/transport/memory.ts";
import type { Stream, Transport } from "../../lib/transport/stream.ts";
import { tcpTransport } from "../../lib/transport/tcp.ts";

/** Nodes that all send to each other. */
const NODES = 5;
/** Between two bursts of messages, and between two breaks: up to this, in milliseconds. */
const SEND_MS = 10;
const KILL_MS = 60;
/** Everything is settled within this time after the last break, in milliseconds. */
const SETTLE_MS = 30_000;

/** What became of one message. */
interface Fate {
  readonly from: number;
  readonly to: number;
  readonly number: number;
  state: "waiting" | "sent" | Error;
}

/** What {@linkcode runChaos} did, all of it as it should be. */
export interface ChaosReport {
  readonly sent: number;
  readonly notSent: number;
  readonly kills: number;
}

/**
 * Five nodes on this machine talk to each other through TLS over TCP while connections are closed
 * at random, in the middle of a handshake as well as in use. Fails unless each message that was
 * reported as sent arrived once and in order, and one that was reported as not sent did not.
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
  const nodes: Node[] = [];
  const heard: string[][] = [];
  for (let index = 0; index < NODES; index++) {
    const directory = await Deno.makeTempDir();
    cleanup.defer(() => Deno.remove(directory, { recursive: true }));
    const certificate = await makeCertificate(systemRandom);
    const identity = await makeIdentity(certificate.keyPem, certificate.certificatePem);
    const knownPeers = cleanup.use(
      await KnownPeers.open({ directory, clock: systemClock, log: silentLog }),
    );
    const address = `10.0.0.${index + 1}`;
    const host = network.host({ name: "eth0", address, netmask: "255.0.0.0", lan: "lan" });
    const node = cleanup.use(
      await Node.start({
        ...defaultNodeOptions,
        nickname: `node${index}`,
        security: { identity, knownPeers, plaintext: "deny" },
      }, {
        clock: systemClock,
        random: systemRandom,
        log: silentLog,
        transport,
        lan: host.lan,
        dialTextChannel: () => Promise.reject(new Error("There is no server")),
      }),
    );
    nodes.push(node);
    const own: string[] = [];
    heard.push(own);
    void (async () => {
      for await (const event of node.events) {
        if (event.type === "message") own.push(event.message.content);
      }
    })();
  }
  const deadline = systemClock.monotonic() + 10_000;
  while (nodes.some((node) => node.peers().length < NODES - 1)) {
    assert.ok(systemClock.monotonic() < deadline, "the nodes did not find each other");
    await setTimeout(10);
  }

  const fates: Fate[] = [];
  let kills = 0;
  const end = systemClock.monotonic() + durationMs;
  const counters = new Map<string, number>();
  const send = (from: number, to: number) => {
    const number = counters.get(`${from} ${to}`) ?? 0;
    counters.set(`${from} ${to}`, number + 1);
    const fate: Fate = { from, to, number, state: "waiting" };
    fates.push(fate);
    nodes[from].send(`node${to}`, `${from} ${to} ${number}`).then(
      () => fate.state = "sent",
      (error) => fate.state = error instanceof Error ? error : new Error(messageOf(error)),
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
  while (systemClock.monotonic() < end) {
    const from = pick(NODES);
    const to = (from + 1 + pick(NODES - 1)) % NODES;
    for (let burst = 1 + pick(4); burst > 0; burst--) send(from, to);
    await setTimeout(random() * SEND_MS);
  }
  await breaking;
  const settled = systemClock.monotonic() + SETTLE_MS;
  while (fates.some(({ state }) => state === "waiting")) {
    assert.ok(systemClock.monotonic() < settled, "a message is neither sent nor reported");
    await setTimeout(10);
  }
  await setTimeout(100); // what "cannot be told" may still arrive
  checkFates(fates, heard);
  const sent = fates.filter(({ state }) => state === "sent").length;
  return { sent, notSent: fates.length - sent, kills };
}

function checkFates(fates: readonly Fate[], heard: readonly string[][]): void {
  const arrived = new Set<string>();
  const last = new Map<string, number>();
  for (const content of heard.flat()) {
    const [from, to, number] = content.split(" ").map(Number);
    const before = last.get(`${from} ${to}`) ?? -1;
    assert.ok(number > before, `${content} came after number ${before}`);
    last.set(`${from} ${to}`, number);
    arrived.add(content);
  }
  for (const { from, to, number, state } of fates) {
    const content = `${from} ${to} ${number}`;
    if (state === "sent") assert.ok(arrived.has(content), `${content} was lost`);
    else if (!messageOf(state).startsWith("Cannot tell")) {
      assert.ok(!arrived.has(content), `${content} arrived, but: ${messageOf(state)}`);
    }
  }
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
