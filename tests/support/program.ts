import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";
import { type Host, thisMachine } from "./host.ts";

/** How a program of a test is started. */
export interface ProgramOptions {
  /** Options of the program itself. */
  readonly args?: readonly string[];
  /** Where it runs; this machine unless given. */
  readonly host?: Host;
  /** Text of a configuration file, which is then given with `--config`. */
  readonly config?: string;
  /** Added to the few variables that it gets. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the client speaks JSON (`--json` is added). */
  readonly json?: boolean;
}

/** The command of a product: from source, or the compiled program that a variable names. */
interface Product {
  readonly entry: string;
  readonly binaryVariable: string;
}

const CLIENT: Product = { entry: "main.ts", binaryVariable: "PARLANCE_BIN" };
const SERVER: Product = { entry: "bootstrap_server.ts", binaryVariable: "PARLANCE_SERVER_BIN" };

/** Starts the client with `--json`. */
export function startClient(nickname: string, options: ProgramOptions = {}): Child {
  const json = options.json ?? true;
  const args = ["--nickname", nickname, ...(json ? ["--json"] : []), ...(options.args ?? [])];
  return start(CLIENT, `client ${nickname}`, json, { ...options, args });
}

/** Starts the client with exactly the given options and without `--json`. */
export function startPlainClient(options: ProgramOptions = {}): Child {
  return start(CLIENT, "client", false, options);
}

/** Starts the bootstrap server. */
export function startServer(options: ProgramOptions = {}): Child {
  return start(SERVER, "server", false, options);
}

/** The command line, the directory and the environment of a client, for a terminal to start. */
export function clientCommand(options: ProgramOptions = {}): Prepared {
  return prepare(CLIENT, options);
}

/** Starts a module of `tests/support` as a process of its own that prints JSON lines. */
export function startSupport(
  module: string,
  settings: Readonly<Record<string, unknown>>,
  host: Host = thisMachine,
): Child {
  const path = fileURLToPath(new URL(module, import.meta.url));
  const { command, args } = host.enter(Deno.execPath(), [
    ...runFromSource(path),
    JSON.stringify(settings),
  ]);
  return new Child({
    command,
    args,
    env: sourceEnvironment(),
    json: true,
    label: `${module} ${settings.nickname ?? ""}`,
  });
}

/** What is needed to start a program. */
export interface Prepared {
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
  readonly cwd: string;
}

function start(product: Product, label: string, json: boolean, options: ProgramOptions): Child {
  const prepared = prepare(product, options);
  return new Child({ ...prepared, json, label, ownedDirectory: prepared.cwd });
}

function prepare(product: Product, options: ProgramOptions): Prepared {
  const cwd = Deno.makeTempDirSync({ prefix: "parlance-e2e-" });
  const args = [...(options.args ?? [])];
  if (options.config !== undefined) {
    const file = `${cwd}/test.toml`;
    Deno.writeTextFileSync(file, options.config);
    args.push("--config", file);
  }
  const binary = Deno.env.get(product.binaryVariable);
  const source = fileURLToPath(new URL(`../../${product.entry}`, import.meta.url));
  // A compiled program must find neither Deno nor its cache; what starts it needs a path.
  const { command, args: all } = (options.host ?? thisMachine).enter(
    binary === undefined ? Deno.execPath() : "env",
    binary === undefined
      ? [...runFromSource(source), ...args]
      : ["PATH=/nonexistent", resolve(binary), ...args],
  );
  const env = {
    ...(binary === undefined ? sourceEnvironment() : { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" }),
    HOME: cwd,
    XDG_CONFIG_HOME: `${cwd}/.config`,
    XDG_CACHE_HOME: `${cwd}/.cache`,
    XDG_DATA_HOME: `${cwd}/.local/share`,
    XDG_STATE_HOME: `${cwd}/.local/state`,
    ...options.env,
  };
  return { command, args: all, env, cwd };
}

function runFromSource(path: string): string[] {
  const configuration = fileURLToPath(new URL("../../deno.json", import.meta.url));
  return ["run", "--quiet", "-A", "--config", configuration, path];
}

/** What Deno needs to run from source without fetching anything again. */
function sourceEnvironment(): Record<string, string> {
  const home = Deno.env.get("HOME") ?? "/";
  const caches = Deno.env.get("XDG_CACHE_HOME") ??
    (Deno.build.os === "darwin" ? `${home}/Library/Caches` : `${home}/.cache`);
  return {
    PATH: Deno.env.get("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin",
    DENO_DIR: Deno.env.get("DENO_DIR") ?? `${caches}/deno`,
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
    ...(Deno.env.has("NPM_CONFIG_REGISTRY")
      ? { NPM_CONFIG_REGISTRY: Deno.env.get("NPM_CONFIG_REGISTRY")! }
      : {}),
  };
}
