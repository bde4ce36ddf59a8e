import { systemClock } from "./base/clock.ts";
import type { Log } from "./base/log.ts";
import { canSecureStreams } from "./base/runtime.ts";
import { systemRandom } from "./base/random.ts";
import { lazyLog, writeToStderr } from "./logging.ts";
import { generateConfiguration } from "./config/generate.ts";
import type { IdentityCommand } from "./config/identity_options.ts";
import { loadConfiguration } from "./config/load.ts";
import type { OneShotOptions } from "./config/one_shot_options.ts";
import { parseOptions, type RunOptions } from "./config/options.ts";
import { oddities, resolveSettings, type Settings, USER_VARIABLES } from "./config/settings.ts";
import type { Kept } from "./control/link.ts";
import type { ControlServerOptions } from "./control/server.ts";
import { InvalidInputError, messageOf, ParlanceError } from "./errors.ts";
import { profileDirectory } from "./identity/profile_directory.ts";
import { Node, systemEnvironment } from "./node.ts";
import { openProfile } from "./open_profile.ts";
import { aborted } from "./ui/ending.ts";
import { Output } from "./ui/output.ts";
import type { TerminalInterfaceOptions } from "./ui/terminal.ts";

/** Exit statuses: as asked, something failed, bad option or configuration. */
const OK = 0;
const FAILED = 1;
const BAD_INPUT = 2;
/** As a shell reports a program that SIGINT ended. */
const INTERRUPTED = 130;
/** What a second Ctrl-C leaves for the goodbye, in milliseconds. */
const GOODBYE_MS = 1000;
/** From the node's start to the moment that commands are let in: the interface loads meanwhile. */
const CONTROL_DELAY_MS = 50;

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
      case "one-shot":
        return await oneShot(options, version);
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
  const user = USER_VARIABLES.some(env) ? undefined : await systemUser();
  const withUser = (name: string) => env(name) ?? (name === USER_VARIABLES[0] ? user : undefined);
  return resolveSettings(options, configuration, withUser);
}

/** The user's name where no variable tells it, as in a container or a scheduled job. */
async function systemUser(): Promise<string | undefined> {
  const { userInfo } = await import("node:os");
  try {
    return userInfo().username;
  } catch {
    return undefined; // a user id without a name: the error about nicknames says what to do
  }
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
  const hurry = new AbortController();
  const interrupt = () => {
    if (!stop.signal.aborted) return stop.abort();
    // While the program ends already: at once, with one try to say goodbye. A closing terminal
    // sends its other signals twice without meaning that.
    hurry.abort();
    systemClock.after(GOODBYE_MS, () => Deno.exit(INTERRUPTED));
  };
  using _signals = onSignals((signal) => signal === "SIGINT" ? interrupt() : stop.abort());
  let writeLog: (line: string) => void = writeToStderr;
  const log = lazyLog({ level: settings.logLevel, write: (line) => writeLog(line) });
  for (const oddity of oddities(settings)) log.warn(oddity);
  const startedAt = systemClock.monotonic();
  await using client = await openClient(settings, log);
  const { node } = client;
  await using _control = openControlLater({
    ...{ clock: systemClock, log, node, version, startedAt, isOneShot: false },
    ...{ directory: client.directory, signal: stop.signal },
  });
  const { nicknames: contacts } = client;
  const common = { clock: systemClock, node, version, contacts, stop, interrupt, ...settings };
  const logTo = (write: (line: string) => void) => writeLog = write;
  return await Promise.race([
    converse({ ...common, logTo }),
    aborted(hurry.signal).then(() => INTERRUPTED),
  ]);
}

/** Does one thing, through the client that runs on the profile or as that client. */
async function oneShot({ command, options }: OneShotOptions, version: string): Promise<number> {
  const stop = new AbortController();
  using _signals = onSignals((signal) => {
    // A second Ctrl-C: at once, whatever is under way.
    if (stop.signal.aborted && signal === "SIGINT") Deno.exit(INTERRUPTED);
    stop.abort();
  });
  const settings = await settingsOf(options);
  const log = lazyLog({ level: settings.logLevel, write: writeToStderr });
  const { runOneShot } = await import("./control/run.ts");
  const { becomeClient, systemEndpoint } = await import("./control/host.ts");
  const env = (name: string) => Deno.env.get(name);
  const endpoint = systemEndpoint({
    env,
    os: Deno.build.os,
    uid: Deno.uid(),
    random: systemRandom,
  });
  const common = { clock: systemClock, log, version, endpoint };
  const output = new Output((bytes) => Deno.stdout.write(bytes as Uint8Array<ArrayBuffer>));
  return await runOneShot(command, {
    ...settings,
    ...common,
    directory: profileDirectory({ ...settings, env, os: Deno.build.os }),
    host: () => {
      const isShowing = command.name === "listen" || !settings.keepHistory;
      const open = () => openClient(settings, log, isShowing);
      const shown = command.name === "listen" ? () => output.written() : undefined;
      return becomeClient({ ...common, shown, open });
    },
    read: (buffer) => Deno.stdin.read(buffer as Uint8Array<ArrayBuffer>),
    output,
    warn: (text) => writeToStderr(`${text}\n`),
    signal: stop.signal,
  });
}

/** A node on its profile. */
interface Client extends AsyncDisposable {
  readonly node: Node;
  /** The profile's. */
  readonly directory: string;
  /** What outlives it. */
  readonly kept: () => Kept;
  /** Those whom the user has to do with. */
  readonly nicknames: () => string[];
}

/**
 * Opens the profile, and starts a node on it.
 *
 * @param showsLeft Whether somebody sees what an earlier run has received and not shown.
 */
async function openClient(settings: Settings, log: Log, showsLeft = true): Promise<Client> {
  await using parts = new AsyncDisposableStack();
  const opened = parts.use(await openProfile(settings, log));
  const history = { ...opened.history, showsLeft };
  // Only a compiled program gets here with an older runtime: the one that it was compiled with.
  const security = canSecureStreams(Deno.version.deno) ? opened.security : undefined;
  if (security === undefined) {
    log.warn(
      `This program was compiled with Deno ${Deno.version.deno}, which cannot encrypt: all ` +
        "messages are plain text; compile it with 2.8 or later",
    );
  }
  const node = parts.use(
    await Node.start({ ...settings, security, history }, { ...systemEnvironment, log }),
  );
  const kept = parts.move();
  return {
    node,
    directory: opened.directory,
    nicknames: opened.nicknames,
    kept() {
      const { path, state } = history.store;
      if (path === "memory" || state.kind !== "ok") return "nothing";
      return settings.keepHistory ? "everything" : "outbox";
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Lets commands in once the interface is there, for which nobody is to wait longer. */
function openControlLater(options: Omit<ControlServerOptions, "endpoint">): AsyncDisposable {
  const { clock, log } = options;
  const open = async () => {
    try {
      const { startControl } = await import("./control/host.ts");
      return await startControl({
        ...options,
        env: (name) => Deno.env.get(name),
        os: Deno.build.os,
        uid: Deno.uid(),
        random: systemRandom,
      });
    } catch (error) {
      log.warn(`Commands such as \`parlance send\` cannot go through here: ${messageOf(error)}`);
    }
  };
  let opened: ReturnType<typeof open> | undefined;
  const cancel = clock.after(CONTROL_DELAY_MS, () => opened = open());
  return {
    async [Symbol.asyncDispose]() {
      cancel();
      await (await opened)?.[Symbol.asyncDispose]();
    },
  };
}

/** What the interface is made from. */
type Conversation = Settings & Omit<TerminalInterfaceOptions, "style"> & {
  /** Directs the log elsewhere. */
  readonly logTo: (write: (line: string) => void) => void;
};

/** Runs the interface that fits until the user leaves; returns the exit status. */
async function converse(conversation: Conversation): Promise<number> {
  const isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  if (isTerminal && !conversation.json) {
    const { TerminalInterface } = await import("./ui/terminal.ts");
    const { colourStyle, plainStyle } = await import("./ui/style.ts");
    const isDumb = Deno.env.get("TERM") === "dumb";
    const style = Deno.noColor || isDumb ? plainStyle : colourStyle;
    const terminal = new TerminalInterface({ ...conversation, style });
    // On the same screen it would break the prompt; elsewhere it is where it was asked for.
    if (Deno.stderr.isTerminal()) conversation.logTo((line) => terminal.log(line.trimEnd()));
    await terminal.run();
    return OK;
  }
  const read = (buffer: Uint8Array) => Deno.stdin.read(buffer as Uint8Array<ArrayBuffer>);
  const output = new Output((bytes) => Deno.stdout.write(bytes as Uint8Array<ArrayBuffer>));
  const columns = Deno.stdout.isTerminal() ? Deno.consoleSize().columns : undefined;
  const common = { ...conversation, signal: conversation.stop.signal, read, output, columns };
  if (conversation.json) {
    const { runJsonInterface } = await import("./ui/json.ts");
    await runJsonInterface(common);
    output.check();
    return OK;
  }
  const { PlainInterface } = await import("./ui/plain.ts");
  const plain = new PlainInterface(common);
  if (columns !== undefined && Deno.stderr.isTerminal()) {
    conversation.logTo((line) => plain.log(line.trimEnd()));
  }
  const isDone = await plain.run();
  output.check();
  return isDone ? OK : FAILED;
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
  output.check();
}
