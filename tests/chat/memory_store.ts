import { type OutgoingMessage, recipientKey, type StoredMessage } from "../../lib/chat/delivery.ts";
import type { Recipient } from "../../lib/chat/delivery.ts";
import type { OutboxStore } from "../../lib/chat/outbox.ts";

interface Row {
  readonly message: StoredMessage;
  state: string;
  reason?: string;
}

/** The outbox's part of the store, in memory; commits in a later turn, and fails when told to. */
export class MemoryStore implements OutboxStore {
  readonly rows: Row[] = [];
  /** Why writing fails now. */
  failure: Error | undefined;
  /** How often `pending` was asked. */
  reads = 0;
  #key = 0;

  async enqueue(message: OutgoingMessage): Promise<StoredMessage> {
    await this.#commit();
    const stored = { ...message, key: ++this.#key };
    this.rows.push({ message: stored, state: "pending" });
    return stored;
  }

  pending(recipient: Recipient, after: number, limit: number): StoredMessage[] {
    this.reads++;
    return this.rows.filter(({ state, message }) =>
      state === "pending" && message.key > after &&
      recipientKey(message.recipient) === recipientKey(recipient)
    ).slice(0, limit).map(({ message }) => message);
  }

  recipients(): Recipient[] {
    const pending = this.rows.filter(({ state }) => state === "pending");
    return [
      ...new Map(
        pending.map(({ message: { recipient } }) => [recipientKey(recipient), recipient]),
      ).values(),
    ];
  }

  async settle(key: number, state: string, reason?: string): Promise<void> {
    await this.#commit();
    const row = this.rows.find(({ message }) => message.key === key);
    if (row?.state === "pending") Object.assign(row, { state, reason });
  }

  async expire(before: number, reason: string): Promise<StoredMessage[]> {
    await this.#commit();
    const old = this.rows.filter(({ state, message }) =>
      state === "pending" && message.timestamp * 1000 < before
    );
    for (const row of old) Object.assign(row, { state: "failed", reason });
    return old.map(({ message }) => message);
  }

  async #commit(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.failure !== undefined) throw this.failure;
  }
}
