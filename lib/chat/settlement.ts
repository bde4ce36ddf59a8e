import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { messageOf } from "../errors.ts";
import { contentBytes } from "../store/message.ts";
import type { Store } from "../store/store.ts";
import type { MessageId } from "../wire/message_id.ts";
import type { DeliveryState, Outgoing } from "./delivery.ts";

/** A state that could not be stored is tried again after this long, in milliseconds. */
const STORE_RETRY_MS = 5000;
/** Messages that are marked at once… */
const PAGE = 512;
/** …as far as their texts have no more bytes: a change of its mark writes a message again. */
const PAGE_BYTES = 2 * 2 ** 20;

type FinalState = Exclude<DeliveryState, "pending">;

/** What {@linkcode Settlement} works with, and whom it tells. */
export interface SettlementOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Pick<Store["outbox"], "delivered" | "sent" | "failed">;
  /** Ends the attempts to store what cannot be. */
  readonly signal: AbortSignal;
  readonly onState: (message: Outgoing, state: DeliveryState, reason?: string) => void;
}

/** Stores what became of messages, then tells; a disk that is full only delays that. */
export class Settlement {
  /** Whether the log says already that states cannot be stored. */
  #isLogged = false;

  constructor(private readonly options: SettlementOptions) {}

  /** Messages to one recipient have come as far as can be known. */
  async arrived(messages: readonly Outgoing[], state: "sent" | "delivered"): Promise<void> {
    const { store, onState } = this.options;
    const write = async () => {
      if (state === "sent") return await Promise.all(messages.map(({ id }) => store.sent(id)));
      const writing: Promise<unknown>[] = [];
      for (let at = 0; at < messages.length;) {
        const ids: MessageId[] = [];
        let bytes = 0;
        for (; at < messages.length && ids.length < PAGE; at++) {
          const size = contentBytes(messages[at].content);
          if (ids.length > 0 && bytes + size > PAGE_BYTES) break;
          bytes += size;
          ids.push(messages[at].id);
        }
        writing.push(store.delivered(messages[0].contact, ids, bytes));
      }
      return await Promise.all(writing);
    };
    if (await this.#store(state, write) === undefined) return;
    for (const message of messages) onState(message, state);
  }

  /** A message will never arrive. */
  async refused(message: Outgoing, reason: string): Promise<void> {
    const { store, onState } = this.options;
    if (await this.#store("failed", () => store.failed(message.id, reason)) === undefined) return;
    onState(message, "failed", reason);
  }

  /** Messages are not tried any more; what was given up, or taken back, meanwhile is told already. */
  async abandoned(messages: readonly Outgoing[], reason: string): Promise<void> {
    const { store, onState } = this.options;
    await Promise.all(messages.map(async (message) => {
      const wasOpen = await this.#store("failed", () => store.failed(message.id, reason));
      if (wasOpen) onState(message, "failed", reason);
    }));
  }

  /** @returns What `write` came to in the end; nothing where it never did. */
  async #store<T>(state: FinalState, write: () => Promise<T>): Promise<T | undefined> {
    const { clock, log, signal } = this.options;
    while (true) {
      try {
        const result = await write();
        this.#isLogged = false;
        return result;
      } catch (error) {
        if (signal.aborted) return undefined;
        if (!this.#isLogged) {
          this.#isLogged = true; // once for all messages that wait for the disk
          log.warn(`Cannot record that a message is ${state}, trying again: ${messageOf(error)}`);
        }
        await clock.sleep(STORE_RETRY_MS, signal).catch(() => {});
      }
    }
  }
}
