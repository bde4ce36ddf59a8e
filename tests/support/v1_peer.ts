import { decodeText, numberField, readObject, textField } from "./v1_json.ts";
import { sendV1, V1Listener, type V1MessageEvent } from "./v1_messages.ts";

const GROUP = "239.255.255.250";
const PORT = 6789;

/** How a version 1 peer is started. */
export interface V1PeerOptions {
  readonly nickname: string;
  /** Address of the interface to join on; `0.0.0.0`, as the original does, unless given. */
  readonly interface?: string;
  /** Milliseconds between announces; 5,000 in the original. */
  readonly announceIntervalMs?: number;
  /** Milliseconds of silence after which a peer is dropped; 15,000 in the original. */
  readonly expiryMs?: number;
  /** Milliseconds between looks for silent peers; 5,000 in the original. */
  readonly checkIntervalMs?: number;
}

/** What a version 1 peer notices. */
export type V1PeerEvent =
  | { readonly event: "peer_up" | "renamed" | "expired"; nickname: string; address: string }
  | { readonly event: "announce" | "goodbye"; nickname: string; address: string }
  | V1MessageEvent;

interface Entry {
  nickname: string;
  readonly hostname: string;
  readonly port: number;
  seen: number;
}

/** A peer of protocol version 1, written from sections 1 and 2 of its description. */
export class V1Peer implements AsyncDisposable {
  readonly #registry = new Map<string, Entry>();
  readonly #timers: ReturnType<typeof setInterval>[];
  readonly #receiving: Promise<void>;
  readonly #udp: Deno.DatagramConn;
  readonly #sender: Deno.DatagramConn;
  readonly #listener: V1Listener;

  private constructor(
    private readonly options: V1PeerOptions,
    private readonly observe: (event: V1PeerEvent) => void,
  ) {
    this.#listener = new V1Listener(observe);
    this.#udp = Deno.listenDatagram({
      transport: "udp",
      hostname: "0.0.0.0",
      port: PORT,
      reuseAddress: true,
      loopback: true,
    });
    // The original has one socket. A given interface can only be chosen by a second one here.
    this.#sender = options.interface === undefined ? this.#udp : Deno.listenDatagram({
      transport: "udp",
      hostname: options.interface,
      port: 0,
      loopback: true,
    });
    this.#receiving = this.#receive();
    this.#timers = [
      setInterval(() => this.#announce(), options.announceIntervalMs ?? 5000),
      setInterval(() => this.#expire(), options.checkIntervalMs ?? 5000),
    ];
  }

  /** Starts a peer; `observe` is told what it notices. */
  static async start(
    options: V1PeerOptions,
    observe: (event: V1PeerEvent) => void = () => {},
  ): Promise<V1Peer> {
    const peer = new V1Peer(options, observe);
    const membership = await peer.#udp.joinMulticastV4(
      GROUP,
      options.interface ?? "0.0.0.0",
    );
    await membership.setLoopback(true);
    await peer.#announce();
    return peer;
  }

  /** The port that it listens on. */
  get tcpPort(): number {
    return this.#listener.port;
  }

  /** Nicknames and addresses (`ip:port`) of the peers that it knows. */
  peers(): { nickname: string; address: string }[] {
    return [...this.#registry].map(([address, { nickname }]) => ({ nickname, address }));
  }

  /** Sends one message over a connection of its own. Throws for an unknown nickname. */
  async send(nickname: string, content: string): Promise<void> {
    const peer = [...this.#registry.values()].find((entry) => entry.nickname === nickname);
    if (peer === undefined) throw new Error(`Peer not found: ${nickname}`);
    await sendV1(peer, this.options.nickname, content);
  }

  /** Ends without a word, as the original does. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#udp.close();
    if (this.#sender !== this.#udp) this.#sender.close();
    await this.#receiving;
    await this.#listener[Symbol.asyncDispose]();
  }

  async #announce(): Promise<void> {
    const announce = {
      type: "announce",
      nickname: this.options.nickname,
      tcp_port: this.tcpPort,
    };
    await this.#sender.send(new TextEncoder().encode(JSON.stringify(announce)), {
      transport: "udp",
      hostname: GROUP,
      port: PORT,
    }).catch(() => {}); // It logs, and tries again with the next announce.
  }

  #expire(): void {
    for (const [address, { nickname, seen }] of this.#registry) {
      if (performance.now() - seen <= (this.options.expiryMs ?? 15_000)) continue;
      this.#registry.delete(address);
      this.observe({ event: "expired", nickname, address });
    }
  }

  async #receive(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    while (true) {
      let received: [Uint8Array, Deno.Addr];
      try {
        received = await this.#udp.receive(buffer);
      } catch {
        return; // Closed.
      }
      const [bytes, from] = received;
      try {
        this.#datagram(decodeText(bytes), (from as Deno.NetAddr).hostname);
      } catch (error) {
        this.observe({ event: "refused", where: "datagram", cause: String(error) });
      }
    }
  }

  #datagram(text: string, hostname: string): void {
    const object = readObject(text);
    const type = textField(object, "type");
    if (type !== "announce" && type !== "goodbye") throw new TypeError(`unknown type ${type}`);
    const nickname = textField(object, "nickname");
    if (type === "goodbye") {
      return this.observe({ event: "goodbye", nickname, address: hostname });
    }
    const port = numberField(object, "tcp_port", 65_535);
    if (nickname === this.options.nickname) return;
    const address = `${hostname}:${port}`;
    this.observe({ event: "announce", nickname, address });
    const known = this.#registry.get(address);
    if (known === undefined) {
      this.#registry.set(address, { nickname, hostname, port, seen: performance.now() });
      this.observe({ event: "peer_up", nickname, address });
      return;
    }
    known.seen = performance.now();
    if (known.nickname === nickname) return;
    known.nickname = nickname;
    this.observe({ event: "renamed", nickname, address });
  }
}
