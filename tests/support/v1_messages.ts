import { decodeText, numberField, readLines, readObject, textField } from "./v1_json.ts";

/** What the listener of a version 1 peer notices. */
export type V1MessageEvent =
  | {
    readonly event: "message";
    readonly from: string;
    readonly content: string;
    readonly timestamp: number;
  }
  | { readonly event: "connection" | "connection_end"; readonly address: string }
  | { readonly event: "refused"; readonly where: "datagram" | "line"; readonly cause: string };

/** Receives messages as a version 1 peer does: any number of lines from any number of connections. */
export class V1Listener implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  readonly #connections = new Set<Deno.Conn>();
  readonly #tasks = new Set<Promise<void>>();

  constructor(private readonly observe: (event: V1MessageEvent) => void) {
    this.#tasks.add(this.#accept());
  }

  /** The port that the system assigned. */
  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    await Promise.allSettled(this.#tasks);
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        const task = this.#serve(connection).finally(() => this.#tasks.delete(task));
        this.#tasks.add(task);
      }
    } catch {
      // Closed.
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    this.#connections.add(connection);
    const address = `${connection.remoteAddr.hostname}:${connection.remoteAddr.port}`;
    this.observe({ event: "connection", address });
    try {
      for await (const line of readLines(connection.readable)) this.#line(line);
    } catch {
      // Reset by the other side, or closed here.
    }
    this.#connections.delete(connection);
    this.observe({ event: "connection_end", address });
  }

  #line(line: Uint8Array): void {
    try {
      const object = readObject(decodeText(line));
      const from = textField(object, "from");
      const content = textField(object, "content");
      const timestamp = numberField(object, "timestamp", Number.MAX_SAFE_INTEGER);
      this.observe({ event: "message", from, content, timestamp });
    } catch (error) {
      this.observe({ event: "refused", where: "line", cause: String(error) });
    }
  }
}

/** Sends one message over a connection of its own. */
export async function sendV1(
  to: { hostname: string; port: number },
  from: string,
  content: string,
): Promise<void> {
  const timestamp = Math.floor(Date.now() / 1000);
  const bytes = new TextEncoder().encode(JSON.stringify({ from, content, timestamp }) + "\n");
  using connection = await Deno.connect(to);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
