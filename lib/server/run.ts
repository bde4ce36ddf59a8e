import { InvalidInputError, messageOf, ParlanceError } from "../errors.ts";
import type { Log } from "../base/log.ts";
import type { ServerCommand } from "./command.ts";
import { BootstrapServer } from "./server.ts";

/** Files beyond this are no certificates, in bytes. */
const MAX_PEM_BYTES = 1 << 20;

/**
 * Runs the bootstrap server as a program until it is asked to stop.
 *
 * @param write Takes the line that says where it serves.
 * @returns The exit status: 0 when asked to stop, 1 when it cannot listen, 2 for bad input.
 */
export async function runServer(
  { host, port, cert, key, limits }: ServerCommand,
  log: Log,
  write: { readonly out: (text: string) => void; readonly err: (text: string) => void },
): Promise<number> {
  useVectoredWrites();
  let server: BootstrapServer;
  const stopped = stopSignal();
  try {
    server = await BootstrapServer.start({
      hostname: host,
      port,
      cert: cert === undefined ? undefined : await readPem("--cert", cert, "CERTIFICATE"),
      key: key === undefined ? undefined : await readPem("--key", key, "PRIVATE KEY"),
      limits,
      log,
    });
  } catch (error) {
    if (!(error instanceof ParlanceError)) throw error;
    write.err(`error: ${error.message.replaceAll(/\s*\n\s*/g, " ")}\n`);
    return error instanceof InvalidInputError ? 2 : 1;
  }
  write.out(`Parlance bootstrap server at ${server.url}\n`);
  const signal = await stopped;
  log.info(`Stopping on ${signal}`);
  await server.close();
  return 0;
}

/**
 * Has Deno hand frames to the system without copying them into a buffer that every WebSocket then
 * keeps, as large as the longest frame it ever sent. Deno reads this when it opens the first
 * WebSocket, and has no other way to say it. With 2,000 clients that poll a list of 2,000 peers:
 * 160 MB instead of 930, and two thirds of the processor time (Deno 2.9.6).
 */
function useVectoredWrites(): void {
  if (!Deno.env.has("DENO_USE_WRITEV")) Deno.env.set("DENO_USE_WRITEV", "1");
}

/** The first signal that asks for an end; the next one is the system's own and ends at once. */
function stopSignal(): Promise<Deno.Signal> {
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  return new Promise((resolve) => {
    const handlers = signals.map((signal) => {
      const handler = () => {
        for (const [other, listener] of handlers) Deno.removeSignalListener(other, listener);
        resolve(signal);
      };
      return [signal, handler] as const;
    });
    for (const [signal, handler] of handlers) Deno.addSignalListener(signal, handler);
  });
}

async function readPem(option: string, path: string, label: string): Promise<string> {
  let text: string;
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile || size > MAX_PEM_BYTES) throw new Error("it is not a PEM file");
    text = await Deno.readTextFile(path);
  } catch (error) {
    throw new InvalidInputError(
      `Cannot read the file ${JSON.stringify(path)} of ${option}: ${messageOf(error)}`,
      { cause: error },
    );
  }
  if (!new RegExp(`-----BEGIN [A-Z0-9 ]*${label}-----`).test(text)) {
    throw new InvalidInputError(
      `Cannot use the file ${JSON.stringify(path)} of ${option}: it has no ${label} in PEM`,
    );
  }
  return text;
}
