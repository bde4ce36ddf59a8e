import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Refusals } from "../base/refusals.ts";
import { TokenBucket } from "../base/token_bucket.ts";
import { messageOf } from "../errors.ts";
import type { LanNetwork } from "../transport/datagram.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import { decodeDatagram, encodeDatagram, PROTOCOL_VERSION } from "../wire/announce.ts";
import { HostRates } from "./host_rates.ts";
import { LanSockets } from "./lan_sockets.ts";
import type { PeerId } from "../wire/peer_id.ts";
import type { PeerRegistry } from "./registry.ts";

/** Datagrams a second from one host, and at once: a hundred peers on one machine stay below it. */
const DATAGRAMS_PER_SECOND = 500;
const DATAGRAM_BURST = 1000;
/** The second request for answers, in case the first was lost, in milliseconds after the start. */
const SECOND_ASK_MS = 1000;
/** Answers a second, and at once: enough for a room that opens its laptops together. */
const ANSWERS_PER_SECOND = 100;
const ANSWER_BURST = 200;
/** The share of these that one host can have: another newcomer always finds the other half. */
const ANSWERS_PER_SECOND_OF_HOST = ANSWERS_PER_SECOND / 2;
const ANSWER_BURST_OF_HOST = ANSWER_BURST / 2;
/** The same newcomer is answered once in this many milliseconds. */
const ANSWER_INTERVAL_MS = 500;
/** Newcomers whose answers are due or recent; beyond, a newcomer waits for the next announce. */
const MAX_ASKERS = 1024;
/** Answers are spread over this many milliseconds per known peer, so that they do not collide… */
const ANSWER_SPREAD_MS = 2;
/** …but not over more than this: a newcomer is to see everybody within 250 ms. */
const MAX_ANSWER_SPREAD_MS = 150;

/** While the user lets it wait for longer than this, announces can get lost, in milliseconds. */
const LONG_WAIT_MS = 1000;
/** Waits that follow one another faster than this are one, in milliseconds. */
const WAIT_GAP_MS = 100;

/** What {@linkcode LanDiscovery} works with. */
export interface LanDiscoveryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly refusals: Refusals;
  readonly network: LanNetwork;
  readonly registry: PeerRegistry;
  readonly nickname: string;
  /** 64 random bits of this run, in hexadecimal. */
  readonly instance: string;
  /** The own peer id, to be announced. */
  readonly id?: PeerId;
  /** Where this peer accepts messages. */
  readonly tcpPort: number;
  /** Time between two announces in milliseconds. */
  readonly announceIntervalMs: number;
  /** Silence after which a peer is dropped, in milliseconds. */
  readonly timeoutMs: number;
  /** Addresses of the interfaces to use; all when empty. */
  readonly interfaces: readonly string[];
  /** Resolves when more presence events are welcome; `undefined` when they are now. */
  readonly ready: () => Promise<void> | undefined;
  /** Takes what the user should know of discovery that does not work. */
  readonly onProblem: (message: string) => void;
}

/**
 * Finds peers on the local networks by multicast (protocol version 1, section 1), and answers
 * newcomers of version 2 at once, by unicast, after a short random delay.
 */
export class LanDiscovery implements AsyncDisposable {
  readonly #options: LanDiscoveryOptions;
  readonly #sockets: LanSockets;
  readonly #rates: HostRates;
  readonly #answers: TokenBucket;
  readonly #answersOfHosts: HostRates;
  /** Newcomers that were promised an answer, and when they may have another one. */
  readonly #askers = new Map<string, number>();
  readonly #stop = new AbortController();
  /** Sockets that are not read now, because the user is slow. */
  #waits = 0;
  #waitSince = 0;
  #waitEnded = -Infinity;
  /** Before this time silence proves nothing, in monotonic milliseconds. */
  #expireFrom = 0;
  #announcing: Promise<void> = Promise.resolve();

  private constructor(options: LanDiscoveryOptions) {
    this.#options = options;
    const { clock } = options;
    this.#rates = new HostRates(clock, DATAGRAMS_PER_SECOND, DATAGRAM_BURST);
    this.#answers = new TokenBucket(clock, ANSWERS_PER_SECOND, ANSWER_BURST);
    this.#answersOfHosts = new HostRates(clock, ANSWERS_PER_SECOND_OF_HOST, ANSWER_BURST_OF_HOST);
    this.#sockets = new LanSockets({
      clock: options.clock,
      network: options.network,
      log: options.log,
      only: options.interfaces,
      onDatagram: (bytes, from) => this.#onDatagram(bytes, from),
      onProblem: options.onProblem,
    });
  }

  /** Opens the sockets and announces this peer; what does not work is reported and tried again. */
  static async start(options: LanDiscoveryOptions): Promise<LanDiscovery> {
    const discovery = new LanDiscovery(options);
    await discovery.#sockets.refresh();
    await discovery.#announce(true);
    discovery.#announcing = discovery.#run();
    return discovery;
  }

  /** Says goodbye and closes the sockets. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("Discovery is closed"));
    await this.#announcing;
    const { nickname, instance, id } = this.#options;
    await this.#sockets.announce(encodeDatagram({ type: "goodbye", nickname, instance, id }));
    this.#sockets.close();
  }

  async #run(): Promise<void> {
    const { clock, announceIntervalMs, timeoutMs, registry, log } = this.#options;
    const started = clock.monotonic();
    const sweepMs = Math.min(timeoutMs / 5, 5000);
    let announceAt = started + announceIntervalMs;
    let askAt = started + SECOND_ASK_MS;
    let sweepAt = started + sweepMs;
    while (!this.#stop.signal.aborted) {
      const next = Math.min(announceAt, askAt, sweepAt);
      try {
        await clock.sleep(next - clock.monotonic(), this.#stop.signal);
      } catch {
        return; // closed
      }
      try {
        const now = clock.monotonic();
        if (now >= sweepAt) {
          sweepAt = now + sweepMs;
          if (this.#waits === 0 && now >= this.#expireFrom) registry.expire(timeoutMs);
          this.#forgetAskers(now);
        }
        if (now >= announceAt || now >= askAt) {
          const isNew = await this.#sockets.refresh();
          await this.#announce(isNew || now >= askAt);
          if (now >= askAt) askAt = Infinity;
          announceAt = now + announceIntervalMs;
        }
      } catch (error) {
        // Discovery goes on with what works: one failed round is not the end of it.
        log.error(`Discovery failed for one round: ${messageOf(error)}`);
      }
    }
  }

  #announce(ask: boolean): Promise<void> {
    return this.#sockets.announce(this.#announceBytes(ask));
  }

  #announceBytes(ask: boolean): Uint8Array {
    const { nickname, tcpPort, instance, id } = this.#options;
    return encodeDatagram({
      type: "announce",
      nickname,
      tcpPort,
      version: PROTOCOL_VERSION,
      instance,
      ask,
      id,
    });
  }

  #onDatagram(bytes: Uint8Array, from: SocketAddress): void | Promise<void> {
    const { refusals, registry, instance, id: ownId } = this.#options;
    if (!this.#rates.take(from.hostname)) {
      return refusals.add("datagrams above the rate of one host", () => from.hostname);
    }
    if (!this.#sockets.hears(from.hostname)) return;
    const decoded = decodeDatagram(bytes);
    if (!decoded.ok) return refusals.add(decoded.cause, () => formatAddress(from));
    const datagram = decoded.value;
    if (datagram.instance === instance) return;
    if (ownId !== undefined && datagram.id === ownId) {
      // A copy of this profile, or somebody who pretends to be one.
      return refusals.add("datagram of another run with the own id", () => formatAddress(from));
    }
    if (datagram.type === "goodbye") {
      registry.saidGoodbye(datagram, from.hostname);
      return this.#ready();
    }
    const { nickname, tcpPort, version, ask, id } = datagram;
    const address = { hostname: from.hostname, port: tcpPort };
    registry.sawOnLan({ nickname, address, version, instance: datagram.instance, id });
    if (ask) this.#answer(from);
    return this.#ready();
  }

  #ready(): void | Promise<void> {
    const wait = this.#options.ready();
    if (wait !== undefined) return this.#wait(wait);
  }

  /**
   * Waits for the user. Who was not heard meanwhile may have spoken: after a long wait everybody
   * has one more time-out.
   */
  async #wait(wait: Promise<void>): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    const isFirst = this.#waits === 0;
    if (isFirst && clock.monotonic() - this.#waitEnded > WAIT_GAP_MS) {
      this.#waitSince = clock.monotonic();
    }
    this.#waits++;
    await wait;
    this.#waits--;
    const now = this.#waitEnded = clock.monotonic();
    if (now - this.#waitSince > LONG_WAIT_MS) this.#expireFrom = now + timeoutMs;
  }

  #answer(to: SocketAddress): void {
    const { clock, random, refusals, registry } = this.#options;
    const now = clock.monotonic();
    const asker = formatAddress(to);
    const next = this.#askers.get(asker);
    if (next !== undefined && next > now) return;
    if (
      this.#askers.size >= MAX_ASKERS || !this.#answersOfHosts.take(to.hostname) ||
      !this.#answers.take()
    ) {
      return refusals.add("request for answers above the rate", () => asker);
    }
    const spread = Math.min(MAX_ANSWER_SPREAD_MS, registry.size * ANSWER_SPREAD_MS);
    this.#askers.set(asker, now + ANSWER_INTERVAL_MS);
    const send = async () => {
      if (this.#stop.signal.aborted) return;
      await this.#sockets.answer(this.#announceBytes(false), to);
    };
    clock.after(random.float() * spread, () => void send());
  }

  #forgetAskers(now: number): void {
    for (const [asker, next] of this.#askers) {
      if (next <= now) this.#askers.delete(asker);
    }
  }
}
