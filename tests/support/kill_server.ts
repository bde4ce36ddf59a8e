import type { Child } from "./child.ts";
import { startServer } from "./program.ts";

/** A bootstrap server on this machine that is killed, and comes back at the same address. */
export class FragileServer implements AsyncDisposable {
  #isOver = false;

  private constructor(private server: Child, private readonly port: number) {}

  static async start(): Promise<FragileServer> {
    const server = listen(0);
    return new FragileServer(server, await portOf(server));
  }

  /** Options of a client that finds others through this server only. */
  get clientArgs(): string[] {
    return ["--mode", "internet", "--bootstrap-server", `ws://127.0.0.1:${this.port}`];
  }

  /** Kills the server and starts it again, with nothing of what it knew. */
  async restart(): Promise<void> {
    this.server.kill("SIGKILL");
    await this.server.exited();
    await this.server[Symbol.asyncDispose]();
    if (this.#isOver) return;
    this.server = listen(this.port);
    await portOf(this.server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.server[Symbol.asyncDispose]();
  }
}

function listen(port: number): Child {
  return startServer({ args: ["--host", "127.0.0.1", "--port", String(port)] });
}

async function portOf(server: Child): Promise<number> {
  return Number(/ws:\/\/\S+:(\d+)/.exec(await server.waitForText(/ws:\/\/\S+:\d+/))![1]);
}
