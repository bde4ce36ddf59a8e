import { InvalidInputError, LimitError, messageOf } from "../errors.ts";
import { type Configuration, DEFAULT_CONFIGURATION } from "./configuration.ts";
import { readBounded } from "./read_bounded.ts";

/** Largest file that is read, in bytes; a full one with comments has two thousand. */
export const MAX_FILE_BYTES = 1024 * 1024;

/** Where and how to look for a configuration file. */
export interface LoadOptions {
  /** The file that the user named; relative to `cwd`. Without it the usual places are tried. */
  readonly path?: string;
  /** The working directory. */
  readonly cwd: string;
  /** Looks an environment variable up. */
  readonly env: (name: string) => string | undefined;
  /** Whether Windows' rules for paths hold. */
  readonly windows?: boolean;
  /** Reads at most so many bytes of a file; rejects with Deno's errors or a {@linkcode LimitError}. */
  readonly readFile?: (path: string, most: number) => Promise<Uint8Array>;
}

/** A configuration, and the file that it comes from, if any. */
export interface Loaded {
  readonly configuration: Configuration;
  readonly path: string | undefined;
}

/**
 * Loads the configuration: the file that the user named, else `parlance.toml` in the working
 * directory, else `parlance/parlance.toml` in the user's configuration directory, else defaults.
 * The first file that exists counts alone. Only then is the TOML parser loaded.
 *
 * @throws {InvalidInputError} A line for each problem of the file.
 */
export async function loadConfiguration(options: LoadOptions): Promise<Loaded> {
  const read = options.readFile ?? readBounded;
  for (const { path, label } of candidates(options)) {
    let bytes: Uint8Array;
    try {
      bytes = await read(path, MAX_FILE_BYTES);
    } catch (error) {
      if (options.path === undefined && isAbsent(error)) continue;
      throw new InvalidInputError(`Cannot load ${label}: ${readProblem(error)}`, { cause: error });
    }
    const { parseConfiguration } = await import("./parse.ts");
    return { configuration: await parseConfiguration(decode(bytes, label), label), path };
  }
  return { configuration: DEFAULT_CONFIGURATION, path: undefined };
}

/** The files that are tried, and what messages call them. */
function candidates(options: LoadOptions): { path: string; label: string }[] {
  const { path, cwd, env, windows = Deno.build.os === "windows" } = options;
  const separator = windows ? "\\" : "/";
  const join = (...parts: string[]) => parts.join(separator);
  const isAbsolute = (path: string) =>
    windows ? /^(?:[a-z]:)?[\\/]/i.test(path) : path.startsWith("/");
  if (path !== undefined) {
    return [{ path: isAbsolute(path) ? path : join(cwd, path), label: path }];
  }
  const found = [{ path: join(cwd, "parlance.toml"), label: "parlance.toml" }];
  // An XDG path that is not absolute is to be ignored (XDG Base Directory Specification).
  const given = env(windows ? "APPDATA" : "XDG_CONFIG_HOME");
  const home = env("HOME");
  const base = given !== undefined && isAbsolute(given)
    ? given
    : !windows && home !== undefined && isAbsolute(home)
    ? join(home, ".config")
    : undefined;
  if (base !== undefined) {
    const path = join(base, "parlance", "parlance.toml");
    found.push({ path, label: path });
  }
  return found;
}

function isAbsent(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

function readProblem(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) {
    return "there is no such file; --generate-config FILE writes one";
  }
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory; name a file";
  if (error instanceof Deno.errors.PermissionDenied) return "no permission to read it";
  if (error instanceof LimitError) {
    return `it is larger than ${MAX_FILE_BYTES} bytes, so it is no configuration file`;
  }
  return messageOf(error);
}

function decode(bytes: Uint8Array, label: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new InvalidInputError(`Cannot load ${label}: it is not UTF-8; save it as UTF-8`, {
      cause: error,
    });
  }
}
