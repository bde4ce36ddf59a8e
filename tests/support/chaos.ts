import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { type Random, systemRandom } from "../../lib/base/random.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Peer } from "../../lib/node.ts";
import { MemoryNetwork } from "../../lib/transport/memory.ts";
import { HastenedClock } from "./chaos_clock.ts";
import { checkKept, checkSent, type Fate, isGivenUp, isUncertain } from "./chaos_fates.ts";
import { type ChaosConnection, ChaosNetwork } from "./chaos_network.ts";
import { ChaosNode } from "./chaos_node.ts";

/** Nodes that all send to each other. */
const NODES = 5;
/** Between two bursts of messages, and between two breaks: up to this, in milliseconds. */
const SEND_MS = 10;
const CLOSE_MS = 60;
/** Between two silences, by the nodes' clock: a pair needs up to 25 s to notice one. */
const SILENCE_MS = 3000;
/** Between two ends of a node, and from its end to its next start: up to this, in milliseconds. */
const END_MS = 2000;
const AWAY_MS = 300;
/** Everything is settled within this time after the last break, by the nodes' clock. */
const SETTLE_MS = 90_000;
/** Nodes find each other within this time, in milliseconds. */
const MEET_MS = 20_000;

/** For {@linkcode runChaos}. */
export interface ChaosOptions {
  /** Decides who sends to whom, and what breaks; the network's timing is its own. */
  readonly seed: number;
  /** How long messages are sent and connections broken, in milliseconds. */
  readonly durationMs: number;
  /** How much faster than the machine's the nodes' clock runs; 1 where missing. */
  readonly haste?: number;
  /** Whether the nodes keep what is said, so that nothing at all may be lost; no where missing. */
  readonly keeps?: boolean;
}

/** What {@linkcode runChaos} did, all of it as it should be. */
export interface ChaosReport {
  /** Messages that were acknowledged; with stores: accepted, all of which arrived. */
  readonly sent: number;
  readonly notSent: number;
  /** Those of them that may have arrived, and are reported so. */
  readonly uncertain: number;
  /** Messages that a later run took, too: the break and the end swallowed their acknowledgement. */
  readonly takenAnew: number;
  /** With stores: messages that are kept and were not shown, since the run ended in between. */
  readonly notShown: number;
  /** Connections that were closed, and that went silent. */
  readonly closes: number;
  readonly silences: number;
  /** Those of each that carried a session between two nodes with messages on their way. */
  readonly closesInUse: number;
  readonly silencesInUse: number;
  /** Messages that those breaks caught while both of their nodes stayed, and those of them that
   * were sent all the same. */
  readonly caught: number;
  readonly carried: number;
  /**
   * Messages that were not sent, surely or perhaps, although both of their nodes stayed, and the
   * sender had found the other one.
   */
  readonly givenUp: number;
  readonly restarts: number;
}

/**
 * Five nodes on this machine talk to each other through TLS over TCP while connections are closed
 * or go silent at random, in the middle of a handshake as well as in use, and nodes end and start
 * again with their identities. Fails unless each message that was reported as sent arrived once and
 * in order, and one that was reported as not sent did not; with stores, unless each message that
 * was accepted arrived once and in order.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  await using chaos = await Chaos.begin(options);
  return await chaos.run();
}

/**
 * Fails unless breaks have met messages on their way, and these were sent all the same: that
 * nothing was lost is no wonder where nothing was sent.
 */
export function assertRecovers(report: ChaosReport): void {
  const { sent, notSent, uncertain, caught, carried, givenUp, closesInUse, silencesInUse } = report;
  const all = sent + notSent;
  const text = JSON.stringify(report);
  assert.ok(closesInUse >= 10 && silencesInUse >= 2, `Too few breaks of sessions in use: ${text}`);
  assert.ok(caught >= 50 && carried >= caught * 0.95, `Breaks lose messages: ${text}`);
  // Up to 25 s of silence, and 15 s for coming back, may be too long when it breaks again.
  assert.ok(givenUp <= all * 0.05, `Messages are given up between nodes that stay: ${text}`);
  // The others are those that were on their way when one of their nodes ended.
  assert.ok(uncertain <= all * 0.25, `Too many cannot be told: ${text}`);
}

class Chaos implements AsyncDisposable {
  readonly #nodes: ChaosNode[] = [];
  readonly #network = new ChaosNetwork();
  readonly #fates: Fate[] = [];
  /** Of which the sender has not been told anything yet. */
  readonly #waiting = new Set<Fate>();
  /** That have not arrived, as far as their sender knows; by their content. */
  readonly #underway = new Map<string, Fate>();
  readonly #numbers = new Map<string, number>();
  readonly #random: Random["float"];
  readonly #haste: number;
  readonly #count = { closes: 0, silences: 0, closesInUse: 0, silencesInUse: 0, restarts: 0 };
  readonly #cleanup = new AsyncDisposableStack();
  #end = 0;

  private constructor(private readonly options: ChaosOptions) {
    this.#random = seeded(options.seed);
    this.#haste = options.haste ?? 1;
  }

  /** Starts the nodes and waits until they know each other. */
  static async begin(options: ChaosOptions): Promise<Chaos> {
    const chaos = new Chaos(options);
    try {
      await chaos.#begin();
      return chaos;
    } catch (error) {
      await chaos[Symbol.asyncDispose]();
      throw error;
    }
  }

  async run(): Promise<ChaosReport> {
    const { keeps = false, durationMs } = this.options;
    this.#end = performance.now() + durationMs;
    await Promise.all([
      this.#sending(),
      this.#closing(),
      this.#silencing(),
      this.#restarting(),
    ]);
    await this.#settle(() => this.#waiting.size === 0, "each message is sent or reported");
    let [takenAnew, notShown] = [0, 0];
    if (keeps) {
      const delivered = () => this.#nodes.every(({ pendingCount }) => pendingCount === 0);
      await this.#settle(delivered, "everything is delivered");
      notShown = checkKept(this.#fates, this.#nodes);
    } else {
      await setTimeout(100); // what "cannot be told" may still arrive
      takenAnew = checkSent(this.#fates, this.#nodes);
    }
    const sent = this.#fates.filter(({ state }) => state === "sent").length;
    const caught = this.#fates.filter(({ wasCaught, wasEnded }) => wasCaught && !wasEnded);
    return {
      sent,
      notSent: this.#fates.length - sent,
      uncertain: this.#fates.filter(isUncertain).length,
      takenAnew,
      notShown,
      caught: caught.length,
      carried: caught.filter(({ state }) => state === "sent").length,
      givenUp: this.#fates.filter((fate) => isGivenUp(fate)).length,
      ...this.#count,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }

  async #begin(): Promise<void> {
    const clock = new HastenedClock(this.#haste);
    const network = new MemoryNetwork(clock, systemRandom);
    const { keeps = false } = this.options;
    for (let index = 0; index < NODES; index++) {
      const transport = this.#network.transport(index);
      const onDelivered = (content: string) => void this.#underway.delete(content);
      const node = await ChaosNode.make(index, { clock, network, transport, keeps, onDelivered });
      this.#nodes.push(this.#cleanup.use(node));
      await node.start();
    }
    const deadline = performance.now() + MEET_MS;
    while (this.#nodes.some(({ node }) => node!.peers().length < NODES - 1)) {
      assert.ok(performance.now() < deadline, "the nodes did not find each other");
      await setTimeout(10);
    }
  }

  get #isOver(): boolean {
    return performance.now() >= this.#end;
  }

  #pick(below: number): number {
    return Math.floor(this.#random() * below);
  }

  async #sending(): Promise<void> {
    while (!this.#isOver) {
      const from = this.#pick(NODES);
      this.#burst(from, (from + 1 + this.#pick(NODES - 1)) % NODES);
      await setTimeout(this.#random() * SEND_MS);
    }
  }

  async #closing(): Promise<void> {
    while (!this.#isOver) {
      await setTimeout(this.#random() * CLOSE_MS);
      const connection = await this.#victim();
      if (connection === undefined) continue;
      this.#count.closes++;
      if (this.#catch(connection)) this.#count.closesInUse++;
      connection.close();
    }
  }

  async #silencing(): Promise<void> {
    while (!this.#isOver) {
      await setTimeout(this.#random() * SILENCE_MS / this.#haste);
      const connection = await this.#victim();
      if (connection === undefined) continue;
      this.#count.silences++;
      if (this.#catch(connection)) this.#count.silencesInUse++;
      connection.silence((["both", "forth", "back"] as const)[this.#pick(3)]);
    }
  }

  async #restarting(): Promise<void> {
    while (!this.#isOver) {
      await setTimeout(this.#random() * Math.min(END_MS, this.#end - performance.now()));
      const index = this.#pick(NODES);
      const node = this.#nodes[index];
      for (const fate of this.#underway.values()) {
        if (fate.from === index || fate.to === index) fate.wasEnded = true;
      }
      await node.end();
      await setTimeout(this.#random() * AWAY_MS);
      await node.start();
      this.#count.restarts++;
    }
  }

  /** A connection to break, often with messages just sent, some turns of the event loop ago. */
  async #victim(): Promise<ChaosConnection | undefined> {
    const all = this.#network.connections.filter(({ isSilent }) => !isSilent);
    const connection = all[this.#pick(all.length)];
    const turns = this.#pick(4);
    if (connection === undefined) return undefined;
    const [a, b] = connection.nodes;
    if (turns === 0 || b === undefined) return connection;
    this.#burst(a, b);
    this.#burst(b, a);
    for (let turn = 1; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    return connection;
  }

  /** Notes what is on its way between the nodes of a connection; returns whether anything is. */
  #catch({ nodes: [a, b] }: ChaosConnection): boolean {
    const other = this.#nodes[b]?.node;
    if (other === undefined || !this.#nodes[a].node?.isConnected({ id: other.id } as Peer)) {
      return false;
    }
    let any = false;
    for (const fate of this.#underway.values()) {
      const { from, to } = fate;
      if (!(from === a && to === b) && !(from === b && to === a)) continue;
      fate.wasCaught = true;
      any = true;
    }
    return any;
  }

  #burst(from: number, to: number): void {
    for (let left = 1 + this.#pick(4); left > 0; left--) this.#send(from, to);
  }

  #send(from: number, to: number): void {
    const sender = this.#nodes[from].node;
    if (sender === undefined) return;
    const number = this.#numbers.get(`${from} ${to}`) ?? 0;
    this.#numbers.set(`${from} ${to}`, number + 1);
    const { nickname, heard } = this.#nodes[to];
    const content = `${from} ${to} ${number}`;
    const fate: Fate = {
      from,
      to,
      content,
      state: "waiting",
      toldInRun: 0,
      wasCaught: false,
      wasEnded: this.#nodes[to].node === undefined,
    };
    this.#fates.push(fate);
    this.#waiting.add(fate);
    this.#underway.set(content, fate);
    const told = (state: "sent" | Error) => {
      fate.state = state;
      fate.toldInRun = heard.length;
      this.#waiting.delete(fate);
      if (!this.options.keeps || state !== "sent") this.#underway.delete(content);
    };
    const promise = this.options.keeps
      ? sender.post(nickname, content)
      : sender.send(nickname, content);
    promise.then(
      () => told("sent"),
      (error) => told(error instanceof Error ? error : new Error(messageOf(error))),
    );
  }

  async #settle(isDone: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + SETTLE_MS / this.#haste;
    while (!isDone()) {
      assert.ok(performance.now() < deadline, `never: ${what}`);
      await setTimeout(10);
    }
  }
}

/** The same numbers from 0 to 1 for the same seed. */
function seeded(seed: number): Random["float"] {
  let state = seed % 0x7fffffff || 1;
  return () => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff;
}
