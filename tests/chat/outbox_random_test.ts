import assert from "node:assert/strict";
import { idOf } from "../peer/session_fixtures.ts";
import { SeededRandom } from "../support/kill_random.ts";
import { OutboxWorld, turns } from "./outbox_fixtures.ts";

const SEED = 20_261_123;
const RUNS = 300;
const STEPS = 120;
const bob = { id: idOf(2), nickname: "bob" };

/** One run: whatever may happen to an outbox and one peer, in random order. */
class RandomRun {
  readonly #random: SeededRandom;
  #world: OutboxWorld;
  /** What became of messages, as earlier programs told it. */
  readonly #story: string[] = [];
  #written = 0;
  readonly #sending: Promise<void>[] = [];
  readonly accepted: string[] = [];
  readonly cancelled = new Set<string>();
  /** What the peer has taken, each once, in order. */
  readonly taken = new Set<string>();

  private constructor(seed: number, world: OutboxWorld) {
    this.#random = new SeededRandom(seed);
    this.#world = world;
  }

  static async make(seed: number): Promise<RandomRun> {
    return new RandomRun(seed, await OutboxWorld.open());
  }

  get world(): OutboxWorld {
    return this.#world;
  }

  /** Everything that was told, by all programs. */
  get story(): string[] {
    return [...this.#story, ...this.#world.story];
  }

  async step(): Promise<void> {
    const random = this.#random;
    switch (random.between(0, 10)) {
      case 0:
      case 1:
      case 2:
        return this.#write(random.between(1, 4));
      case 3:
        return this.#come();
      case 4:
        return this.#take(random.between(0, 4));
      case 5:
        this.#take(random.between(0, 4), false);
        return this.#world.carrier("bob").breakDown(new Error("broken"));
      case 6:
        return await turns(random.between(0, 3));
      case 7:
        return await this.#world.clock.advance(random.between(0, 8000));
      case 8:
        return this.#cancel();
      case 9:
        return this.#decide(random.chance(0.6));
      case 10:
        if (random.chance(0.3)) await this.#fillDisk();
        else if (random.chance(0.2)) await this.#restart();
    }
  }

  /** Lets everything arrive that can. */
  async end(): Promise<void> {
    await Promise.all(this.#sending);
    this.#decide(true);
    for (let turn = 0; turn < 60 && !this.#world.outbox.isClear(bob); turn++) {
      this.#come();
      await turns(4);
      this.#take(Infinity);
      await this.#world.clock.advance(6000);
    }
    this.#world.outbox[Symbol.dispose]();
  }

  #write(count: number): void {
    for (; count > 0; count--) {
      const content = `${this.#written++}`;
      const sending = this.#world.send(bob, content);
      this.#sending.push(sending.then(() => void this.accepted.push(content), () => {}));
    }
  }

  #come(): void {
    const carrier = this.#world.carrier("bob");
    carrier.open_ = carrier.reachable = true;
    this.#world.outbox.wake(bob);
  }

  /** The peer takes some messages, and says so, or cannot. */
  #take(count: number, isConfirmed = true): void {
    const { handedOver } = this.#world.carrier("bob");
    for (const { message, outcome } of handedOver.slice(0, count)) {
      this.taken.add(message.content);
      if (isConfirmed) outcome.resolve();
    }
    if (isConfirmed) handedOver.splice(0, count);
  }

  #cancel(): void {
    const waiting = this.#world.store.store.outbox.list("pending", { limit: 50 });
    if (waiting.length === 0) return;
    const { id, content } = this.#random.pick(waiting);
    void this.#world.outbox.cancel(id!).then(() => this.cancelled.add(content), () => {});
  }

  #decide(isTrusted: boolean): void {
    this.#world.carrier("bob").isUntrusted = () => !isTrusted;
    this.#world.outbox.wakeAll();
  }

  async #fillDisk(): Promise<void> {
    const { store, clock } = this.#world;
    store.failure = new Error("disk full");
    await turns(2);
    await clock.advance(this.#random.between(0, 7000));
    store.failure = undefined;
  }

  async #restart(): Promise<void> {
    await Promise.all(this.#sending.splice(0));
    this.#world.outbox[Symbol.dispose]();
    this.#world.carrier("bob").breakDown(new Error("gone"));
    await turns(3);
    this.#story.push(...this.#world.story);
    this.#world = await OutboxWorld.open({}, this.#world);
  }
}

Deno.test("outbox brings everything across once, in order and with true marks, whatever happens", async () => {
  for (let seed = SEED; seed < SEED + RUNS; seed++) {
    const run = await RandomRun.make(seed);
    for (let step = 0; step < STEPS; step++) await run.step();
    await run.end();
    const { world, taken, cancelled, accepted } = run;
    const repeat = `with seed ${seed}`;
    assert.ok(world.outbox.isClear(bob), `something is left ${repeat}`);
    const numbers = [...taken].map(Number);
    assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b), `out of order ${repeat}`);
    const lost = accepted.filter((content) => !taken.has(content) && !cancelled.has(content));
    assert.deepEqual(lost, [], `lost ${repeat}`);
    const marks = accepted.map((content) =>
      `${content}: ${cancelled.has(content) ? "failed" : "delivered"}`
    );
    assert.deepEqual(world.states.toSorted(), marks.toSorted(), `wrong marks ${repeat}`);
    const told = run.story.map((line) => line.replace(" (cancelled)", ""))
      .filter((line) => /: (failed|delivered)$/.test(line));
    assert.deepEqual(told.toSorted(), marks.toSorted(), `wrong news ${repeat}`);
  }
});
