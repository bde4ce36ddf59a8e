import { systemRandom } from "../../lib/base/random.ts";
import { type Log, silentLog } from "../../lib/base/log.ts";
import { type ServedConnection, ServerCore } from "../../lib/server/core.ts";
import type { ClientSocket } from "../../lib/server/connection.ts";
import { DEFAULT_LIMITS, type ServerLimits } from "../../lib/server/limits.ts";
import type { ClientMessage, ListedPeer } from "../../lib/wire/bootstrap.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** A client of a core, without a network: it keeps what it was sent. */
export class MemoryClient implements ClientSocket {
  /** What came and was not taken yet. */
  readonly received: Record<string, unknown>[] = [];
  /** How the server closed the socket. */
  closing: { readonly code: number; readonly reason: string } | undefined;
  bufferedAmount = 0;
  readonly #connection: ServedConnection;

  constructor(core: ServerCore, hostname = "203.0.113.7", port = 40000) {
    this.#connection = core.connect(this, { hostname, port });
  }

  send(text: string): void {
    this.received.push(JSON.parse(text));
  }

  close(code: number, reason: string): void {
    this.closing ??= { code, reason };
  }

  /** Sends a message, or any text, or a binary frame. */
  say(message: ClientMessage | string | ArrayBuffer): void {
    const raw = typeof message === "string" || message instanceof ArrayBuffer;
    this.#connection.receive(raw ? message : JSON.stringify(message));
  }

  /** The answers to a message. */
  ask(message: ClientMessage | string | ArrayBuffer): Record<string, unknown>[] {
    this.received.length = 0;
    this.say(message);
    return this.received.splice(0);
  }

  register(nickname: string, local_addr = "0.0.0.0:54321"): Record<string, unknown> {
    return this.ask({ type: "register", nickname, local_addr })[0];
  }

  list(): ListedPeer[] {
    const [answer] = this.ask({ type: "list_peers" });
    return answer.peers as ListedPeer[];
  }

  nicknames(): string[] {
    return this.list().map(({ nickname }) => nickname);
  }

  /** The client hangs up. */
  leave(): void {
    this.#connection.closed();
  }
}

/** A core on a clock of its own. */
export function memoryServer(
  limits: Partial<ServerLimits> = {},
  log: Log = silentLog,
): { core: ServerCore; clock: FakeClock; client: (hostname?: string) => MemoryClient } {
  const clock = new FakeClock();
  const core = new ServerCore({
    clock,
    random: systemRandom,
    log,
    limits: { ...DEFAULT_LIMITS, ...limits },
  });
  return { core, clock, client: (hostname) => new MemoryClient(core, hostname) };
}
