import { type Cut, CUTS, type FragileNetwork } from "./kill_network.ts";
import type { SeededRandom } from "./kill_random.ts";
import type { FragileServer } from "./kill_server.ts";
import { type Moment, sleep, type Writer } from "./kill_writer.ts";

/** A fault waits no longer than this for its moment, in milliseconds. */
const MOMENT_MS = 2000;
/** Longer than a session with messages on their way takes to notice that nothing comes. */
const SILENT_MS = 13_000;
/** Longer than messages wait for a session that broke: they go back to the outbox. */
const BROKEN_MS = 17_000;

const MOMENTS: readonly Moment[] = ["written", "pending", "sent", "delivered", "message"];

/** What the faults of a run can be. */
export interface FaultOptions {
  readonly random: SeededRandom;
  readonly writers: readonly [Writer, Writer];
  /** Kills, at least, and cuts. */
  readonly kills: number;
  readonly cuts: number;
  /** How many of the cuts are long ones. */
  readonly longCuts: number;
  readonly network: FragileNetwork | undefined;
  /** How often the bootstrap server is killed. */
  readonly restarts?: number;
  readonly server: FragileServer | undefined;
  /** Lets the writers go on: a fault is to find messages on their way. */
  readonly release: () => void;
}

/** What to do, and when: at which part of all deliveries, from 0 to 1. */
interface Fault {
  readonly at: number;
  readonly inject: () => Promise<void>;
}

/** Plans the faults of a run, spread over it, in order. */
export function planFaults(options: FaultOptions): Fault[] {
  const { random, kills, cuts, longCuts, restarts = 0, server } = options;
  // The last part of the messages is left for the last faults to be seen in.
  const spread = (count: number, inject: (index: number) => Promise<void>): Fault[] =>
    Array.from({ length: count }, (_, index) => ({
      at: (index + random.float()) / count * 0.95,
      inject: () => inject(index),
    }));
  const injected = [
    ...spread(kills, () => injectKill(options)),
    ...spread(cuts, (index) => {
      const every = Math.ceil(cuts / longCuts);
      if (index % every !== 0) return injectCut(options, random.pick([20, 100, 400, 1500]));
      return injectCut(options, index / every % 2 === 0 ? BROKEN_MS : SILENT_MS);
    }),
    ...spread(restarts, () => {
      options.release();
      return server!.restart();
    }),
  ];
  return injected.sort((a, b) => a.at - b.at);
}

async function injectKill({ random, writers, release }: FaultOptions): Promise<void> {
  const [victim, other] = random.chance(0.5) ? writers : [writers[1], writers[0]];
  const way = random.float();
  if (way < 0.65) {
    const moment = soon(victim.next(random.pick(MOMENTS)));
    release();
    await moment;
  } else if (way < 0.75) {
    // With the other one gone, messages wait.
    other.kill();
    const moment = soon(victim.next("pending"));
    release();
    await moment;
  } else if (way < 0.85) {
    release();
    await sleep(random.between(0, 50));
    other.kill();
  } else {
    // While it starts, and for a while after.
    release();
    const spawned = soon(victim.next("spawned"));
    victim.kill();
    await spawned;
    await sleep(random.between(0, 700));
  }
  // What the client has just told of is followed by something within a moment or two.
  if (random.chance(0.5)) await sleep(random.between(0, 8));
  victim.kill();
}

async function injectCut(options: FaultOptions, time: number): Promise<void> {
  const { random, network, writers, kills, release } = options;
  const isLong = time >= SILENT_MS;
  const kind: Cut = isLong ? random.pick(CUTS.slice(0, 4)) : random.pick(CUTS);
  const at = random.pick([0, 1] as const);
  release();
  const restore = await network!.cut(kind, at);
  release();
  try {
    if (time === BROKEN_MS) await network!.reset();
    if (kills > 0 && random.chance(0.6)) {
      const early = random.between(0, Math.min(time, 2000));
      await sleep(early);
      random.pick(writers).kill();
      await sleep(time - early);
    } else await sleep(time);
  } finally {
    await restore();
  }
}

/** Waits for a moment that may not come. */
async function soon(moment: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, MOMENT_MS));
  await Promise.race([moment, late]);
  clearTimeout(timer);
}
