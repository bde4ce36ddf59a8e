import { silentLog } from "../../lib/base/log.ts";
import type { Outgoing } from "../../lib/chat/delivery.ts";
import type { Carrier } from "../../lib/chat/carrier.ts";
import { Outbox, type OutboxStore } from "../../lib/chat/outbox.ts";
import type { ContactName } from "../../lib/store/contacts.ts";
import type { DiskSync } from "../../lib/store/log_file.ts";
import { Store } from "../../lib/store/store.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { messageIdOf } from "../support/message_ids.ts";

/** Carries messages to a peer that the test plays. */
export class ManualCarrier implements Carrier {
  open_ = false;
  reachable = false;
  /** How often somebody tried to open it. */
  attempts = 0;
  openError: Error | undefined;
  /** Messages that must not go to whom they are for now. */
  isUntrusted: (content: string) => boolean = () => false;
  readonly handedOver: { message: Outgoing; outcome: PromiseWithResolvers<void> }[] = [];

  isOpen(): boolean {
    return this.open_;
  }

  isReachable(): boolean {
    return this.reachable;
  }

  admits({ content }: Outgoing): boolean {
    return !this.isUntrusted(content);
  }

  open(): Promise<void> {
    this.attempts++;
    if (this.openError !== undefined) return Promise.reject(this.openError);
    this.open_ = true;
    return Promise.resolve();
  }

  send(message: Outgoing): Promise<void> {
    const outcome = Promise.withResolvers<void>();
    this.handedOver.push({ message, outcome });
    return outcome.promise;
  }

  /** What was handed over, in order. */
  get contents(): string[] {
    return this.handedOver.map(({ message }) => message.content);
  }

  /** The peer takes everything that it was sent. */
  takeAll(): void {
    for (const { outcome } of this.handedOver) outcome.resolve();
  }

  /** The session breaks for good: nobody can tell what has arrived. */
  breakDown(error: Error): void {
    this.open_ = false;
    for (const { outcome } of this.handedOver.splice(0)) outcome.reject(error);
  }
}

/** A store in memory, for as many runs as a test needs; writing fails while told to. */
export class TestStore {
  /** Why writing fails now. */
  failure: Error | undefined;
  readonly outbox: { -readonly [Name in keyof OutboxStore]: OutboxStore[Name] };

  private constructor(readonly store: Store) {
    const { outbox } = store;
    const writing = <A extends unknown[], R>(write: (...args: A) => Promise<R>) => (...args: A) =>
      this.failure === undefined ? write.apply(outbox, args) : Promise.reject(this.failure);
    this.outbox = {
      get lastKey() {
        return outbox.lastKey;
      },
      enqueue: writing(outbox.enqueue),
      delivered: writing(outbox.delivered),
      sent: writing(outbox.sent),
      failed: writing(outbox.failed),
      cancel: writing(outbox.cancel),
      expire: writing(outbox.expire),
      pending: (...args) => outbox.pending(...args),
      contactsWithPending: (...args) => outbox.contactsWithPending(...args),
      find: (id) => outbox.find(id),
    };
  }

  static async open(clock: FakeClock, disk?: DiskSync): Promise<TestStore> {
    return new TestStore(await Store.open({ path: undefined, clock, log: silentLog, disk }));
  }

  /** Messages with what the store says of them. */
  get states(): string[] {
    return this.store.history({ count: 1000 }).map(({ content, state }) => `${content}: ${state}`);
  }
}

/** What differs between worlds. */
export interface WorldOptions {
  readonly queuePlain?: boolean;
  readonly expireDays?: number;
  /** What takes messages after the memory; nothing unless given. */
  readonly disk?: DiskSync;
  /** Resolves when more news is welcome. */
  readonly ready?: () => Promise<void> | undefined;
}

/** An outbox with everything around it in the test's hand. */
export class OutboxWorld implements AsyncDisposable {
  readonly carriers = new Map<string, ManualCarrier>();
  /** States in order, as `content: state`, with the reason in brackets. */
  readonly story: string[] = [];
  readonly warnings: string[] = [];
  lastId = 0;

  private constructor(
    readonly clock: FakeClock,
    readonly store: TestStore,
    private readonly options: WorldOptions,
  ) {}

  outbox!: Outbox;

  /** @param former The world of an earlier run, whose store is used. */
  static async open(
    options: WorldOptions = {},
    former?: OutboxWorld,
  ): Promise<OutboxWorld> {
    const clock = former?.clock ?? new FakeClock();
    const store = former?.store ?? await TestStore.open(clock, options.disk);
    const world = new OutboxWorld(clock, store, options);
    world.lastId = former?.lastId ?? 0;
    world.#open();
    return world;
  }

  #open(): void {
    const { queuePlain = false, expireDays = 30, ready = () => undefined } = this.options;
    this.outbox = Outbox.open({
      clock: this.clock,
      random: { float: () => 0.5, bytes: (length) => new Uint8Array(length) },
      log: { ...silentLog, warn: (message) => this.warnings.push(message) },
      store: this.store.outbox,
      carrier: ({ nickname }) => this.carrier(nickname),
      ready,
      queuePlain,
      expireDays,
      onUnreachable: ({ nickname }, reason) =>
        this.story.push(`${nickname} cannot be reached: ${reason}`),
      onState: ({ content }, state, reason) =>
        this.story.push(`${content}: ${state}${reason === undefined ? "" : ` (${reason})`}`),
    });
  }

  carrier(nickname: string): ManualCarrier {
    const known = this.carriers.get(nickname);
    if (known !== undefined) return known;
    const carrier = new ManualCarrier();
    this.carriers.set(nickname, carrier);
    return carrier;
  }

  send(contact: ContactName, content: string, id = messageIdOf(++this.lastId)) {
    const timestamp = Math.floor(this.clock.now() / 1000);
    const encrypted = contact.id !== undefined;
    const trust = encrypted ? "known" : "plain";
    const message = { id, contact, content, timestamp, encrypted, trust } as const;
    return this.outbox.send(message);
  }

  /** What the store says of each message. */
  get states(): string[] {
    return this.store.states;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.outbox[Symbol.dispose]();
    return Promise.resolve();
  }
}

/** Lets everything happen that waits for nothing but a turn of the event loop. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
