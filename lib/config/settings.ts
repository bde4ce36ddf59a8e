import { InvalidInputError } from "../errors.ts";
import { isNickname, nicknameProblem } from "../wire/nickname.ts";
import type { LogLevel } from "../logging.ts";
import type { Configuration, Mode, PlainText } from "./configuration.ts";
import type { ProfileOptions } from "./identity_options.ts";
import type { RunOptions } from "./run_options.ts";
import { shown } from "./shown.ts";

/** Which profile, decided. */
export interface ProfileSettings {
  /** The profile's name. */
  readonly profile: string;
  /** The profile's directory, where its name does not decide. */
  readonly dataDir: string | undefined;
}

/** Everything that a run of the client needs to know, decided. */
export interface Settings extends ProfileSettings {
  readonly nickname: string;
  readonly mode: Mode;
  /** A `ws://` or `wss://` URL, also in the mode that does not use it. */
  readonly bootstrapServer: string;
  /** TCP port, 0 to 65535; with 0 the system chooses. */
  readonly port: number;
  /** IPv4 addresses of the interfaces for LAN discovery; empty for all. */
  readonly interfaces: readonly string[];
  readonly json: boolean;
  readonly logLevel: LogLevel;
  /** Time from one announce on the LAN to the next. */
  readonly announceIntervalMs: number;
  /** Silence on the LAN after which a peer counts as gone. */
  readonly peerTimeoutMs: number;
  /** Time from one heartbeat to the bootstrap server to the next. */
  readonly heartbeatIntervalMs: number;
  /** Silence towards the bootstrap server after which a peer counts as gone. */
  readonly bootstrapPeerTimeoutMs: number;
  readonly plaintext: PlainText;
  /** Whether what was said is kept. */
  readonly keepHistory: boolean;
  /** Infinity keeps messages of any age. */
  readonly keepDays: number;
  /** Infinity keeps any number of them. */
  readonly maxMegabytes: number;
  /** Infinity gives no message up. */
  readonly expireDays: number;
  /** Whether messages wait for version 1 peers, too. */
  readonly queuePlain: boolean;
  /** Longest content of a message, in bytes of UTF-8. */
  readonly maxContentBytes: number;
}

/**
 * Decides: the command line goes before the file, the file before the defaults.
 *
 * @param env Looks an environment variable up, for the system user's name.
 * @throws {InvalidInputError} There is no nickname.
 */
export function resolveSettings(
  options: RunOptions,
  configuration: Configuration,
  env: (name: string) => string | undefined,
): Settings {
  const { network, discovery, peer, security, history, outbox, limits } = configuration;
  const nickname = options.nickname ?? peer.nickname ?? systemNickname(env, "start", "nickname");
  return {
    nickname,
    ...resolveProfile({ ...options, nickname }, configuration, env),
    mode: options.mode ?? network.mode,
    bootstrapServer: options.bootstrapServer ?? network.bootstrapServer,
    port: options.port ?? peer.port,
    interfaces: [...new Set(options.interfaces ?? peer.interfaces)],
    json: options.json,
    logLevel: options.logLevel ?? "warning",
    announceIntervalMs: peer.announceIntervalSecs * 1000,
    peerTimeoutMs: peer.timeoutSecs * 1000,
    heartbeatIntervalMs: discovery.heartbeatIntervalSecs * 1000,
    bootstrapPeerTimeoutMs: discovery.peerTimeoutSecs * 1000,
    plaintext: security.plaintext,
    keepHistory: history.enabled,
    keepDays: history.keepDays || Infinity,
    maxMegabytes: history.maxMegabytes || Infinity,
    expireDays: outbox.expireDays || Infinity,
    queuePlain: options.queuePlain ?? outbox.queuePlain,
    maxContentBytes: limits.maxContentBytes,
  };
}

/**
 * Decides which profile: the one that is named, else that of the nickname.
 *
 * @throws {InvalidInputError} There is no name, and no nickname either.
 */
export function resolveProfile(
  { profile, nickname, dataDir }: ProfileOptions,
  { peer }: Configuration,
  env: (name: string) => string | undefined,
): ProfileSettings {
  const named = profile ?? peer.profile ?? nickname ?? peer.nickname;
  if (named !== undefined) return { profile: named, dataDir };
  // A directory needs no name.
  return {
    profile: dataDir === undefined ? systemNickname(env, "choose a profile", "profile") : "",
    dataDir,
  };
}

/**
 * Says what is odd about settings and still allowed: the original runs with a time-out that ends
 * before the next sign of life can come, so its files have to load here, too.
 */
export function oddities(settings: Settings): string[] {
  const { peerTimeoutMs, announceIntervalMs, bootstrapPeerTimeoutMs, heartbeatIntervalMs } =
    settings;
  const pairs: readonly [key: string, timeoutMs: number, intervalMs: number][] = [
    ["[peer] timeout_secs", peerTimeoutMs, announceIntervalMs],
    ["[discovery] peer_timeout_secs", bootstrapPeerTimeoutMs, heartbeatIntervalMs],
  ];
  return pairs.filter(([, timeoutMs, intervalMs]) => timeoutMs <= intervalMs)
    .map(([key, timeoutMs]) =>
      `${key} is ${timeoutMs / 1000}, not more than the interval that it belongs to: ` +
      "peers will seem to come and go; make it three times the interval"
    );
}

/** Where systems keep the user's name: POSIX login, System V, Windows. */
export const USER_VARIABLES = ["USER", "LOGNAME", "USERNAME"];

/** @param key What the user may give instead, as an option or in the file. */
function systemNickname(
  env: (name: string) => string | undefined,
  action: string,
  key: "nickname" | "profile",
): string {
  const problems: string[] = [];
  for (const variable of USER_VARIABLES) {
    const name = env(variable);
    if (name === undefined || name === "") continue;
    if (isNickname(name)) return name;
    problems.push(
      `${variable} is ${shown(JSON.stringify(name))} and cannot be one (${nicknameProblem(name)})`,
    );
  }
  const why = problems.length > 0 ? problems.join(", ") : "the system tells no user name";
  throw new InvalidInputError(
    `Cannot ${action} without a nickname: ${why}; give ${
      key === "nickname" ? "one" : "a profile"
    } ` +
      `with --${key} NAME, or with ${key} in the section [peer] of parlance.toml`,
  );
}
