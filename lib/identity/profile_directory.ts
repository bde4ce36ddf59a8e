import { InvalidInputError } from "../errors.ts";

/** What decides where a profile lies. */
export interface ProfileDirectoryOptions {
  /** The profile's name: `--profile`, else the nickname. */
  readonly profile: string;
  /** `--data-dir`, which replaces the whole directory. */
  readonly dataDir?: string;
  /** Reads the environment. */
  readonly env: (name: string) => string | undefined;
  /** `Deno.build.os`. */
  readonly os: string;
}

/** Systems whose file systems take "Alice" and "alice" for the same, unless set up otherwise. */
const CASELESS = ["darwin", "windows"];

/** Twice the longest nickname; every byte may take three characters of a file name's 255. */
const MAX_PROFILE_BYTES = 64;

/**
 * The directory of a profile: `$XDG_DATA_HOME/parlance/PROFILE`, by default below
 * `~/.local/share`; on Windows below `%LOCALAPPDATA%`.
 *
 * @throws {InvalidInputError} The name is empty or too long, or the environment names no home.
 */
export function profileDirectory(options: ProfileDirectoryOptions): string {
  const { profile, dataDir, env, os } = options;
  if (dataDir !== undefined) {
    if (dataDir === "") throw new InvalidInputError('Cannot use --data-dir "": it is empty');
    return dataDir;
  }
  const separator = os === "windows" ? "\\" : "/";
  return [dataHome(env, os), "parlance", fileNameOf(profile, os)].join(separator);
}

function dataHome(env: (name: string) => string | undefined, os: string): string {
  const refuse = (name: string) =>
    new InvalidInputError(
      `Cannot find a place for the profile: ${name} is not set; set it, or use --data-dir DIR`,
    );
  if (os === "windows") {
    const local = env("LOCALAPPDATA");
    if (!local) throw refuse("LOCALAPPDATA");
    return local;
  }
  const xdg = env("XDG_DATA_HOME");
  if (xdg?.startsWith("/")) return withoutEndingSlash(xdg); // others are to be ignored, it says
  const home = env("HOME");
  if (!home) throw refuse("HOME");
  return `${withoutEndingSlash(home)}/.local/share`;
}

function withoutEndingSlash(path: string): string {
  return path.replace(/\/+$/, "");
}

/**
 * A name that every file system takes, different for different profiles: letters, digits, "_", "-"
 * and inner dots stand for themselves, all other bytes of UTF-8 are written as `%XX`. So is the
 * first letter of the names that Windows keeps for devices, and every capital letter where case
 * makes no difference to the file system.
 */
function fileNameOf(profile: string, os: string): string {
  const bytes = new TextEncoder().encode(profile);
  if (bytes.length === 0 || bytes.length > MAX_PROFILE_BYTES || !profile.isWellFormed()) {
    throw new InvalidInputError(
      `Cannot use the profile ${JSON.stringify(profile)}: ` +
        `a name has 1 to ${MAX_PROFILE_BYTES} bytes of UTF-8; choose another with --profile`,
    );
  }
  const device = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i.test(profile);
  const plainCharacter = CASELESS.includes(os) ? /[a-z\d_-]/ : /[\w-]/;
  return [...bytes].map((byte, at) => {
    const character = String.fromCharCode(byte);
    const outer = at === 0 || at === bytes.length - 1;
    const plain = plainCharacter.test(character) || character === "." && !outer;
    return plain && !(device && at === 0) ? character : `%${escaped(byte)}`;
  }).join("");
}

function escaped(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}
