import { readObject, textField } from "./v1_json.ts";
import { sendV1, V1Listener, type V1MessageEvent } from "./v1_messages.ts";

/** How a version 1 client in internet mode is started. */
export interface V1BootstrapClientOptions {
  readonly nickname: string;
  /** The server's WebSocket address. */
  readonly url: string;
  /** Milliseconds between requests for the list; 5,000 in the original. */
  readonly listIntervalMs?: number;
  /** Milliseconds between heartbeats; 10,000 in the original. */
  readonly heartbeatIntervalMs?: number;
  /** Milliseconds until a lost connection is tried again; 1,000 in the original, then doubling. */
  readonly retryMs?: number;
}

/** What such a client notices. */
export type V1BootstrapClientEvent =
  | { readonly event: "open" | "closed" }
  | { readonly event: "frame"; readonly frame: unknown }
  | { readonly event: "registered"; readonly peer_id: string; readonly public_addr: string }
  | { readonly event: "peer_up"; readonly nickname: string; readonly address: string }
  | { readonly event: "server_error"; readonly message: string }
  | V1MessageEvent;

/**
 * A client of protocol version 1, written from section 3 of its description: registers, asks for
 * the list at once and then at intervals, sends heartbeats, and never removes a peer again.
 */
export class V1BootstrapClient implements AsyncDisposable {
  readonly #listener: V1Listener;
  readonly #peers = new Map<string, { nickname: string; address: string }>();
  readonly #timers = new Set<ReturnType<typeof setInterval>>();
  #socket: WebSocket | undefined;
  #ownId = "";
  #stopped = false;
  #retryMs: number;

  constructor(
    private readonly options: V1BootstrapClientOptions,
    private readonly observe: (event: V1BootstrapClientEvent) => void = () => {},
  ) {
    this.#listener = new V1Listener(observe);
    this.#retryMs = options.retryMs ?? 1000;
    this.#connect();
  }

  /** Nicknames and addresses (`ip:port`) of the peers that it was told of. */
  peers(): { nickname: string; address: string }[] {
    return [...this.#peers.values()];
  }

  /** Sends one message over a connection of its own. Throws for an unknown nickname. */
  async send(nickname: string, content: string): Promise<void> {
    const peer = [...this.#peers.values()].find((entry) => entry.nickname === nickname);
    if (peer === undefined) throw new Error(`Peer not found: ${nickname}`);
    const colon = peer.address.lastIndexOf(":");
    const hostname = peer.address.slice(0, colon).replace(/^\[|\]$/g, "");
    await sendV1(
      { hostname, port: Number(peer.address.slice(colon + 1)) },
      this.options.nickname,
      content,
    );
  }

  /** Sends any text as a frame. */
  sendFrame(text: string): void {
    this.#socket?.send(text);
  }

  /** Leaves without unregistering, as the original does when it is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#clearTimers();
    const socket = this.#socket;
    if (socket !== undefined && socket.readyState !== WebSocket.CLOSED) {
      const closed = new Promise((resolve) =>
        socket.addEventListener("close", resolve, { once: true })
      );
      socket.close();
      await closed;
    }
    await this.#listener[Symbol.asyncDispose]();
  }

  #connect(): void {
    const socket = this.#socket = new WebSocket(this.options.url);
    socket.addEventListener("open", () => {
      this.#retryMs = this.options.retryMs ?? 1000;
      this.observe({ event: "open" });
      const { nickname, listIntervalMs = 5000, heartbeatIntervalMs = 10_000 } = this.options;
      const send = (message: object) => socket.send(JSON.stringify(message));
      send({ type: "register", nickname, local_addr: `0.0.0.0:${this.#listener.port}` });
      send({ type: "list_peers" });
      this.#timers.add(setInterval(() => send({ type: "list_peers" }), listIntervalMs));
      this.#timers.add(setInterval(() => send({ type: "heartbeat" }), heartbeatIntervalMs));
    });
    socket.addEventListener("message", ({ data }) => this.#frame(data));
    socket.addEventListener("error", (event) => event.preventDefault());
    socket.addEventListener("close", () => {
      this.#clearTimers();
      this.observe({ event: "closed" });
      if (this.#stopped) return;
      this.#timers.add(setTimeout(() => this.#connect(), this.#retryMs));
      this.#retryMs = Math.min(30_000, this.#retryMs * 2);
    });
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #frame(data: unknown): void {
    try {
      if (typeof data !== "string") throw new TypeError("expected a text frame");
      const frame = readObject(data);
      this.observe({ event: "frame", frame });
      const type = textField(frame, "type");
      if (type === "registered") {
        this.#ownId = textField(frame, "peer_id");
        const public_addr = textField(frame, "public_addr");
        return this.observe({ event: "registered", peer_id: this.#ownId, public_addr });
      }
      if (type === "error") {
        return this.observe({ event: "server_error", message: textField(frame, "message") });
      }
      if (type !== "peer_list") throw new TypeError(`unknown type ${type}`);
      if (!Array.isArray(frame.peers)) throw new TypeError("expected an array in peers");
      for (const peer of frame.peers) this.#peer(peer);
    } catch (error) {
      this.observe({ event: "refused", where: "line", cause: String(error) });
    }
  }

  #peer(peer: Record<string, unknown>): void {
    const id = textField(peer, "peer_id");
    const nickname = textField(peer, "nickname");
    const publicAddress = textField(peer, "public_addr");
    const localAddress = textField(peer, "local_addr");
    if (!Number.isInteger(peer.last_seen)) throw new TypeError("expected a number in last_seen");
    if (id === this.#ownId) return;
    const address = /^(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:]+\]):\d+$/.test(publicAddress)
      ? publicAddress
      : localAddress;
    const known = this.#peers.has(id);
    this.#peers.set(id, { nickname, address });
    if (!known) this.observe({ event: "peer_up", nickname, address });
  }
}
