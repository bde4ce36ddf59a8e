import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { messageOf } from "../errors.ts";
import type { Node } from "../node.ts";
import type { ControlEndpoint } from "./endpoint.ts";
import { type Kept, type Link, linkTo } from "./link.ts";
import { loopback } from "./loopback.ts";
import { ControlServer, type ControlServerOptions } from "./server.ts";
import type { Shown } from "./told.ts";
import { unixSocket } from "./unix_socket.ts";

/** What decides how programs of one user reach each other on this machine. */
export interface SystemParts {
  /** Reads the environment. */
  readonly env: (name: string) => string | undefined;
  /** `Deno.build.os`. */
  readonly os: string;
  /** `Deno.uid()`. */
  readonly uid: number | null;
  readonly random: Random;
}

/** A Unix socket, or on Windows a TCP port. */
export function systemEndpoint({ env, os, uid, random }: SystemParts): ControlEndpoint {
  return os === "windows" ? loopback(random) : unixSocket({ env, uid });
}

/** Lets commands of this user work with a node, by what the system has for that. */
export function startControl(
  options: Omit<ControlServerOptions, "endpoint"> & SystemParts,
): Promise<ControlServer> {
  return ControlServer.start({ ...options, endpoint: systemEndpoint(options) });
}

/** What a command needs to be the client itself. */
export interface HostParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  readonly endpoint: ControlEndpoint;
  /** See {@linkcode Shown}; what is kept all the same is not shown unless given. */
  readonly shown?: Shown;
  /**
   * Opens the profile and starts a node on it.
   *
   * @throws {ProfileInUseError} Another process uses the profile.
   */
  readonly open: () => Promise<
    AsyncDisposable & { node: Node; directory: string; kept: () => Kept }
  >;
}

/**
 * Makes a command the client on its profile: it has a node, and other commands work through it
 * meanwhile.
 */
export async function becomeClient({ open, shown, ...common }: HostParts): Promise<Link> {
  const { clock, log, version } = common;
  const startedAt = clock.monotonic();
  await using parts = new AsyncDisposableStack();
  const { node, directory, kept } = parts.use(await open());
  try {
    parts.use(
      await ControlServer.start({
        ...{ ...common, node, directory, startedAt, isOneShot: true },
        signal: new AbortController().signal,
      }),
    );
  } catch (error) {
    log.warn(`Other commands cannot go through this one: ${messageOf(error)}`);
  }
  const opened = parts.move();
  const release = () => opened.disposeAsync();
  return linkTo({ clock, node, version, startedAt, kept, shown, release });
}
