import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Refusals } from "../base/refusals.ts";
import { messageOf } from "../errors.ts";
import type { DialTextChannel, TextChannel } from "../transport/text_channel.ts";
import { parseAddress, type SocketAddress } from "../wire/address.ts";
import { PROTOCOL_VERSION } from "../wire/announce.ts";
import {
  type ClientMessage,
  decodeServerFrame,
  encodeFrame,
  type ListedPeer,
  type ServerMessage,
} from "../wire/bootstrap.ts";
import type { PeerId } from "../wire/peer_id.ts";
import { type BootstrapSighting, MAX_BOOTSTRAP_PEERS, type PeerRegistry } from "./registry.ts";

/** The list is asked for at once and then in this interval, as the original does. */
const LIST_INTERVAL_MS = 5000;
/** A server that answers no request for the list for this long is gone. */
const SILENCE_MS = 3 * LIST_INTERVAL_MS + 1000;
/** A server that does not know this peer any more is told again after this long at the earliest. */
const REGISTER_INTERVAL_MS = 1000;
/** The server gets this long to accept the connection. */
const DIAL_TIMEOUT_MS = 10_000;
/** The waits between attempts grow, and are cut by up to a half at random: 1 to 30 s. */
const FIRST_RETRY_MS = 2000;
const MAX_RETRY_MS = 30_000;
/** After this long a registration has lasted, and the waits begin anew when it ends. */
const STEADY_MS = 30_000;
/** Own registrations that are remembered, to be left out of lists. */
const MAX_OWN_IDS = 64;
/** Longest name of a registration, in characters; a UUID has 36. */
const MAX_PEER_ID_LENGTH = 128;
/** What a server says to the user is cut to this many characters, and told this often at most. */
const MAX_COMPLAINT_LENGTH = 500;
const COMPLAINT_INTERVAL_MS = 1000;

/** How things stand with the bootstrap server. */
export type BootstrapState = "connecting" | "registered" | "disconnected";

/** What {@linkcode BootstrapClient} works with. */
export interface BootstrapClientOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly refusals: Refusals;
  readonly dial: DialTextChannel;
  readonly registry: PeerRegistry;
  readonly url: string;
  readonly nickname: string;
  /** 64 random bits of this run, in hexadecimal. */
  readonly instance: string;
  /** The own peer id, to be registered. */
  readonly id?: PeerId;
  /** Where this peer accepts messages. */
  readonly tcpPort: number;
  readonly heartbeatIntervalMs: number;
  /** How long peers stay known while the server is out of reach. */
  readonly peerTimeoutMs: number;
  /** Resolves when more presence events are welcome; `undefined` when they are now. */
  readonly ready?: () => Promise<void> | undefined;
  /** Takes each change of the state once. */
  readonly onState: (state: BootstrapState, reason?: string) => void;
  /** Takes what the user should know, such as a registration that the server refuses. */
  readonly onProblem: (message: string) => void;
}

/** Keeps this peer registered at a bootstrap server, and the registry up to date with its list. */
export class BootstrapClient implements AsyncDisposable {
  readonly #options: BootstrapClientOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #state: BootstrapState = "connecting";
  #channel: TextChannel | undefined;
  #ownIds: string[] = [];
  #cancelForget: (() => void) | undefined;
  #answeredAt = 0;
  #registeredSince = Infinity;
  #registeredAt = -Infinity;
  #complaint = "";
  #complainedAt = -Infinity;

  /** Starts at once; everything that happens is told by `onState` and the registry. */
  constructor(options: BootstrapClientOptions) {
    this.#options = options;
    options.onState("connecting");
    this.#running = this.#run();
  }

  /** Unregisters and disconnects. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelForget?.();
    if (this.#state === "registered") this.#send({ type: "unregister" });
    this.#stop.abort(new Error("The client is closed"));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    let waitMs = FIRST_RETRY_MS;
    while (!this.#stop.signal.aborted) {
      let reason: string;
      try {
        reason = await this.#connect();
      } catch (error) {
        reason = messageOf(error);
      }
      if (this.#stop.signal.aborted) return;
      // One that registers and hangs up at once is not back.
      if (clock.monotonic() - this.#registeredSince >= STEADY_MS) waitMs = FIRST_RETRY_MS;
      this.#registeredSince = Infinity;
      this.#lost(reason);
      // All clients of a server that was restarted lose it at the same moment.
      const jittered = waitMs * (0.5 + random.float() / 2);
      waitMs = Math.min(MAX_RETRY_MS, waitMs * 2);
      await clock.sleep(jittered, this.#stop.signal).catch(() => {}); // closed: the loop ends
    }
  }

  /** One connection from dialling to its end; returns why it ended. */
  async #connect(): Promise<string> {
    const { clock, dial, url } = this.#options;
    const attempt = new AbortController();
    const cancel = clock.after(
      DIAL_TIMEOUT_MS,
      () => attempt.abort(new Error(`no answer within ${DIAL_TIMEOUT_MS / 1000} s`)),
    );
    try {
      this.#channel = await dial(url, AbortSignal.any([attempt.signal, this.#stop.signal]));
    } finally {
      cancel();
    }
    await using channel = this.#channel;
    if (this.#stop.signal.aborted) return "closed"; // while the dialling came to its end
    const ended = new AbortController();
    let reason = "the server closed the connection";
    const end = (why: string) => {
      reason = why;
      void channel[Symbol.asyncDispose]();
    };
    const timers = this.#keepAlive(end, ended.signal);
    const onStop = () => end("closed");
    this.#stop.signal.addEventListener("abort", onStop);
    try {
      for await (const text of channel.messages) {
        this.#onText(text);
        await this.#room();
      }
      return reason;
    } finally {
      this.#stop.signal.removeEventListener("abort", onStop);
      this.#channel = undefined;
      ended.abort();
      await timers;
    }
  }

  /** Waits while no more events are welcome: the time does not count as silence of the server. */
  async #room(): Promise<void> {
    const wait = this.#options.ready?.();
    if (wait === undefined) return;
    this.#answeredAt = Infinity;
    await wait;
    this.#answeredAt = this.#options.clock.monotonic();
  }

  /**
   * Registers, then asks for the list and sends heartbeats until the connection ends.
   *
   * @param end Ends it, because the server does not answer.
   */
  async #keepAlive(end: (reason: string) => void, signal: AbortSignal): Promise<void> {
    const { clock, heartbeatIntervalMs } = this.#options;
    this.#register();
    this.#send({ type: "list_peers" });
    this.#answeredAt = clock.monotonic();
    let listAt = clock.monotonic() + LIST_INTERVAL_MS;
    let heartbeatAt = clock.monotonic() + heartbeatIntervalMs;
    while (true) {
      try {
        await clock.sleep(Math.min(listAt, heartbeatAt) - clock.monotonic(), signal);
      } catch {
        return; // ended
      }
      const now = clock.monotonic();
      if (now - this.#answeredAt > SILENCE_MS) {
        return end(`the server did not answer for ${SILENCE_MS / 1000} s`);
      }
      if (now >= heartbeatAt) {
        heartbeatAt = now + heartbeatIntervalMs;
        this.#send({ type: "heartbeat" });
      }
      if (now >= listAt) {
        listAt = now + LIST_INTERVAL_MS;
        this.#send({ type: "list_peers" });
      }
    }
  }

  #register(): void {
    const { clock, nickname, instance, id, tcpPort } = this.#options;
    this.#registeredAt = clock.monotonic();
    const local_addr = `0.0.0.0:${tcpPort}`;
    const version = PROTOCOL_VERSION;
    this.#send({ type: "register", nickname, local_addr, version, instance, id });
  }

  #send(message: ClientMessage): void {
    this.#channel?.send(encodeFrame(message));
  }

  #onText(text: string): void {
    const { refusals, url } = this.#options;
    const decoded = decodeServerFrame(text, MAX_BOOTSTRAP_PEERS);
    if (!decoded.ok) return refusals.add(`bootstrap server: ${decoded.cause}`, () => url);
    const { message, skipped } = decoded.value;
    if (skipped > 0) refusals.add("bootstrap server: entry of the list that is no peer", () => url);
    this.#onMessage(message);
  }

  #onMessage(message: ServerMessage): void {
    const { clock, registry } = this.#options;
    switch (message.type) {
      case "registered":
        if (message.peer_id.length > MAX_PEER_ID_LENGTH) {
          return this.#options.refusals.add("bootstrap server: peer_id that is too long");
        }
        this.#ownIds = [message.peer_id, ...this.#ownIds].slice(0, MAX_OWN_IDS);
        this.#complaint = "";
        if (this.#registeredSince === Infinity) this.#registeredSince = clock.monotonic();
        return this.#enter("registered");
      case "peer_list":
        this.#answeredAt = clock.monotonic();
        this.#cancelForget?.();
        this.#cancelForget = undefined;
        return registry.listed(this.#sightings(message.peers));
      case "error":
        return this.#onError(message.message);
    }
  }

  #onError(message: string): void {
    if (message === "Not registered" || message === "Peer not registered") {
      // Dropped meanwhile, for example because this machine slept.
      const now = this.#options.clock.monotonic();
      if (now - this.#registeredAt >= REGISTER_INTERVAL_MS) this.#register();
      return;
    }
    const { clock, refusals, url, onProblem } = this.#options;
    const complaint = message.length > MAX_COMPLAINT_LENGTH
      ? `${message.slice(0, MAX_COMPLAINT_LENGTH)}…`
      : message;
    if (this.#complaint === complaint) return;
    if (clock.monotonic() - this.#complainedAt < COMPLAINT_INTERVAL_MS) {
      return refusals.add("bootstrap server: errors above the rate", () => complaint);
    }
    this.#complaint = complaint;
    this.#complainedAt = clock.monotonic();
    onProblem(`The bootstrap server ${url} answers: ${complaint}`);
  }

  #sightings(peers: readonly ListedPeer[]): BootstrapSighting[] {
    const { instance: ownInstance, id: ownId, refusals } = this.#options;
    const sightings: BootstrapSighting[] = [];
    for (const { peer_id, nickname, public_addr, local_addr, version, instance, id } of peers) {
      if (this.#ownIds.includes(peer_id) || instance === ownInstance) continue;
      if (ownId !== undefined && id === ownId) {
        // A copy of this profile, the run before this one, or somebody who pretends to be one.
        refusals.add("bootstrap server: entry of another run with the own id", () => nickname);
        continue;
      }
      if (peer_id.length > MAX_PEER_ID_LENGTH) {
        refusals.add("bootstrap server: peer_id that is too long", () => nickname);
        continue;
      }
      const address = dialable(public_addr) ?? dialable(local_addr);
      if (address === undefined) {
        refusals.add("bootstrap server: peer without an address", () => nickname);
        continue;
      }
      sightings.push({ peerId: peer_id, nickname, address, version: version ?? 1, instance, id });
    }
    return sightings;
  }

  #lost(reason: string): void {
    const { clock, registry, peerTimeoutMs } = this.#options;
    // Since the last list: connections that bring none do not make the peers any younger.
    this.#cancelForget ??= clock.after(peerTimeoutMs, () => registry.forgetListed());
    if (this.#state === "disconnected") {
      return this.#options.log.info(`Cannot reach the bootstrap server: ${reason}`);
    }
    this.#enter("disconnected", reason);
  }

  #enter(state: BootstrapState, reason?: string): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onState(state, reason);
  }
}

const UNSPECIFIED: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

function dialable(text: string): SocketAddress | undefined {
  const address = parseAddress(text);
  if (address === undefined || address.port === 0) return undefined;
  // Who registers as 0.0.0.0 means its own host; dialled from here, it would be this one.
  return UNSPECIFIED.has(address.hostname) ? undefined : address;
}
