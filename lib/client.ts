import { systemClock } from "./base/clock.ts";
import type { Log } from "./base/log.ts";
import { systemRandom } from "./base/random.ts";
import { lazyLog, writeToStderr } from "./logging.ts";
import { generateConfiguration } from "./config/generate.ts";
import type { IdentityCommand } from "./config/identity_options.ts";
import { loadConfiguration } from "./config/load.ts";
import { parseOptions, type RunOptions } from "./config/options.ts";
import { oddities, resolveSettings, type Settings } from "./config/settings.ts";
import { InvalidInputError, ParlanceError } from "./errors.ts";
import { openIdentity } from "./identity/identity.ts";
import { KnownPeers } from "./identity/known_peers.ts";
import { Profile } from "./identity/profile.ts";
import { profileDirectory } from "./identity/profile_directory.ts";
import { Node, type NodeSecurity, systemEnvironment } from "./node.ts";
import { Output } from "./ui/output.ts";

/** Exit statuses: as asked, something failed, bad option or configuration. */
const OK = 0;
const FAILED = 1;
const BAD_INPUT = 2;
/** As a shell reports a program that SIGINT ended. */
const INTERRUPTED = 130;

/**
 * Runs the client as a program.
 *
 * @param args Its command line.
 * @param version Its version.
 * @returns The exit status.
 */
export async function runClient(args: readonly string[], version: string): Promise<number> {
  try {
    const options = parseOptions(args);
    switch (options.kind) {
      case "help":
        await print(options.text);
        return OK;
      case "version":
        await print(`${version}\n`);
        return OK;
      case "generate-config":
        await generateConfiguration(options.path);
        await print(`Wrote ${options.path}\n`);
        return OK;
      case "identity":
        return await identity(options);
      case "run":
        return await chat(await settingsOf(options.options), version);
    }
  } catch (error) {
    if (!(error instanceof ParlanceError)) throw error;
    console.error(error.message);
    return error instanceof InvalidInputError ? BAD_INPUT : FAILED;
  }
}

async function settingsOf(options: RunOptions): Promise<Settings> {
  const env = (name: string) => Deno.env.get(name);
  const { configuration } = await loadConfiguration({
    path: options.config,
    cwd: Deno.cwd(),
    env,
  });
  return resolveSettings(options, configuration, env);
}

/** Shows, exports or imports an identity, without a node. */
async function identity(command: IdentityCommand): Promise<number> {
  const { runIdentityCommand, systemIdentityEnvironment } = await import("./identity_command.ts");
  const stop = new AbortController();
  using _signals = onSignals(() => stop.abort());
  const text = await runIdentityCommand(command, systemIdentityEnvironment(stop.signal));
  if (text === undefined) return INTERRUPTED;
  await print(text);
  return OK;
}

/** Starts a node and the interface that fits, and stays until the user leaves. */
async function chat(settings: Settings, version: string): Promise<number> {
  const stop = new AbortController();
  using _signals = onSignals((signal) => {
    // Ctrl-C twice: at once. A closing terminal sends its signals twice without meaning that.
    if (stop.signal.aborted && signal === "SIGINT") Deno.exit(INTERRUPTED);
    stop.abort();
  });
  let writeLog: (line: string) => void = writeToStderr;
  const log = lazyLog({ level: settings.logLevel, write: (line) => writeLog(line) });
  for (const oddity of oddities(settings)) log.warn(oddity);
  await using security = await openSecurity(settings, log);
  await using node = await Node.start(
    { ...settings, security },
    { ...systemEnvironment, log },
  );
  const common = { clock: systemClock, node, version, signal: stop.signal, ...settings };
  const isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  if (isTerminal && !settings.json) {
    const { TerminalInterface } = await import("./ui/terminal.ts");
    const { colourStyle, plainStyle } = await import("./ui/style.ts");
    const isDumb = Deno.env.get("TERM") === "dumb";
    const style = Deno.noColor || isDumb ? plainStyle : colourStyle;
    const terminal = new TerminalInterface({ ...common, style });
    writeLog = (line) => terminal.print(line.trimEnd());
    await terminal.run();
    return OK;
  }
  const read = (buffer: Uint8Array) => Deno.stdin.read(buffer as Uint8Array<ArrayBuffer>);
  const output = new Output((bytes) => Deno.stdout.write(bytes as Uint8Array<ArrayBuffer>));
  if (settings.json) {
    const { runJsonInterface } = await import("./ui/json.ts");
    await runJsonInterface({ ...common, read, output });
    return OK;
  }
  const { PlainInterface } = await import("./ui/plain.ts");
  return await new PlainInterface({ ...common, read, output }).run() ? OK : FAILED;
}

/** Opens the profile, which no other process may use meanwhile, and what it holds. */
async function openSecurity(
  settings: Settings,
  log: Log,
): Promise<NodeSecurity & AsyncDisposable> {
  const env = (name: string) => Deno.env.get(name);
  const directory = profileDirectory({ ...settings, env, os: Deno.build.os });
  await using parts = new AsyncDisposableStack();
  parts.use(await Profile.open({ directory, log }));
  const identity = await openIdentity(directory, systemRandom);
  const knownPeers = parts.use(await KnownPeers.open({ directory, clock: systemClock, log }));
  const opened = parts.move();
  return {
    identity,
    knownPeers,
    plaintext: settings.plaintext,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Calls back at each signal that asks the program to end. */
function onSignals(callback: (signal: Deno.Signal) => void): Disposable {
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  const handlers = signals.map((signal) => [signal, () => callback(signal)] as const);
  for (const [signal, handler] of handlers) Deno.addSignalListener(signal, handler);
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
    },
  };
}

async function print(text: string): Promise<void> {
  const output = new Output((bytes) => Deno.stdout.write(bytes as Uint8Array<ArrayBuffer>));
  output.push(text);
  await output.flush();
}
