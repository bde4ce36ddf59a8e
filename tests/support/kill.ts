import { checkHistoryOf } from "./kill_check.ts";
import { planFaults } from "./kill_faults.ts";
import { FragileNetwork } from "./kill_network.ts";
import { SeededRandom } from "./kill_random.ts";
import { FragileServer } from "./kill_server.ts";
import { Writer } from "./kill_writer.ts";
import { startClient } from "./program.ts";
import { unique } from "./unique.ts";

/** A whole run may take this long, in milliseconds: a multiple of what any takes. */
const RUN_LIMIT_MS = 600_000;
/** Without a kill or a break, silence is noticed late; announces are not to hold up anything. */
const CONFIG = "[peer]\nannounce_interval_secs = 1\ntimeout_secs = 5\n";

/** So many messages, on each side, may be written before a fault, and each time it lets them. */
const BEFORE = 10;
const RELEASED = 25;

/** What goes wrong in a run. */
export interface Trouble {
  /** Messages in each direction. */
  readonly messages: number;
  /** At least so many kills, of both together. */
  readonly kills: number;
  /** Failures of the network between the two, which then are hosts of their own. */
  readonly cuts: number;
  /** How many of those are longer than a session lasts without a sign of life. */
  readonly longCuts: number;
  /** How often the bootstrap server is killed, through which alone they know of each other. */
  readonly restarts?: number;
}

export const TROUBLES = {
  kill: { messages: 2000, kills: 44, cuts: 0, longCuts: 0 },
  cut: { messages: 2000, kills: 0, cuts: 24, longCuts: 2 },
  both: { messages: 2000, kills: 20, cuts: 14, longCuts: 1 },
  server: { messages: 2000, kills: 20, cuts: 0, longCuts: 0, restarts: 10 },
} as const satisfies Record<string, Trouble>;
export type TroubleName = keyof typeof TROUBLES;

/** What a run came to. */
export interface KillReport {
  /** In both directions together. */
  readonly messages: number;
  readonly kills: number;
  readonly cuts: number;
  /** Commands that were stored, but not answered, when their client was killed. */
  readonly foundStored: number;
  /** Commands that were not, and were given again. */
  readonly repeated: number;
  /** Messages that went back to their outbox from a session. */
  readonly returned: number;
  /** Messages that were stored, and never shown. */
  readonly notShown: number;
  readonly seconds: number;
}

/**
 * Two clients write to each other while they are killed and started again, and the network between
 * them fails; at the end everything is in both histories once, in order, and delivered.
 *
 * @param part Of the messages and faults, from 0 to 1: less for a test that has less time.
 * @throws With the first difference, the seed, and how to repeat the run.
 */
export async function runKill(name: TroubleName, seed: number, part = 1): Promise<KillReport> {
  const trouble = partOf(TROUBLES[name], part);
  const began = performance.now();
  await using run = new AsyncDisposableStack();
  const network = trouble.cuts > 0 ? run.use(await FragileNetwork.make()) : undefined;
  const { restarts = 0 } = trouble;
  const server = restarts > 0 ? run.use(await FragileServer.start()) : undefined;
  const random = new SeededRandom(seed);
  const progress = new Progress();
  const nicknames = [unique("alice"), unique("bob")];
  const directories: string[] = [];
  const make = async (at: 0 | 1): Promise<Writer> => {
    const directory = await Deno.makeTempDir({ prefix: "parlance-kill-" });
    run.defer(() => Deno.remove(directory, { recursive: true }));
    directories.push(directory);
    const where = network === undefined ? ["--interface", "127.0.0.1"] : [];
    const writer = new Writer({
      nickname: nicknames[at],
      peer: nicknames[1 - at],
      count: trouble.messages,
      random: random.fork(),
      mayEnd: trouble.kills > 0,
      limit: () => progress.limit,
      onChange: () => progress.changed(),
      start: () =>
        startClient(nicknames[at], {
          args: ["--data-dir", directory, ...where, ...(server?.clientArgs ?? [])],
          config: CONFIG,
          host: network?.hosts[at],
        }),
    });
    return run.use(writer);
  };
  const writers = [await make(0), await make(1)] as const;
  const wake = () => writers.forEach((writer) => writer.wake());
  const [alice, bob] = writers;
  try {
    await Promise.all([alice.meet(bob), bob.meet(alice)]);
    const pauses = random.fork();
    const pause = () => pauses.pick([0, 0, 0, 50, 300]);
    const faults = async () => {
      const upTo = (limit: number) => {
        // The last ones come after the last fault.
        progress.limit = Math.min(trouble.messages - 1, Math.max(progress.limit, limit));
        wake();
      };
      const release = () => upTo(progress.limit + RELEASED);
      const planned = planFaults({ ...trouble, random, writers, network, server, release });
      for (const { at, inject } of planned) {
        const due = at * trouble.messages;
        upTo(Math.ceil(due) + BEFORE);
        await progress.until(() => alice.deliveredCount + bob.deliveredCount >= 2 * due);
        await inject();
      }
      progress.limit = trouble.messages;
      wake();
    };
    await within(
      RUN_LIMIT_MS,
      Promise.all([alice.write(pause), bob.write(pause), faults()]),
    );
    await Promise.all([alice.quit(), bob.quit()]);
    for (const at of [0, 1]) {
      await checkHistoryOf({
        nickname: nicknames[at],
        peer: nicknames[1 - at],
        directory: directories[at],
        count: trouble.messages,
      });
    }
  } catch (error) {
    throw new Error(
      `${error instanceof Error ? error.message : error}\nSeed ${seed}; to repeat it: ` +
        `deno run -A tests/soak/kill.ts ${name} ${seed} ${
          part === 1 ? "" : `part=${part}`
        }\n${alice.report()}\n${bob.report()}`,
      { cause: error },
    );
  }
  return {
    messages: 2 * trouble.messages,
    kills: alice.kills + bob.kills,
    cuts: trouble.cuts,
    foundStored: alice.foundStored + bob.foundStored,
    repeated: alice.repeated + bob.repeated,
    returned: alice.returned + bob.returned,
    notShown: 2 * trouble.messages - alice.heard.length - bob.heard.length,
    seconds: (performance.now() - began) / 1000,
  };
}

function partOf(trouble: Trouble, part: number): Trouble {
  const { messages, kills, cuts, longCuts, restarts = 0 } = trouble;
  return {
    messages: Math.ceil(messages * part),
    kills: Math.ceil(kills * part),
    cuts: Math.ceil(cuts * part),
    longCuts: Math.ceil(longCuts * part),
    restarts: Math.ceil(restarts * part),
  };
}

/** What faults wait for. */
class Progress {
  /** Up to here both may write. */
  limit = 0;
  readonly #waiting = new Set<() => void>();

  changed(): void {
    for (const look of [...this.#waiting]) look();
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${limitMs / 1000} s have passed`)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
