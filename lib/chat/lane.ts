import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { messageOf, RefusedError } from "../errors.ts";
import { Backoff } from "./backoff.ts";
import type { Carrier } from "./carrier.ts";
import type { Outgoing } from "./delivery.ts";
import { Pace } from "./pace.ts";

/** Messages, and UTF-16 units of them, that are on their way to one recipient at the same time. */
const MAX_IN_FLIGHT = 8192;
const MAX_IN_FLIGHT_LENGTH = 2 * 1024 * 1024;
/** Messages that are read from the store at once. */
const PAGE = 512;

/** What {@linkcode Lane} works with and whom it tells. */
export interface LaneOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly carrier: Carrier;
  /** Only messages behind this key are to be handed over. */
  readonly after: number;
  /** Pending messages of the recipient behind a key, in order. */
  readonly pending: (after: number, limit: number) => Outgoing[];
  /** Resolves when more news is welcome; `undefined` when it is now. */
  readonly ready: () => Promise<void> | undefined;
  /** Whether a message is not to be handed over now. */
  readonly isHeld: (message: Outgoing) => boolean;
  /** The message was handed over. */
  readonly onSent: (message: Outgoing) => void;
  /** Messages have arrived; resolves when that is stored. */
  readonly onArrived: (messages: readonly Outgoing[]) => Promise<void>;
  /** The message will never arrive; resolves when that is stored. */
  readonly onRefused: (message: Outgoing, reason: string) => Promise<void>;
  /** The message waits again. */
  readonly onReturned: (message: Outgoing, reason: string) => void;
  /**
   * The recipient is announced and cannot be reached, or what waits cannot be read; once until that
   * has changed.
   */
  readonly onUnreachable: (reason: string) => void;
  /** Nothing is on its way any more; more may wait for the recipient. */
  readonly onQuiet: () => void;
}

/**
 * The messages to one recipient, in order: those that are on their way, within a window, and the
 * way from the store to there. Whoever is away costs nothing but the place in the store.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #inFlight = new Map<number, Outgoing>();
  #length = 0;
  /** Everything up to this key was handed over, and all that is left of it is in flight. */
  #handedOver: number;
  /** What follows on that, so that it need not be read again; no more than a window. */
  #next: Outgoing[] = [];
  #nextLength = 0;
  /** Whether the store may have more behind that. */
  #hasMore = true;
  /** The first message that was passed over and may go later; Infinity where there is none. */
  #passedOver = Infinity;
  /** What has arrived in this turn. */
  #arrived: Outgoing[] = [];
  readonly #pace: Pace;
  #opening: Promise<void> | undefined;
  readonly #backoff: Backoff;
  /** Whether the user knows that the recipient cannot be reached. */
  #isTold = false;
  #isPumping = false;
  /** Whether it waits for its turn: once, however often it is asked to go on. */
  #isWaiting = false;
  #cancelTurn: (() => void) | undefined;
  #closed = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#handedOver = options.after;
    this.#pace = new Pace(options.clock);
    this.#backoff = new Backoff(options);
  }

  /** Whether messages are on their way, or will be without anybody's doing. */
  get isBusy(): boolean {
    return this.#inFlight.size > 0 || this.#opening !== undefined ||
      (this.#isBehind && !this.#backoff.isWaiting && this.#options.carrier.isOpen());
  }

  /** Whether nothing waits either. */
  get isEmpty(): boolean {
    return !this.#isBehind && this.#passedOver === Infinity && this.#inFlight.size === 0;
  }

  /** Whether this message is on its way. */
  has(key: number): boolean {
    return this.#inFlight.has(key);
  }

  /** Whether this message is on its way, or may be without being read from the store again. */
  holds(key: number): boolean {
    if (this.#inFlight.has(key)) return true;
    return this.#next.length > 0 && key >= this.#next[0].key && key <= this.#next.at(-1)!.key;
  }

  /**
   * A message was stored as the last one of this recipient.
   *
   * @returns Whether it is on its way already.
   */
  add(message: Outgoing): boolean {
    if (this.#closed) return false;
    // What was stored together with others may have been read with them.
    if (message.key <= this.#handedOver) {
      return this.#inFlight.has(message.key) || message.key < this.#passedOver;
    }
    if (!this.#hasMore && this.#options.carrier.isOpen()) {
      if (this.#next.length === 0 && this.#hasRoom()) return this.#handOver(message);
      if (this.#next.length < MAX_IN_FLIGHT && this.#nextLength < MAX_IN_FLIGHT_LENGTH) {
        this.#next.push(message);
        this.#nextLength += message.content.length;
        this.wake();
        return false;
      }
    }
    this.#hasMore = true;
    this.#pump();
    return this.#inFlight.has(message.key);
  }

  /**
   * For whoever writes much: what is ahead of the recipient by more than what is on its way has to
   * be read from the store again.
   *
   * @returns Resolves when half of what may be on its way has arrived, or after a tenth of a second;
   *   `undefined` when it has, or nothing moves, so that waiting is in vain.
   */
  pace(): Promise<void> | undefined {
    const { carrier } = this.#options;
    if (!this.#isAhead || (this.#opening === undefined && !carrier.isOpen())) return undefined;
    return this.#pace.wait();
  }

  get #isAhead(): boolean {
    return this.#isBehind || !this.#isHalfEmpty();
  }

  /** Something may be possible now that was not before. */
  wake(): void {
    if (this.#isPumping || this.#closed || !this.#isBehind) return;
    this.#isPumping = true;
    // A later microtask: what a session has to send again goes before what is new.
    queueMicrotask(() => {
      this.#isPumping = false;
      this.#pump();
    });
  }

  /** The recipient has come, or a session with it: no reason to wait for the next attempt. */
  hurry(): void {
    this.#backoff.cancel();
    this.#backoff.reset();
    this.lookAgain();
    this.wake();
  }

  /** What was passed over may go now, or have left the store. */
  lookAgain(): void {
    if (this.#passedOver < Infinity) this.rewind(this.#passedOver);
  }

  /** Hands nothing over any more. */
  close(): void {
    this.#closed = true;
    this.#backoff.cancel();
    this.#cancelTurn?.();
    this.#pace.goOn();
  }

  get #isBehind(): boolean {
    return this.#hasMore || this.#next.length > 0;
  }

  /** What has just come back is not handed over again at once. */
  get #isReady(): boolean {
    return !this.#closed && !this.#isWaiting && !this.#backoff.isWaiting;
  }

  /** @param hasTurn Whether it has waited for its turn to make news. */
  #pump(hasTurn = false): void {
    const { carrier, ready } = this.#options;
    while (this.#isReady && this.#isBehind && this.#hasRoom()) {
      if (!carrier.isOpen()) {
        this.#readAgain();
        return this.#open();
      }
      const room = hasTurn ? undefined : ready();
      if (room !== undefined) return this.#waitForRoom(room);
      hasTurn = false;
      const page = this.#takePage();
      if (page === undefined) return this.#checkQuiet();
      // Any number may have to be passed over, which is no reason to keep others waiting.
      if (!this.#handOverAll(page)) return this.#letOthers();
    }
    this.#checkQuiet();
  }

  /** @returns Whether all went; else some were passed over. */
  #handOverAll(page: readonly Outgoing[]): boolean {
    let hasAllGone = true;
    for (const message of page) {
      // What has no room is read again.
      if (!this.#hasRoom()) {
        this.#readAgain();
        break;
      }
      if (this.#inFlight.has(message.key)) this.#handedOver = message.key;
      else if (!this.#handOver(message)) hasAllGone = false;
    }
    return hasAllGone;
  }

  #waitForRoom(room: Promise<void>): void {
    this.#isWaiting = true;
    void room.then(() => {
      this.#isWaiting = false;
      this.#pump(true);
    });
  }

  /** Goes on in a later turn of the event loop. */
  #letOthers(): void {
    this.#isWaiting = true;
    const turn = setImmediate(() => {
      this.#isWaiting = false;
      this.#pump();
    });
    this.#cancelTurn = () => clearImmediate(turn);
  }

  /** The messages that are next, from memory or from the store. */
  #takePage(): Outgoing[] | undefined {
    const count = Math.min(PAGE, this.#window - this.#inFlight.size);
    if (this.#next.length > 0) {
      const page = this.#next.splice(0, count);
      for (const { content } of page) this.#nextLength -= content.length;
      return page;
    }
    try {
      const page = this.#options.pending(this.#handedOver, count);
      // A page may be short because its messages are long.
      this.#hasMore = page.length > 0;
      return page;
    } catch (error) {
      this.#tell(error);
      this.#retryLater();
      return undefined;
    }
  }

  /** Forgets what was to be next: the store has it. */
  #readAgain(): void {
    this.#next = [];
    this.#nextLength = 0;
    this.#hasMore = true;
  }

  #checkQuiet(): void {
    if (!this.#isAhead) this.#pace.goOn();
    if (!this.isBusy) this.#options.onQuiet();
  }

  get #window(): number {
    return this.#options.carrier.window ?? MAX_IN_FLIGHT;
  }

  #hasRoom(): boolean {
    return this.#inFlight.size < this.#window && this.#length < MAX_IN_FLIGHT_LENGTH;
  }

  #isHalfEmpty(): boolean {
    return this.#inFlight.size <= this.#window / 2 && this.#length <= MAX_IN_FLIGHT_LENGTH / 2;
  }

  /** @returns Whether it is on its way; else it was passed over, since it must not go now. */
  #handOver(message: Outgoing): boolean {
    const { carrier, isHeld, onSent, onRefused } = this.#options;
    this.#handedOver = message.key;
    if (isHeld(message) || carrier.admits?.(message) === false) {
      this.#passedOver = Math.min(this.#passedOver, message.key);
      return false;
    }
    this.#inFlight.set(message.key, message);
    this.#length += message.content.length;
    const arrival = carrier.send(message);
    onSent(message);
    arrival.then(
      () => this.#arrive(message),
      (error) => {
        if (error instanceof RefusedError) {
          this.#settle([message], onRefused(message, error.message));
        } else this.#return(message, messageOf(error));
      },
    );
    return true;
  }

  #arrive(message: Outgoing): void {
    this.#arrived.push(message);
    if (this.#arrived.length > 1) return;
    // A later microtask: one acknowledgement speaks for many messages.
    queueMicrotask(() => {
      const arrived = this.#arrived;
      this.#arrived = [];
      this.#settle(arrived, this.#options.onArrived(arrived));
    });
  }

  /** Messages stay in flight until their fate is stored: they must not be read again before. */
  #settle(messages: readonly Outgoing[], stored: Promise<void>): void {
    this.#backoff.reset();
    void stored.then(() => {
      for (const message of messages) this.#remove(message);
      this.#pace.moved();
      // Reading for every single place would cost more than the places are worth.
      if (this.#isHalfEmpty()) this.wake();
      this.#checkQuiet();
    });
  }

  /** A message that was passed over may go after all, or has left the store. */
  rewind(key: number): void {
    this.#goBack(key);
    this.wake();
  }

  /** Decides anew on everything from a key on. */
  #goBack(key: number): void {
    const { after } = this.#options;
    this.#handedOver = Math.min(this.#handedOver, Math.max(after, key - 1));
    if (key <= this.#passedOver) this.#passedOver = Infinity;
    this.#readAgain();
  }

  /** Messages that wait may be taken out of the store: what is next must come from there. */
  reread(): void {
    if (this.#next.length > 0) this.#readAgain();
  }

  #return(message: Outgoing, reason: string): void {
    this.#remove(message);
    this.#goBack(message.key);
    this.#options.onReturned(message, reason);
    this.#retryLater();
    this.#checkQuiet();
  }

  #remove(message: Outgoing): void {
    this.#inFlight.delete(message.key);
    this.#length -= message.content.length;
  }

  #open(): void {
    const { carrier } = this.#options;
    if (this.#opening !== undefined || this.#backoff.isWaiting) return;
    if (!carrier.isReachable()) return this.#checkQuiet();
    this.#pace.moved();
    this.#opening = carrier.open().then(
      () => {
        this.#opening = undefined;
        this.#isTold = false;
        this.wake();
      },
      (error) => {
        this.#opening = undefined;
        // Who has left meanwhile, or was blocked, is not out of reach for a reason to look into.
        if (carrier.isReachable()) this.#tell(error);
        this.#retryLater();
        this.#checkQuiet();
      },
    );
  }

  #tell(error: unknown): void {
    if (!this.#isTold) this.#options.onUnreachable(messageOf(error));
    this.#isTold = true;
  }

  #retryLater(): void {
    if (!this.#closed) this.#backoff.wait(() => this.wake());
  }
}
