import type { Log } from "../base/log.ts";
import { messageOf, ParlanceError } from "../errors.ts";
import { openToOthers, readProfileFile } from "./files.ts";

/** A profile's directory cannot be used, or is in use. */
export class ProfileError extends ParlanceError {
  override name = "ProfileError";
}

/** Another process uses the profile. */
export class ProfileInUseError extends ProfileError {
  override name = "ProfileInUseError";
  constructor(
    directory: string,
    /** Which process, where that is known: as "process 123", else "another process". */
    readonly user: string,
  ) {
    super(
      `Cannot use the profile in ${directory}: ${user} uses it; end that one, ` +
        "or choose another profile with --profile NAME",
    );
  }
}

/**
 * What is locked. It stays when the program ends: one who deletes a lock file may delete it from
 * under a process that has just locked it.
 */
const LOCK_FILE = "lock";
/** Who locks; a file of its own, since Windows lets nobody read a locked one. */
const PID_FILE = "pid";

/**
 * A profile's directory, held by this process alone until it is disposed of.
 *
 * The lock is one of the system's, which lets go of it however the process ends: no lock is ever
 * stale, and the number in the `pid` file is only for the message.
 */
export class Profile implements AsyncDisposable {
  #lock: Deno.FsFile | undefined;

  private constructor(readonly directory: string, lock: Deno.FsFile, private readonly log: Log) {
    this.#lock = lock;
  }

  /**
   * Opens a profile, and makes its directory where there is none.
   *
   * @throws {ProfileInUseError} Another process uses the profile; the message has its pid.
   * @throws {ProfileError} The directory is open to other users, or cannot be made or locked. One
   *   that cannot be written, for now, can be used: what is not kept then is told by whoever would
   *   keep it.
   */
  static async open({ directory, log }: { directory: string; log: Log }): Promise<Profile> {
    try {
      await prepare(directory);
      const path = `${directory}/${LOCK_FILE}`;
      const lock = await openLock(path);
      try {
        if (!await lock.tryLock(true)) throw await inUse(directory);
        await writePid(directory, log);
        log.debug(`Profile ${directory} is locked`);
        return new Profile(directory, lock, log);
      } catch (error) {
        lock.close();
        throw error;
      }
    } catch (error) {
      if (error instanceof ProfileError) throw error;
      throw new ProfileError(
        `Cannot use the profile in ${directory}: ${messageOf(error)}; ` +
          "choose another place with --data-dir DIR",
        { cause: error },
      );
    }
  }

  /** Lets go of the directory; may be called again. */
  async [Symbol.asyncDispose](): Promise<void> {
    const lock = this.#lock;
    if (lock === undefined) return;
    this.#lock = undefined;
    try {
      await Deno.remove(`${this.directory}/${PID_FILE}`);
    } catch (error) {
      this.log.debug(`Pid file in ${this.directory} stays: ${messageOf(error)}`);
    } finally {
      lock.close();
    }
  }
}

/** A file that is there can be locked even where nothing can be written. */
async function openLock(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  } catch (error) {
    try {
      return await Deno.open(path, { read: true });
    } catch {
      throw error;
    }
  }
}

async function writePid(directory: string, log: Log): Promise<void> {
  try {
    await Deno.writeTextFile(`${directory}/${PID_FILE}`, `${Deno.pid}\n`, { mode: 0o600 });
  } catch (error) {
    log.debug(`Cannot write a pid file in ${directory}: ${messageOf(error)}`);
  }
}

/** Makes the directory, or checks the one that is there. */
async function prepare(directory: string): Promise<void> {
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  const mode = await openToOthers(directory);
  if (mode === undefined) return;
  // One that the user has just made for us holds no secret yet.
  if (await isEmpty(directory)) return await Deno.chmod(directory, 0o700);
  throw new ProfileError(
    `Cannot use the profile in ${directory}: the directory is open to others (${mode}); ` +
      `run \`chmod 700 ${directory}\``,
  );
}

async function isEmpty(directory: string): Promise<boolean> {
  for await (const _ of Deno.readDir(directory)) return false;
  return true;
}

async function inUse(directory: string): Promise<ProfileInUseError> {
  const text = await readProfileFile(`${directory}/${PID_FILE}`, 32).catch(() => undefined);
  const pid = /^\d{1,10}$/.exec(text?.trim() ?? "")?.[0];
  return new ProfileInUseError(directory, pid === undefined ? "another process" : `process ${pid}`);
}
