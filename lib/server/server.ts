import { type Clock, systemClock } from "../base/clock.ts";
import { type Log, silentLog } from "../base/log.ts";
import { type Random, systemRandom } from "../base/random.ts";
import { InvalidInputError, messageOf, ParlanceError } from "../errors.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";
import { type ServedConnection, ServerCore, type ServerStats } from "./core.ts";
import { DEFAULT_LIMITS, type ServerLimits } from "./limits.ts";
import { answerPlainHttp, textResponse } from "./page.ts";

/** How long {@linkcode BootstrapServer.close} waits for clients to hang up, in milliseconds. */
const CLOSE_MS = 2000;
/**
 * Seconds without a frame or pong after which Deno closes a WebSocket; a ping goes out after half
 * of it. It finds clients that vanished without a word, and the only thing that does.
 */
const VANISHED_SECONDS = 30;

/** How a server is to be. */
export interface BootstrapServerOptions {
  /** Address or name to listen on; `0.0.0.0` unless given. */
  readonly hostname?: string;
  /** 0 lets the system choose; 8080 unless given. */
  readonly port?: number;
  /** Certificate chain and private key in PEM: with them, `wss://` is served. Both or neither. */
  readonly cert?: string;
  readonly key?: string;
  /** What differs from {@linkcode DEFAULT_LIMITS}. */
  readonly limits?: Partial<ServerLimits>;
  readonly log?: Log;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * A running bootstrap server.
 *
 * @example
 * ```ts
 * await using server = await BootstrapServer.start({ hostname: "127.0.0.1", port: 0 });
 * console.log(server.url, server.stats().peers);
 * ```
 */
export class BootstrapServer implements AsyncDisposable {
  readonly #core: ServerCore;
  readonly #http: Deno.HttpServer<Deno.NetAddr>;
  readonly #abort: AbortController;
  #closed: Promise<void> | undefined;

  private constructor(
    core: ServerCore,
    http: Deno.HttpServer<Deno.NetAddr>,
    abort: AbortController,
    private readonly secure: boolean,
  ) {
    this.#core = core;
    this.#http = http;
    this.#abort = abort;
  }

  /**
   * Listens and serves until {@linkcode BootstrapServer.close}.
   *
   * @throws {InvalidInputError} The certificate or key cannot be used, or one is missing.
   * @throws {ParlanceError} The address cannot be listened on.
   */
  // deno-lint-ignore require-await -- listening is to be allowed to take its time
  static async start(options: BootstrapServerOptions = {}): Promise<BootstrapServer> {
    const { hostname = "0.0.0.0", port = 8080, cert, key, log = silentLog } = options;
    if ((cert === undefined) !== (key === undefined)) {
      throw new InvalidInputError("Cannot serve wss: a certificate and a key belong together");
    }
    const core = new ServerCore({
      clock: options.clock ?? systemClock,
      random: options.random ?? systemRandom,
      log,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
    });
    const abort = new AbortController();
    try {
      const common = {
        hostname,
        port,
        signal: abort.signal,
        onListen() {},
        onError(error: unknown) {
          log.error(`Cannot answer a request: ${messageOf(error)}`);
          return textResponse(500, "Internal error\n", "GET");
        },
      };
      const handler = (request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) =>
        answer(core, request, info.remoteAddr, log);
      const http = cert !== undefined && key !== undefined
        ? Deno.serve({ ...common, cert, key }, handler)
        : Deno.serve(common, handler);
      return new BootstrapServer(core, http, abort, cert !== undefined);
    } catch (error) {
      core[Symbol.dispose]();
      throw listenError(error, { hostname, port }, cert !== undefined);
    }
  }

  /** Where it listens. */
  get address(): SocketAddress {
    const { hostname, port } = this.#http.addr;
    return { hostname, port };
  }

  /** What clients are to be given, where they reach this host by the address listened on. */
  get url(): string {
    return `${this.secure ? "wss" : "ws"}://${formatAddress(this.address)}`;
  }

  /** What is going on. */
  stats(): ServerStats {
    return this.#core.stats();
  }

  /** Tells every client that the server goes away (1001), and ends after 2 seconds at the latest. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#core[Symbol.dispose]();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLate = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), CLOSE_MS);
    });
    const done = await Promise.race([this.#http.shutdown().then(() => true), tooLate]);
    clearTimeout(timer);
    if (!done) this.#abort.abort(); // aborting a server that has ended throws
  }
}

function answer(core: ServerCore, request: Request, remote: Deno.NetAddr, log: Log): Response {
  const { method, headers } = request;
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return answerPlainHttp(method, new URL(request.url).pathname, () => core.stats());
  }
  if (core.isFlooded(remote)) {
    return textResponse(429, "Too many connections from this address\n", method);
  }
  let upgrade: Deno.WebSocketUpgrade;
  try {
    upgrade = Deno.upgradeWebSocket(request, { idleTimeout: VANISHED_SECONDS });
  } catch (error) {
    return textResponse(400, `Cannot upgrade to a WebSocket: ${messageOf(error)}\n`, method);
  }
  new SocketEvents(core, upgrade.socket, remote, log);
  return upgrade.response;
}

/** Tells Deno's words for frames that break RFC 6455 from those for connections that got lost. */
const BROKEN_FRAME = /\b(invalid|too large|fragmented|reserved)\b/i;

/**
 * Takes a WebSocket's events to the core. One object hears all four kinds, because thousands of
 * connections make four closures each worth saving.
 */
class SocketEvents implements EventListenerObject {
  #connection: ServedConnection | undefined;

  constructor(
    private readonly core: ServerCore,
    private readonly socket: WebSocket,
    private readonly remote: Deno.NetAddr,
    private readonly log: Log,
  ) {
    for (const type of ["open", "message", "close", "error"]) socket.addEventListener(type, this);
  }

  handleEvent(event: Event): void {
    try {
      switch (event.type) {
        case "open":
          this.#connection = this.core.connect(this.socket, this.remote);
          break;
        case "message":
          this.#connection?.receive((event as MessageEvent).data);
          break;
        case "close":
          this.#connection?.closed();
          break;
        case "error": {
          const { message } = event as ErrorEvent;
          if (BROKEN_FRAME.test(message)) this.#connection?.broken(message);
          break;
        }
      }
    } catch (error) {
      // An exception that left an event handler would end the program, and with it everybody.
      this.log.error(`Cannot handle a connection's ${event.type}: ${messageOf(error)}`);
    }
  }
}

function listenError(error: unknown, address: SocketAddress, secure: boolean): Error {
  const where = formatAddress(address);
  if (error instanceof Deno.errors.AddrInUse) {
    return new ParlanceError(
      `Cannot listen on ${where}: the port is in use; stop the program that uses it, or choose ` +
        "another port with --port",
      { cause: error },
    );
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return new ParlanceError(
      `Cannot listen on ${where}: this machine does not have that address; choose another with --host`,
      { cause: error },
    );
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new ParlanceError(
      `Cannot listen on ${where}: the system does not permit it; choose a port above 1023 with --port`,
      { cause: error },
    );
  }
  const reason = messageOf(error);
  if (secure && /cert|key|pem/i.test(reason)) {
    return new InvalidInputError(
      `Cannot serve wss: ${reason}; give a certificate chain and its private key in PEM with ` +
        "--cert and --key",
      { cause: error },
    );
  }
  return new ParlanceError(`Cannot listen on ${where}: ${reason}`, { cause: error });
}
