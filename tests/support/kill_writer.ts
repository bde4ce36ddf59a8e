import type { Child, Event } from "./child.ts";
import { contentOf, numberOf } from "./kill_content.ts";
import type { SeededRandom } from "./kill_random.ts";

/** Commands that are not answered, and messages that have not arrived, at the same time. */
const MAX_UNANSWERED = 100;
const MAX_UNDELIVERED = 300;
/** How far one writer may be ahead of the other: then a `history` of 1,000 shows all in doubt. */
const MAX_AHEAD = 300;
const HISTORY_COUNT = 1000;
/** Of the current run, in the report of a failure. */
const SHOWN_EVENTS = 20;

/** What a writer tells of, for faults to be timed by. */
export type Moment = "written" | "pending" | "sent" | "delivered" | "message" | "spawned";

/** For {@linkcode Writer}. */
export interface WriterOptions {
  readonly nickname: string;
  /** Whom it writes to. */
  readonly peer: string;
  /** How many messages. */
  readonly count: number;
  readonly random: SeededRandom;
  /** Starts the client, always with the same profile. */
  readonly start: () => Child;
  /** Whether the client may have ended: it was killed. */
  readonly mayEnd: boolean;
  /** Up to which number it may write now. */
  readonly limit: () => number;
  readonly onChange: () => void;
}

/**
 * A user who writes numbered messages, one after another, and whose client may be killed at any
 * moment. What no event has confirmed is looked up after a restart, as a careful program does: what
 * is stored is not said again, the rest is.
 */
export class Writer implements AsyncDisposable {
  /** Numbers of the other's messages, as they were shown, over all runs. */
  readonly heard: number[] = [];
  /** What the client said beside that: errors without a command. */
  readonly complaints: string[] = [];
  kills = 0;
  runs = 0;
  /** Messages that were stored although their command was not answered before the kill. */
  foundStored = 0;
  /** Messages that were not, and were sent again. */
  repeated = 0;
  /** Messages that were sent, and wait again. */
  returned = 0;
  readonly #options: WriterOptions;
  #child: Child | undefined;
  #isKilled = false;
  #isStopped = false;
  /** Events up to here are taken. */
  #taken = 0;
  /** All up to here are accepted: stored. */
  #accepted = 0;
  /** All up to here were written to the client in this run. */
  #written = 0;
  readonly #sent = new Set<number>();
  readonly #delivered = new Set<number>();
  /** Those of which an event has said so; a history may be ahead of the events. */
  readonly #toldDelivered = new Set<number>();
  readonly #numbers = new Map<string, number>();
  readonly #waiting = new Map<Moment, Set<() => void>>();
  readonly #looks = new Set<() => void>();
  #partner: Writer | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  get nickname(): string {
    return this.#options.nickname;
  }

  get deliveredCount(): number {
    return this.#delivered.size;
  }

  get acceptedCount(): number {
    return this.#accepted;
  }

  get isDone(): boolean {
    return this.#delivered.size === this.#options.count;
  }

  /** Resolves at the next moment of a kind. */
  next(moment: Moment): Promise<void> {
    return new Promise((resolve) => {
      let waiting = this.#waiting.get(moment);
      if (waiting === undefined) this.#waiting.set(moment, waiting = new Set());
      waiting.add(resolve);
    });
  }

  /** Kills the client, wherever it is; it is started again. */
  kill(): void {
    if (this.#child === undefined || this.#isKilled) return;
    this.#isKilled = true;
    this.kills++;
    this.#child.kill("SIGKILL");
  }

  /** Starts the client, and resolves when it sees the other one. */
  async meet(partner: Writer): Promise<void> {
    this.#partner = partner;
    const child = this.#spawn();
    await child.waitFor({ event: "peer_up", nickname: this.#options.peer });
  }

  /** Writes everything, and resolves when everything is delivered; the client still runs then. */
  async write(pauseBeforeStart: () => number): Promise<void> {
    while (!this.isDone) {
      const over = new AbortController();
      const running = this.#run(over.signal);
      try {
        await Promise.race([this.#listen(), running]);
      } catch (error) {
        if (!this.#isKilled || this.#isStopped) throw error;
        over.abort();
        await running.catch(() => {});
        await this.#child!.exited();
        this.#takeEvents(); // what it said before its end holds
        await this.#child![Symbol.asyncDispose]();
        await sleep(pauseBeforeStart());
        if (this.#isStopped) throw error;
        this.#spawn();
      }
    }
  }

  /** Something may be possible now that was not before. */
  wake(): void {
    for (const look of [...this.#looks]) look();
  }

  /** Ends the client in the ordinary way. */
  async quit(): Promise<void> {
    await this.#child!.send({ command: "quit" });
    const { code } = await this.#child!.exited();
    if (code !== 0) throw new Error(`${this.nickname} ended with status ${code}`);
    this.#takeEvents();
  }

  /** Ends the client, if it runs, for good. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#child?.[Symbol.asyncDispose]();
  }

  report(): string {
    const missing: number[] = [];
    for (let number = 1; number <= this.#accepted && missing.length < 5; number++) {
      if (!this.#delivered.has(number)) missing.push(number);
    }
    const events = (this.#child?.events ?? []).slice(-SHOWN_EVENTS)
      .map((event) => JSON.stringify(event).slice(0, 200));
    return `${this.nickname}: ${this.#written} written, ${this.#accepted} accepted, ` +
      `${this.#delivered.size} delivered${missing.length > 0 ? ` (first not: ${missing})` : ""}, ` +
      `${this.heard.length} heard, ${this.kills} kills; the last events:\n${events.join("\n")}\n` +
      `${this.complaints.slice(-10).join("\n")}\n${this.#child?.stderr.slice(-2000) ?? ""}`;
  }

  #spawn(): Child {
    this.#isKilled = false;
    this.#taken = 0;
    this.#sent.clear();
    this.runs++;
    this.#child = this.#options.start();
    this.#tell("spawned");
    return this.#child;
  }

  /** One run of the client, until everything is delivered; rejects where it ends before. */
  async #run(over: AbortSignal): Promise<void> {
    const { random, count } = this.#options;
    await this.#until(over, () => this.#child!.events[0]?.event === "ready");
    await this.#reconcile(over);
    while (this.#written < count) {
      await this.#until(over, () => this.#hasRoom());
      let lines = "";
      for (let left = random.between(1, 40); left > 0 && this.#hasRoom(); left--) {
        const number = ++this.#written;
        const { nickname, peer } = this.#options;
        const content = contentOf(nickname, number);
        lines += JSON.stringify({ command: "send", to: peer, content, ref: number }) + "\n";
      }
      await this.#child!.write(lines);
      this.#tell("written");
      this.#options.onChange();
      if (random.chance(0.3)) {
        await this.#until(over, () => this.#accepted >= this.#written);
      } else if (random.chance(0.5)) await sleep(random.between(0, 15));
      over.throwIfAborted();
    }
    await this.#until(over, () => this.isDone);
  }

  #hasRoom(): boolean {
    return this.#written < this.#options.count &&
      this.#written - this.#accepted < MAX_UNANSWERED &&
      this.#written - this.#delivered.size < MAX_UNDELIVERED &&
      this.#written - (this.#partner?.acceptedCount ?? 0) < MAX_AHEAD &&
      this.#written < this.#options.limit();
  }

  /** Finds out what is stored: what was confirmed must be, of the rest the first ones may be. */
  async #reconcile(over: AbortSignal): Promise<void> {
    const { nickname } = this.#options;
    const ref = `history ${this.runs}`;
    await this.#child!.send({ command: "history", count: HISTORY_COUNT, ref });
    const answer = await this.#until(
      over,
      () => this.#child!.events.find((event) => event.ref === ref),
    );
    if (!Array.isArray(answer.messages)) {
      throw this.#fault(`cannot show its history: ${JSON.stringify(answer)}`);
    }
    const own = (answer.messages as Event[]).filter(({ state }) => state !== undefined);
    const numbers = own.map(({ content }) => numberOf(nickname, content));
    for (const [at, number] of numbers.entries()) {
      const { message_id: id, state } = own[at];
      if (at > 0 && number !== numbers[at - 1] + 1) {
        throw this.#fault(`has ${number} behind ${numbers[at - 1]} in its history`);
      }
      this.#numbers.set(String(id), number);
      if (state === "delivered") this.#delivered.add(number);
      else if (this.#delivered.has(number)) {
        throw this.#fault(`said that ${number} is delivered, and now that it is ${state}`);
      }
    }
    const last = numbers.at(-1) ?? 0;
    if (last < this.#accepted) {
      throw this.#fault(`had accepted ${this.#accepted}, and has stored up to ${last} only`);
    }
    if (last > this.#written) throw this.#fault(`has stored ${last}, which was never written`);
    this.foundStored += last - this.#accepted;
    this.repeated += this.#written - last;
    this.#accepted = this.#written = last;
  }

  #takeEvents(): void {
    const { events } = this.#child!;
    for (; this.#taken < events.length; this.#taken++) this.#take(events[this.#taken]);
  }

  #take(event: Event): void {
    const { nickname, peer } = this.#options;
    switch (event.event) {
      case "pending":
      case "sent":
      case "delivered":
        this.#takeState(event);
        this.#tell(event.event);
        return this.#options.onChange();
      case "message": {
        if (event.from !== peer) return;
        const number = numberOf(peer, event.content);
        const last = this.heard.at(-1) ?? 0;
        // What a run that was killed has shown may be shown again, which is then said.
        if (number <= last && event.earlier === true && this.#options.mayEnd) return;
        if (number !== last + 1) throw this.#fault(`was shown ${number} of ${peer} after ${last}`);
        this.heard.push(number);
        this.#tell("message");
        return;
      }
      case "failed":
        throw this.#fault(`gave up a message: ${JSON.stringify(event)}`);
      case "error":
        if (event.ref !== undefined) throw this.#fault(`refused: ${event.message}`);
        this.complaints.push(`${nickname}: ${event.message}`);
    }
  }

  #takeState({ event, ref, message_id }: Event): void {
    const id = String(message_id);
    const known = this.#numbers.get(id);
    const number = known ?? Number(ref);
    if (!Number.isInteger(number)) {
      throw this.#fault(`told of an unknown message: ${JSON.stringify({ event, ref, id })}`);
    }
    if (ref !== undefined && Number(ref) !== number) {
      throw this.#fault(`told of ${number} with the ref ${ref}`);
    }
    if (known === undefined) {
      if (number !== this.#accepted + 1) {
        throw this.#fault(`accepted ${number} behind ${this.#accepted}`);
      }
      this.#accepted = number;
      this.#numbers.set(id, number);
    }
    if (this.#toldDelivered.has(number)) {
      throw this.#fault(`told that ${number} is ${event} after it was delivered`);
    }
    if (event === "sent") this.#sent.add(number);
    else if (this.#sent.delete(number) && event === "pending") this.returned++;
    if (event !== "delivered") return;
    this.#toldDelivered.add(number);
    this.#delivered.add(number);
  }

  #tell(moment: Moment): void {
    const waiting = this.#waiting.get(moment);
    this.#waiting.delete(moment);
    for (const resolve of waiting ?? []) resolve();
  }

  /** Takes what the client says until it ends, or has said nothing for too long. */
  async #listen(): Promise<never> {
    const child = this.#child!;
    while (true) {
      await child.waitUntil("anything", () => child.events.length > this.#taken || undefined);
      this.#takeEvents();
      this.wake();
    }
  }

  /** Waits for something that the client says, or that others do. */
  #until<T>(over: AbortSignal, condition: () => T | undefined | false): Promise<T> {
    return new Promise((resolve, reject) => {
      over.addEventListener("abort", () => {
        this.#looks.delete(look);
        reject(over.reason);
      }, { once: true });
      const look = () => {
        const value = condition();
        if (value === undefined || value === false) return;
        this.#looks.delete(look);
        resolve(value);
      };
      this.#looks.add(look);
      look();
    });
  }

  #fault(what: string): Error {
    return new Error(`${this.nickname} ${what}`);
  }
}

/** Milliseconds. */
export function sleep(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time));
}
