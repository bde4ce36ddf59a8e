import assert from "node:assert/strict";
import type { Child, Event } from "../support/child.ts";
import { startClient } from "../support/program.ts";
import { sessionTest } from "../support/sessions.ts";
import { unique } from "../support/unique.ts";

/** Debian's package `faketime`: gives a program another time of day than the machine's. */
const library = await findLibrary();

async function findLibrary(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  for (const architecture of ["x86_64", "aarch64"]) {
    const path = `/usr/lib/${architecture}-linux-gnu/faketime/libfaketimeMT.so.1`;
    const isThere = await Deno.stat(path).then(() => true, () => false);
    if (isThere) return path;
  }
}

/** A user whose clock is set while his client runs. */
class Clockwork implements AsyncDisposable {
  readonly nickname: string;
  #child: Child | undefined;

  private constructor(name: string, private readonly directory: string) {
    this.nickname = unique(name);
  }

  static async make(name: string): Promise<Clockwork> {
    const user = new Clockwork(name, await Deno.makeTempDir({ prefix: "parlance-clock-" }));
    user.setDays(0);
    user.start();
    return user;
  }

  get child(): Child {
    return this.#child!;
  }

  start(): void {
    this.#child = startClient(this.nickname, {
      args: ["--data-dir", `${this.directory}/data`, "--interface", "127.0.0.1"],
      env: {
        LD_PRELOAD: library!,
        FAKETIME_TIMESTAMP_FILE: `${this.directory}/offset`,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
      },
    });
  }

  /** Sets the clock that many days away from the machine's. */
  setDays(days: number): void {
    // A reader must never see half of it.
    Deno.writeTextFileSync(`${this.directory}/new`, `${days < 0 ? "" : "+"}${days}d\n`);
    Deno.renameSync(`${this.directory}/new`, `${this.directory}/offset`);
  }

  async quit(): Promise<void> {
    await this.child.send({ command: "quit" });
    assert.equal((await this.child.exited()).code, 0);
    await this.child[Symbol.asyncDispose]();
  }

  /** Sends a message; resolves when it is delivered. */
  async say(to: Clockwork, content: string): Promise<void> {
    await this.child.send({ command: "send", to: to.nickname, content, ref: content });
    await this.child.waitFor({ event: "delivered", ref: content });
  }

  /** What is kept, in order; of what was sent the state too. */
  async kept(): Promise<string[]> {
    const from = this.child.mark();
    await this.child.send({ command: "history", count: 1000 });
    const { messages } = await this.child.waitFor({ event: "history" }, from);
    return (messages as Event[]).map(({ content, state }) =>
      state === undefined ? `${content}` : `${content} (${state})`
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

const DAY_S = 86_400;
const name =
  "order and delivery hold when the clocks of two programs jump a day, also over restarts";

sessionTest(library === undefined ? `SKIPPED (no libfaketime): ${name}` : name, async () => {
  await using alice = await Clockwork.make("alice");
  await using bob = await Clockwork.make("bob");
  const meet = () =>
    Promise.all([
      alice.child.waitFor({ event: "peer_up", nickname: bob.nickname }),
      bob.child.waitFor({ event: "peer_up", nickname: alice.nickname }),
    ]);
  await meet();
  const expected = { alice: [] as string[], bob: [] as string[] };
  let number = 0;
  const exchange = async () => {
    const [there, back] = [`${++number} there`, `${number} back`];
    await alice.say(bob, there);
    await bob.say(alice, back);
    expected.alice.push(`${there} (delivered)`, back);
    expected.bob.push(there, `${back} (delivered)`);
  };
  await exchange();
  for (const [ofAlice, ofBob] of [[-1, 0], [1, 0], [0, -1], [0, 1], [-1, 1], [1, -1], [0, 0]]) {
    alice.setDays(ofAlice);
    bob.setDays(ofBob);
    await exchange();
    const day = (days: number) => Date.now() / 1000 + days * DAY_S;
    const { timestamp } = await bob.child.waitFor({ event: "message", content: `${number} there` });
    assert.ok(Math.abs(Number(timestamp) - day(ofAlice)) < 60, "the clock was not set");
  }
  assert.deepEqual(await alice.kept(), expected.alice);
  assert.deepEqual(await bob.kept(), expected.bob);

  // What waits, and what was written a day later or earlier, and an identity from the future.
  await bob.quit();
  await alice.child.waitFor({ event: "peer_down", nickname: bob.nickname });
  const waiting: string[] = [];
  for (const days of [1, -1, 0]) {
    alice.setDays(days);
    waiting.push(`waiting ${days}`);
    const content = waiting.at(-1)!;
    await alice.child.send({ command: "send", to: bob.nickname, content, ref: content });
    await alice.child.waitFor({ event: "pending", ref: content });
  }
  await alice.quit();
  alice.setDays(-1);
  bob.setDays(-1);
  alice.start();
  bob.start();
  await meet();
  for (const content of waiting) await bob.child.waitFor({ event: "message", content });
  expected.alice.push(...waiting.map((content) => `${content} (delivered)`));
  expected.bob.push(...waiting);
  await exchange(); // its delivery is marked behind that of the others
  assert.deepEqual(await alice.kept(), expected.alice);
  assert.deepEqual(await bob.kept(), expected.bob);
}, library === undefined ? "no libfaketime, which Debian has in the package faketime" : undefined);
