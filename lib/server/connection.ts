import type { Clock } from "../base/clock.ts";
import type { Refusals } from "../base/refusals.ts";
import { TokenBucket } from "../base/token_bucket.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import { type ClientMessage, decodeClientFrame, encodeFrame } from "../wire/bootstrap.ts";
import { publicAddress } from "./client_address.ts";
import type { ServerLimits } from "./limits.ts";
import { byteLengthExceeds, registrationProblem } from "./registration.ts";
import type { Registry } from "./registry.ts";

/** What a connection needs of its WebSocket. None of it waits. */
export interface ClientSocket {
  /** Bytes that were sent and have not reached the system yet. */
  readonly bufferedAmount: number;
  /** Sends one text frame. */
  send(text: string): void;
  /** Begins the closing handshake; a second call does nothing. */
  close(code: number, reason: string): void;
}

/** Why the server closes a connection (RFC 6455, section 7.4.1, and the IANA registry after it). */
export const CloseCode = {
  goingAway: 1001,
  unsupportedData: 1003,
  policyViolation: 1008,
  tooBig: 1009,
  internalError: 1011,
  tryAgainLater: 1013,
} as const;

/** What all connections of a server share. */
export interface ConnectionContext {
  readonly clock: Clock;
  readonly limits: ServerLimits;
  readonly registry: Registry;
  readonly refusals: Refusals;
}

/**
 * One client's WebSocket: what it says, what it is answered, and what it registered (protocol
 * version 1, section 3).
 *
 * A second `register` makes a second entry. The protocol's other messages do not name an entry, so:
 * a heartbeat is one for the newest entry, and what a client left behind by registering again runs
 * out like any silent peer; `unregister`, and the end of the connection, take all entries along.
 *
 * Nothing that a client does makes a method throw, unless the log does.
 */
export class ClientConnection {
  readonly #bucket: TokenBucket;
  #peers: string[] = [];
  #heardAt: number;
  #closing = false;

  constructor(
    private readonly context: ConnectionContext,
    private readonly socket: ClientSocket,
    /** Where the client comes from, as the server sees it. */
    readonly remote: SocketAddress,
  ) {
    const { clock, limits } = context;
    this.#bucket = new TokenBucket(clock, limits.messagesPerSecond, limits.messageBurst);
    this.#heardAt = clock.monotonic();
  }

  /** Takes a message: text as a string, anything else is a binary frame. */
  receive(data: unknown): void {
    if (this.#closing) return;
    try {
      this.#heardAt = this.context.clock.monotonic();
      const message = this.#admit(data);
      if (message !== undefined) this.#answer(message);
    } catch (error) {
      this.#close(CloseCode.internalError, "Internal error");
      this.context.refusals.add("messages that the server failed on", () => String(error));
    }
  }

  /** Closes the connection if nothing was heard of it for too long. */
  closeIfIdle(): void {
    const { clock, limits } = this.context;
    if (this.#closing || clock.monotonic() - this.#heardAt < limits.idleSeconds * 1000) return;
    this.refuse(
      "connections that stay silent",
      CloseCode.policyViolation,
      `No message for ${limits.idleSeconds} seconds`,
    );
  }

  /**
   * Says why the connection is not served further, as an `error` message and as the close reason.
   *
   * @param cause As the log and the counts name it.
   * @param reason At most 123 bytes, ASCII.
   */
  refuse(cause: string, code: number, reason: string): void {
    if (this.#closing) return;
    this.context.refusals.add(cause, () => `${formatAddress(this.remote)}: ${reason}`);
    try {
      this.socket.send(encodeFrame({ type: "error", message: reason }));
    } catch {
      // The socket is beyond sending; closing is all that is left.
    }
    this.#close(code, reason);
  }

  /** Ends the connection because the server ends. */
  goAway(): void {
    this.#close(CloseCode.goingAway, "Server is shutting down");
  }

  /** The socket is gone: so are its peers. */
  closed(): void {
    this.#closing = true;
    this.#leave();
  }

  #admit(data: unknown): ClientMessage | undefined {
    const { limits, refusals } = this.context;
    if (!this.#bucket.take()) {
      const allowed = `${limits.messagesPerSecond} per second, ${limits.messageBurst} at once`;
      const reason = `Too many messages: allowed are ${allowed}`;
      this.refuse("messages above the rate limit", CloseCode.policyViolation, reason);
      return;
    }
    if (typeof data !== "string") {
      const reason = "Binary frames are not accepted: send JSON in text frames";
      this.refuse("binary frames", CloseCode.unsupportedData, reason);
      return;
    }
    if (byteLengthExceeds(data, limits.frameBytes)) {
      const reason = `Message is too long: at most ${limits.frameBytes} bytes are accepted`;
      this.refuse("messages above the size limit", CloseCode.tooBig, reason);
      return;
    }
    const decoded = decodeClientFrame(data);
    if (decoded.ok) return decoded.value;
    refusals.add("messages of an invalid format", () => {
      return `${formatAddress(this.remote)}: ${decoded.cause}`;
    });
    this.#error(`Invalid message format: ${decoded.cause}`);
  }

  #answer(message: ClientMessage): void {
    const { registry } = this.context;
    switch (message.type) {
      case "register":
        return this.#register(message);
      case "list_peers":
        return this.#send(registry.list());
      case "heartbeat": {
        const newest = this.#peers.at(-1);
        if (newest === undefined) return this.#error("Not registered");
        if (!registry.touch(newest)) this.#error("Peer not registered");
        return;
      }
      case "unregister":
        if (!this.#leave()) this.#error("Not registered");
    }
  }

  #register(message: ClientMessage & { type: "register" }): void {
    const { nickname, local_addr, version, instance, id } = message;
    const { limits, registry } = this.context;
    const problem = registrationProblem(nickname, local_addr, limits);
    if (problem !== undefined) {
      return this.refuse("registrations of invalid content", CloseCode.policyViolation, problem);
    }
    this.#peers = this.#peers.filter((peerId) => registry.has(peerId)); // the rest has run out
    if (this.#peers.length >= limits.peersPerConnection) {
      const reason =
        `Too many registrations on one connection: at most ${limits.peersPerConnection}`;
      return this.refuse("registrations above the limit", CloseCode.policyViolation, reason);
    }
    if (registry.size >= limits.peers) {
      const reason = `Server is full: it takes at most ${limits.peers} peers; try again later`;
      return this.refuse("registrations at a full server", CloseCode.tryAgainLater, reason);
    }
    const public_addr = publicAddress(this.remote, local_addr);
    const peer_id = registry.add({ nickname, public_addr, local_addr, version, instance, id });
    this.#peers.push(peer_id);
    this.#send(encodeFrame({ type: "registered", peer_id, public_addr }));
  }

  /** Takes the connection's peers out of the registry; returns whether one was in it. */
  #leave(): boolean {
    let any = false;
    for (const id of this.#peers) any = this.context.registry.remove(id) || any;
    this.#peers = [];
    return any;
  }

  #error(message: string): void {
    this.#send(encodeFrame({ type: "error", message }));
  }

  #send(text: string): void {
    const { bufferedBytes } = this.context.limits;
    if (this.socket.bufferedAmount > bufferedBytes) {
      const reason = `Reading too slowly: more than ${bufferedBytes} bytes wait`;
      return this.refuse("slow readers", CloseCode.policyViolation, reason);
    }
    this.socket.send(text);
  }

  #close(code: number, reason: string): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#leave();
    try {
      this.socket.close(code, reason);
    } catch (error) {
      this.context.refusals.add("sockets that could not be closed", () => String(error));
    }
  }
}
