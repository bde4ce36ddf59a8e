import type { Log } from "./base/log.ts";
import { type Random, systemRandom } from "./base/random.ts";
import { writeProblem } from "./config/generate.ts";
import type { IdentityCommand } from "./config/identity_options.ts";
import { loadConfiguration } from "./config/load.ts";
import { readBounded } from "./config/read_bounded.ts";
import { resolveProfile } from "./config/settings.ts";
import { InvalidInputError, LimitError, messageOf, ParlanceError } from "./errors.ts";
import {
  decryptIdentity,
  encryptIdentity,
  MAX_BACKUP_LENGTH,
  MIN_PASSPHRASE_LENGTH,
} from "./identity/backup.ts";
import { type Identity, readIdentity, storeIdentity } from "./identity/identity.ts";
import { Profile } from "./identity/profile.ts";
import { profileDirectory } from "./identity/profile_directory.ts";
import { lazyLog, writeToStderr } from "./logging.ts";
import { CancelledError, type PassphraseInput, Passphrases } from "./passphrase.ts";
import { type PeerId, shortId } from "./wire/peer_id.ts";

/** What the command needs of the system. */
export interface IdentityCommandEnvironment {
  readonly env: (name: string) => string | undefined;
  /** `Deno.build.os`. */
  readonly os: string;
  /** The working directory. */
  readonly cwd: string;
  readonly random: Random;
  readonly log: Log;
  readonly input: PassphraseInput;
  /** Ends a wait for a passphrase. */
  readonly signal: AbortSignal;
}

/**
 * This system, with standard input and the messages of the log on standard error.
 *
 * @param signal Ends a wait for a passphrase.
 */
export function systemIdentityEnvironment(signal: AbortSignal): IdentityCommandEnvironment {
  return {
    env: (name) => Deno.env.get(name),
    os: Deno.build.os,
    cwd: Deno.cwd(),
    random: systemRandom,
    log: lazyLog({ level: "warning", write: writeToStderr }),
    input: {
      isTerminal: () => Deno.stdin.isTerminal(),
      setRaw: (raw) => Deno.stdin.setRaw(raw),
      read: (buffer) => Deno.stdin.read(buffer as Uint8Array<ArrayBuffer>),
      show: writeToStderr,
    },
    signal,
  };
}

/**
 * Does what `parlance identity` was asked for. Showing and exporting only read, and work beside a
 * running client; importing takes the profile's lock.
 *
 * @returns What to print, or `undefined` where the user has left instead of giving a passphrase.
 * @throws {InvalidInputError} The configuration is bad, names no profile, or there is nobody to ask
 *   for a passphrase.
 * @throws {ParlanceError} Whatever else fails.
 */
export async function runIdentityCommand(
  command: IdentityCommand,
  environment: IdentityCommandEnvironment,
): Promise<string | undefined> {
  try {
    return await run(command, environment);
  } catch (error) {
    if (error instanceof CancelledError) return undefined;
    throw error;
  }
}

async function run(
  command: IdentityCommand,
  environment: IdentityCommandEnvironment,
): Promise<string> {
  const directory = await directoryOf(command, environment);
  switch (command.action) {
    case "show":
      return describe(await existing(directory, "show the identity"), directory);
    case "export":
      return await exportIdentity(command, directory, environment);
    case "import":
      return await importIdentity(command, directory, environment);
  }
}

async function directoryOf(
  { options }: IdentityCommand,
  { env, os, cwd }: IdentityCommandEnvironment,
): Promise<string> {
  const { configuration } = await loadConfiguration({ path: options.config, cwd, env });
  return profileDirectory({ ...resolveProfile(options, configuration, env), env, os });
}

async function existing(directory: string, action: string): Promise<Identity> {
  const identity = await readIdentity(directory);
  if (identity !== undefined) return identity;
  throw new ParlanceError(
    `Cannot ${action}: there is none in ${directory}; it is made when \`parlance\` starts for ` +
      "the first time, and --profile NAME or --data-dir DIR choose another place",
  );
}

function describe({ id }: { id: PeerId }, directory: string): string {
  return [
    `Id           ${id}`,
    `Short form   ${shortId(id)}`,
    `Key          ${directory}/key.pem`,
    `Certificate  ${directory}/cert.pem`,
    "",
  ].join("\n");
}

type FileCommand = Exclude<IdentityCommand, { action: "show" }>;

async function exportIdentity(
  command: FileCommand,
  directory: string,
  environment: IdentityCommandEnvironment,
): Promise<string> {
  const { file } = command;
  const identity = await existing(directory, `export the identity to ${file}`);
  // Asked again when it is written; this one saves the user the typing.
  if (await isThere(file)) throw unwritable(file, new Deno.errors.AlreadyExists());
  const passphrase = await passphrasesOf(command, environment).askNew(
    `New passphrase for ${file} (at least ${MIN_PASSPHRASE_LENGTH} characters): `,
    "The same passphrase again: ",
  );
  const text = await asFailure(() => encryptIdentity(identity, passphrase, environment.random));
  await writeNew(file, text);
  return `Wrote the identity ${identity.id} to ${file}\n` +
    "Who has this file and its passphrase can pretend to be you; without the passphrase nobody, " +
    "you included, can read it\n";
}

async function importIdentity(
  command: FileCommand,
  directory: string,
  environment: IdentityCommandEnvironment,
): Promise<string> {
  const { file } = command;
  const text = await readBackup(file);
  const present = await readIdentity(directory);
  if (present !== undefined) {
    throw new ParlanceError(
      `Cannot import ${file}: there is an identity in ${directory} already, ${present.id}; move ` +
        "key.pem and cert.pem away, or choose another profile with --profile NAME",
    );
  }
  const passphrase = await passphrasesOf(command, environment).ask(`Passphrase for ${file}: `);
  const identity = await decrypt(file, text, passphrase);
  await using profile = await Profile.open({ directory, log: environment.log });
  await storeIdentity(profile.directory, identity);
  return `Imported ${file}\n${describe(identity, directory)}`;
}

function passphrasesOf(
  { action, options }: FileCommand,
  { input, signal }: IdentityCommandEnvironment,
): Passphrases {
  if (!input.isTerminal() && !options.passphraseStdin) {
    throw new InvalidInputError(
      `Cannot ask for the passphrase of identity ${action}: standard input is no terminal; use ` +
        "one, or --passphrase-stdin to take a line of standard input",
    );
  }
  return new Passphrases(input, signal);
}

async function readBackup(file: string): Promise<string> {
  try {
    const bytes = await readBounded(file, MAX_BACKUP_LENGTH);
    // What is not UTF-8 is no backup either, which is found out as it is for any other text.
    return new TextDecoder().decode(bytes);
  } catch (cause) {
    throw new ParlanceError(`Cannot import ${file}: ${readProblem(cause)}`, { cause });
  }
}

function readProblem(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file; check the name";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory; name a file";
  if (error instanceof Deno.errors.PermissionDenied) return "no permission to read it";
  if (error instanceof LimitError) {
    return `it has more than ${MAX_BACKUP_LENGTH} bytes, so it is no backup; take the file that ` +
      "`parlance identity export` wrote";
  }
  return messageOf(error);
}

async function decrypt(file: string, text: string, passphrase: string): Promise<Identity> {
  try {
    return await decryptIdentity(text, passphrase);
  } catch (cause) {
    const why = messageOf(cause).replace(/^Cannot read the backup: /, "");
    throw new ParlanceError(`Cannot import ${file}: ${why}`, { cause });
  }
}

/** What the user types is no bad command line, so its errors are failures. */
async function asFailure<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (!(cause instanceof InvalidInputError)) throw cause;
    throw new ParlanceError(cause.message, { cause });
  }
}

/** Writes a file that only its owner may read, and leaves none where that fails. */
async function writeNew(file: string, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  let isOurs = false;
  try {
    using handle = await Deno.open(file, { write: true, createNew: true, mode: 0o600 });
    isOurs = true;
    for (let at = 0; at < bytes.length;) at += await handle.write(bytes.subarray(at));
    await handle.sync();
  } catch (error) {
    if (isOurs) await Deno.remove(file).catch(() => {}); // the first error is the one that says why
    throw unwritable(file, error);
  }
}

function unwritable(file: string, cause: unknown): ParlanceError {
  return new ParlanceError(`Cannot export the identity to ${file}: ${writeProblem(cause)}`, {
    cause,
  });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw unwritable(path, error);
  }
}
