import { ConnectionStream } from "../transport/connection.ts";
import { messageOf } from "../errors.ts";
import { openToOthers } from "../identity/files.ts";
import { type ControlEndpoint, ControlError, type ControlListener, isNobody } from "./endpoint.ts";

/** In the profile's directory: the socket, or a link to it. */
const NAME = "control.sock";
/** What a socket's address holds on every system, without its final NUL: macOS has least. */
const MAX_PATH_BYTES = 103;
/** How the directories are named that hold a socket alone. */
const PREFIX = "parlance-";

/** Where a socket can be whose profile has too long a path. */
export interface ShortPlaces {
  /** Reads the environment. */
  readonly env: (name: string) => string | undefined;
  /** `Deno.uid()`. */
  readonly uid: number | null;
}

/**
 * A Unix socket with mode 0600 in the profile's directory, which has mode 0700: at no moment can
 * anybody else connect.
 *
 * Where the directory's path is too long for a socket, or its file system knows none, the socket
 * lies in a new directory of mode 0700 below `$XDG_RUNTIME_DIR` or `/tmp`, and `control.sock` is a
 * link to it. Nobody follows a link to a directory of somebody else.
 */
export function unixSocket({ env, uid }: ShortPlaces): ControlEndpoint {
  return {
    async listen(directory) {
      const mode = await openToOthers(directory);
      if (mode !== undefined) {
        throw new ControlError(
          `Cannot listen in ${directory}: the directory is open to others (${mode}); ` +
            `run \`chmod 700 ${directory}\``,
        );
      }
      const path = `${directory}/${NAME}`;
      await removeStale(path, uid);
      if (fits(path)) {
        try {
          return new SocketListener(path, [path]);
        } catch (error) {
          if (error instanceof Deno.errors.PermissionDenied) throw refused(path, error);
          // Not every file system has sockets: elsewhere, then.
        }
      }
      return await listenElsewhere(path, env);
    },
    async dial(directory) {
      try {
        const path = await privateTarget(`${directory}/${NAME}`, uid);
        return { stream: new ConnectionStream(await Deno.connect({ transport: "unix", path })) };
      } catch (error) {
        if (isNobody(error)) return undefined;
        throw error;
      }
    },
  };
}

function fits(path: string): boolean {
  return new TextEncoder().encode(path).length <= MAX_PATH_BYTES;
}

function refused(path: string, cause: unknown): ControlError {
  return new ControlError(`Cannot listen at ${path}: ${messageOf(cause)}`, { cause });
}

async function listenElsewhere(
  link: string,
  env: (name: string) => string | undefined,
): Promise<ControlListener> {
  let problem: unknown = "its path is too long";
  for (const parent of [env("XDG_RUNTIME_DIR"), env("TMPDIR"), "/tmp"]) {
    if (!parent?.startsWith("/") || !fits(`${parent}/${PREFIX}0123456789abcdef/${NAME}`)) continue;
    try {
      const directory = await Deno.makeTempDir({ dir: parent, prefix: PREFIX });
      const path = `${directory}/${NAME}`;
      try {
        await Deno.chmod(directory, 0o700);
        const listener = new SocketListener(path, [link, path, directory]);
        try {
          await Deno.symlink(path, link);
          return listener;
        } catch (error) {
          await listener[Symbol.asyncDispose]();
          throw error;
        }
      } catch (error) {
        await remove(directory);
        throw error;
      }
    } catch (error) {
      problem = error;
    }
  }
  throw refused(link, problem);
}

/** Removes what a process left that was killed. */
async function removeStale(path: string, uid: number | null): Promise<void> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (!info.isSocket && !info.isSymlink) {
    throw new ControlError(`Cannot listen at ${path}: it is no socket; move it away`);
  }
  if (info.isSymlink) {
    const target = await privateTarget(path, uid).catch(() => undefined);
    const directory = target?.match(/^(.+\/parlance-[^/]+)\/control\.sock$/)?.[1];
    if (directory !== undefined) {
      await remove(target!);
      await remove(directory);
    }
  }
  await remove(path);
}

/** Where the socket lies; a link is followed only into a directory of this user's alone. */
async function privateTarget(path: string, uid: number | null): Promise<string> {
  if (!(await Deno.lstat(path)).isSymlink) return path;
  const target = await Deno.readLink(path);
  const directory = target.replace(/\/[^/]*$/, "");
  const { isDirectory, mode, uid: owner } = await Deno.lstat(directory);
  if (!isDirectory || owner !== uid || ((mode ?? 0) & 0o077) !== 0) {
    throw new ControlError(
      `Cannot connect to ${path}: it leads to ${target}, where others could listen; remove it`,
    );
  }
  return target;
}

async function remove(path: string): Promise<void> {
  await Deno.remove(path).catch(() => {}); // whoever listens next tries again
}

class SocketListener implements ControlListener {
  readonly #listener: Deno.UnixListener;

  /** @param owned What is removed at the end, in this order. */
  constructor(path: string, private readonly owned: readonly string[]) {
    this.#listener = Deno.listen({ transport: "unix", path });
    try {
      Deno.chmodSync(path, 0o600);
    } catch (error) {
      this.#listener.close();
      throw error;
    }
  }

  async accept() {
    return new ConnectionStream(await this.#listener.accept());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const path of this.owned) await remove(path);
  }
}
