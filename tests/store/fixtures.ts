import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import type { ContactName } from "../../lib/store/contacts.ts";
import type { OutgoingMessage, ReceivedMessage } from "../../lib/store/message.ts";
import type { DiskSync } from "../../lib/store/log_file.ts";
import { HISTORY_FILE } from "../../lib/store/schema.ts";
import { Store, type StoreOptions } from "../../lib/store/store.ts";
import { MessageIdSource } from "../../lib/wire/message_id.ts";
import { formatPeerId } from "../../lib/wire/peer_id.ts";
import { FakeClock } from "../support/fake_clock.ts";

export const bob: ContactName = contact("bob", 1);
export const carol: ContactName = contact("carol", 2);

/** Somebody with an id made of one byte. */
export function contact(nickname: string, byte: number): ContactName {
  return { nickname, id: formatPeerId(new Uint8Array(32).fill(byte)) };
}

/** A disk that is never waited for: what is committed is there in the same turn of the event loop. */
export const promptDisk: DiskSync = {
  sync: () => Promise.resolve(undefined),
};

/** A directory for one test, with what it takes to open stores in it and write to them. */
export class StoreFixture implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly ids = new MessageIdSource(this.clock, systemRandom);

  private constructor(readonly directory: string) {}

  static async make(): Promise<StoreFixture> {
    return new StoreFixture(await Deno.makeTempDir({ prefix: "parlance-store-" }));
  }

  get path(): string {
    return `${this.directory}/${HISTORY_FILE}`;
  }

  /** With a disk that is never waited for; `disk: undefined` waits for that of this machine. */
  open(options: Partial<StoreOptions> = {}): Promise<Store> {
    const { path, clock } = this;
    return Store.open({ path, clock, log: silentLog, disk: promptDisk, ...options });
  }

  /** A message to bob. */
  outgoing(content: string, fields: Partial<OutgoingMessage> = {}): OutgoingMessage {
    const timestamp = Math.floor(this.clock.now() / 1000);
    const marks = { state: "pending", encrypted: true, trust: "verified" } as const;
    return { contact: bob, id: this.ids.next(), content, timestamp, ...marks, ...fields };
  }

  /** A message from bob. */
  incoming(content: string, fields: Partial<ReceivedMessage> = {}): ReceivedMessage {
    const timestamp = Math.floor(this.clock.now() / 1000);
    const marks = { encrypted: true, trust: "known" } as const;
    return { contact: bob, id: this.ids.next(), content, timestamp, ...marks, ...fields };
  }

  /** Writes what changes nothing that anybody reads: something that is queued before is done then. */
  async turn(store: Store): Promise<void> {
    await store.outbox.sent(this.ids.next());
  }

  /** The user has seen all that came. */
  showAll(store: Store): void {
    const last = store.history({ count: 1 }).at(-1);
    if (last !== undefined) store.inbox.shownTo(last.key);
  }

  /** Deletes by the limits, when the user has seen all that came. */
  prune(store: Store, ...limits: Parameters<Store["prune"]>): Promise<number> {
    this.showAll(store);
    return store.prune(...limits);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** What is said in messages. */
export function contents(messages: Iterable<{ content: string }>): string[] {
  return [...messages].map(({ content }) => content);
}
