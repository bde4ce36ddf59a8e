import { silentLog } from "../../lib/base/log.ts";
import type { Recipient, StoredMessage } from "../../lib/chat/delivery.ts";
import type { Carrier } from "../../lib/chat/lane.ts";
import { Outbox } from "../../lib/chat/outbox.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryStore } from "./memory_store.ts";

/** Carries messages to a peer that the test plays. */
export class ManualCarrier implements Carrier {
  open_ = false;
  reachable = false;
  /** How often somebody tried to open it. */
  attempts = 0;
  openError: Error | undefined;
  readonly handedOver: { message: StoredMessage; outcome: PromiseWithResolvers<void> }[] = [];

  isOpen(): boolean {
    return this.open_;
  }

  isReachable(): boolean {
    return this.reachable;
  }

  open(): Promise<void> {
    this.attempts++;
    if (this.openError !== undefined) return Promise.reject(this.openError);
    this.open_ = true;
    return Promise.resolve();
  }

  send(message: StoredMessage): Promise<void> {
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

/** An outbox with everything around it in the test's hand. */
export class OutboxWorld implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly carriers = new Map<string, ManualCarrier>();
  /** States in order, as `content: state`, with the reason in brackets. */
  readonly story: string[] = [];
  readonly log = { ...silentLog };
  outbox!: Outbox;
  #id = 0;

  constructor(readonly store = new MemoryStore()) {}

  async open({ queuePlain = false, expireDays = 30 } = {}): Promise<this> {
    this.outbox = await Outbox.open({
      clock: this.clock,
      random: { float: () => 0.5, bytes: (length) => new Uint8Array(length) },
      log: this.log,
      store: this.store,
      carrier: ({ nickname }) => this.carrier(nickname),
      queuePlain,
      expireDays,
      onState: ({ content }, state, reason) =>
        this.story.push(`${content}: ${state}${reason === undefined ? "" : ` (${reason})`}`),
    });
    return this;
  }

  carrier(nickname: string): ManualCarrier {
    const known = this.carriers.get(nickname);
    if (known !== undefined) return known;
    const carrier = new ManualCarrier();
    this.carriers.set(nickname, carrier);
    return carrier;
  }

  send(recipient: Recipient, content: string) {
    const id = `00000000-0000-7000-8000-${String(++this.#id).padStart(12, "0")}`;
    const timestamp = Math.floor(this.clock.now() / 1000);
    return this.outbox.send({ id, recipient, content, timestamp });
  }

  /** What the store says of each message. */
  get states(): string[] {
    return this.store.rows.map(({ message, state }) => `${message.content}: ${state}`);
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
