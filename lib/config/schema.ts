import { type Configuration, DEFAULT_CONFIGURATION } from "./configuration.ts";
import * as rules from "./rules.ts";

/** Every section and key of a configuration file (protocol version 1, section 4, and additions). */
export const SCHEMA = {
  network: { mode: rules.mode, bootstrap_server: rules.serverUrl },
  discovery: { heartbeat_interval_secs: rules.seconds, peer_timeout_secs: rules.seconds },
  peer: {
    announce_interval_secs: rules.seconds,
    timeout_secs: rules.seconds,
    nickname: rules.nickname,
    profile: rules.profile,
    port: rules.port,
    interfaces: rules.interfaces,
  },
  security: { plaintext: rules.plaintext },
  history: { enabled: rules.flag, keep_days: rules.days, max_mb: rules.megabytes },
  outbox: { expire_days: rules.days, queue_plain: rules.flag },
  limits: { max_content_bytes: rules.contentBytes },
} as const;

type Schema = typeof SCHEMA;
type Accepted<R> = R extends rules.Rule<infer T> ? T : never;

/** The accepted values of a file, by section and key. */
export type Values = {
  readonly [S in keyof Schema]: { readonly [K in keyof Schema[S]]?: Accepted<Schema[S][K]> };
};

/** The keys of a section, or `undefined` where there is no such section. */
export function sectionRules(
  section: string,
): Readonly<Record<string, rules.Rule<unknown>>> | undefined {
  return Object.hasOwn(SCHEMA, section) ? SCHEMA[section as keyof Schema] : undefined;
}

/** Every key as `section.key`. */
export function qualifiedKeys(): string[] {
  return Object.entries(SCHEMA).flatMap(([section, keys]) =>
    Object.keys(keys).map((key) => `${section}.${key}`)
  );
}

/** Fills in the defaults. */
export function toConfiguration(values: Values): Configuration {
  const { network, discovery, peer, security, history, outbox, limits } = values;
  const defaults = DEFAULT_CONFIGURATION;
  return {
    network: {
      mode: network.mode ?? defaults.network.mode,
      bootstrapServer: network.bootstrap_server ?? defaults.network.bootstrapServer,
    },
    discovery: {
      heartbeatIntervalSecs: discovery.heartbeat_interval_secs ??
        defaults.discovery.heartbeatIntervalSecs,
      peerTimeoutSecs: discovery.peer_timeout_secs ?? defaults.discovery.peerTimeoutSecs,
    },
    peer: {
      announceIntervalSecs: peer.announce_interval_secs ?? defaults.peer.announceIntervalSecs,
      timeoutSecs: peer.timeout_secs ?? defaults.peer.timeoutSecs,
      nickname: peer.nickname ?? defaults.peer.nickname,
      profile: peer.profile ?? defaults.peer.profile,
      port: peer.port ?? defaults.peer.port,
      interfaces: peer.interfaces ?? defaults.peer.interfaces,
    },
    security: { plaintext: security.plaintext ?? defaults.security.plaintext },
    history: {
      enabled: history.enabled ?? defaults.history.enabled,
      keepDays: history.keep_days ?? defaults.history.keepDays,
      maxMegabytes: history.max_mb ?? defaults.history.maxMegabytes,
    },
    outbox: {
      expireDays: outbox.expire_days ?? defaults.outbox.expireDays,
      queuePlain: outbox.queue_plain ?? defaults.outbox.queuePlain,
    },
    limits: { maxContentBytes: limits.max_content_bytes ?? defaults.limits.maxContentBytes },
  };
}
