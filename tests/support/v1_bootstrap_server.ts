import { readObject, textField } from "./v1_json.ts";

/** How a version 1 bootstrap server is started. */
export interface V1BootstrapServerOptions {
  readonly hostname: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Milliseconds without a heartbeat after which a peer is dropped; 30,000 in the original. */
  readonly timeoutMs?: number;
  /** Milliseconds between looks for silent peers; 10,000 in the original. */
  readonly checkIntervalMs?: number;
}

/** What such a server notices. */
export type V1BootstrapServerEvent =
  | { readonly event: "frame"; readonly frame: string }
  | { readonly event: "registered" | "left" | "dropped"; readonly nickname: string };

interface Registration {
  readonly peer_id: string;
  readonly nickname: string;
  readonly public_addr: string;
  readonly local_addr: string;
  seen: number;
}

/**
 * A bootstrap server of protocol version 1, written from section 3 of its description. It passes
 * on the fields of version 1 and nothing else.
 */
export class V1BootstrapServer implements AsyncDisposable {
  readonly #registrations = new Map<string, Registration>();
  readonly #sockets = new Set<WebSocket>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(
    private readonly options: V1BootstrapServerOptions,
    private readonly observe: (event: V1BootstrapServerEvent) => void = () => {},
  ) {
    const { hostname, port } = options;
    this.#server = Deno.serve({ hostname, port, onListen: () => {} }, (request, { remoteAddr }) => {
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
        return new Response("WebSocket only", { status: 400 });
      }
      const { socket, response } = Deno.upgradeWebSocket(request);
      this.#serve(socket, remoteAddr);
      return response;
    });
    this.#timer = setInterval(() => this.#expire(), options.checkIntervalMs ?? 10_000);
  }

  /** The port that it listens on. */
  get port(): number {
    return this.#server.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.close();
    await this.#server.shutdown();
  }

  #serve(socket: WebSocket, { hostname, port }: Deno.NetAddr): void {
    this.#sockets.add(socket);
    const own = new Set<string>();
    let last: string | undefined;
    const send = (message: object) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    };
    socket.addEventListener("message", ({ data }) => {
      if (typeof data !== "string") return;
      this.observe({ event: "frame", frame: data });
      try {
        const frame = readObject(data);
        switch (textField(frame, "type")) {
          case "register": {
            const nickname = textField(frame, "nickname");
            const local_addr = textField(frame, "local_addr");
            const peer_id = last = crypto.randomUUID();
            const local = /^(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:]+\]):(\d+)$/.exec(local_addr);
            const ip = hostname.includes(":") ? `[${hostname}]` : hostname;
            const public_addr = `${ip}:${local?.[1] ?? port}`;
            own.add(peer_id);
            const seen = Date.now();
            this.#registrations.set(peer_id, { peer_id, nickname, public_addr, local_addr, seen });
            this.observe({ event: "registered", nickname });
            return send({ type: "registered", peer_id, public_addr });
          }
          case "list_peers":
            return send({ type: "peer_list", peers: this.#list() });
          case "heartbeat": {
            if (last === undefined) return send({ type: "error", message: "Not registered" });
            const entry = this.#registrations.get(last);
            if (entry === undefined) {
              return send({ type: "error", message: "Peer not registered" });
            }
            entry.seen = Date.now();
            return;
          }
          case "unregister":
            if (last === undefined) return send({ type: "error", message: "Not registered" });
            this.#leave(last);
            last = undefined;
            return;
          default:
            throw new TypeError("unknown variant");
        }
      } catch (error) {
        send({ type: "error", message: `Invalid message format: ${error}` });
      }
    });
    socket.addEventListener("close", () => {
      this.#sockets.delete(socket);
      for (const id of own) this.#leave(id);
    });
    socket.addEventListener("error", (event) => event.preventDefault());
  }

  #list(): object[] {
    return [...this.#registrations.values()].map(({ seen, ...peer }) => ({
      ...peer,
      last_seen: Math.floor(seen / 1000),
    }));
  }

  #leave(id: string): void {
    const entry = this.#registrations.get(id);
    if (entry === undefined) return;
    this.#registrations.delete(id);
    this.observe({ event: "left", nickname: entry.nickname });
  }

  #expire(): void {
    for (const [id, { seen, nickname }] of this.#registrations) {
      if (Date.now() - seen <= (this.options.timeoutMs ?? 30_000)) continue;
      this.#registrations.delete(id);
      this.observe({ event: "dropped", nickname });
    }
  }
}
