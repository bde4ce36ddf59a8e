import assert from "node:assert/strict";
import { type Configuration, DEFAULT_CONFIGURATION } from "../../lib/config/configuration.ts";
import type { ProfileOptions } from "../../lib/config/identity_options.ts";
import {
  oddities,
  resolveProfile,
  resolveSettings,
  type Settings,
} from "../../lib/config/settings.ts";

const env = (variables: Record<string, string>) => (name: string) => variables[name];
const nobody = env({});

const FILE: Configuration = {
  network: { mode: "internet", bootstrapServer: "ws://file" },
  discovery: { heartbeatIntervalSecs: 1, peerTimeoutSecs: 2 },
  peer: {
    announceIntervalSecs: 3,
    timeoutSecs: 4,
    nickname: "file",
    profile: "file's",
    port: 5,
    interfaces: ["10.0.0.1", "10.0.0.2", "10.0.0.1"],
  },
  security: { plaintext: "deny" },
  history: { enabled: false, keepDays: 6, maxMegabytes: 7 },
  outbox: { expireDays: 8, queuePlain: true },
  limits: { maxContentBytes: 2000 },
};

const withNickname = (nickname: string | undefined): Configuration => ({
  ...DEFAULT_CONFIGURATION,
  peer: { ...DEFAULT_CONFIGURATION.peer, nickname },
});

Deno.test("without options and file the defaults hold", () => {
  const expected: Settings = {
    nickname: "alice",
    profile: "alice",
    dataDir: undefined,
    mode: "local",
    bootstrapServer: "ws://localhost:8080",
    port: 0,
    interfaces: [],
    json: false,
    logLevel: "warning",
    announceIntervalMs: 5000,
    peerTimeoutMs: 15_000,
    heartbeatIntervalMs: 10_000,
    bootstrapPeerTimeoutMs: 30_000,
    plaintext: "allow",
    keepHistory: true,
    keepDays: Infinity,
    maxMegabytes: Infinity,
    expireDays: 30,
    queuePlain: false,
    maxContentBytes: 65_536,
  };
  const settings = resolveSettings({ json: false }, DEFAULT_CONFIGURATION, env({ USER: "alice" }));
  assert.deepEqual(settings, expected);
});

Deno.test("the file goes before the defaults", () => {
  assert.deepEqual(resolveSettings({ json: false }, FILE, env({ USER: "alice" })), {
    nickname: "file",
    profile: "file's",
    dataDir: undefined,
    mode: "internet",
    bootstrapServer: "ws://file",
    port: 5,
    interfaces: ["10.0.0.1", "10.0.0.2"],
    json: false,
    logLevel: "warning",
    announceIntervalMs: 3000,
    peerTimeoutMs: 4000,
    heartbeatIntervalMs: 1000,
    bootstrapPeerTimeoutMs: 2000,
    plaintext: "deny",
    keepHistory: false,
    keepDays: 6,
    maxMegabytes: 7,
    expireDays: 8,
    queuePlain: true,
    maxContentBytes: 2000,
  });
});

Deno.test("the command line goes before the file", () => {
  const given = {
    nickname: "option",
    profile: "option's",
    dataDir: "/data",
    mode: "both",
    bootstrapServer: "wss://option",
    port: 0,
    interfaces: ["127.0.0.1"],
    json: true,
    logLevel: "error",
  } as const;
  const settings = resolveSettings(given, FILE, nobody);
  assert.deepEqual({ ...settings, ...given }, settings);
});

Deno.test("the nickname is the option's, else the file's, else the system user's", () => {
  const nickname = (option: string | undefined, file: string | undefined, variables = {}) =>
    resolveSettings({ nickname: option, json: false }, withNickname(file), env(variables)).nickname;
  const user = { USER: "user", LOGNAME: "logname", USERNAME: "username" };
  assert.equal(nickname("option", "file", user), "option");
  assert.equal(nickname(undefined, "file", user), "file");
  assert.equal(nickname(undefined, undefined, user), "user");
  assert.equal(nickname(undefined, undefined, { ...user, USER: "" }), "logname");
  assert.equal(nickname(undefined, undefined, { USER: "x".repeat(33), USERNAME: "w" }), "w");
});

Deno.test("without any nickname the error says how to give one", () => {
  const resolve = (variables: Record<string, string>) => () =>
    resolveSettings({ json: false }, DEFAULT_CONFIGURATION, env(variables));
  const remedy = "; give one with --nickname NAME, or with nickname in the section [peer] of " +
    "parlance.toml";
  assert.throws(resolve({}), {
    name: "InvalidInputError",
    message: `Cannot start without a nickname: the system tells no user name${remedy}`,
  });
  assert.throws(resolve({ USER: " a", USERNAME: "a\u001b" }), {
    name: "InvalidInputError",
    message: 'Cannot start without a nickname: USER is " a" and cannot be one (it starts or ends ' +
      'with white space), USERNAME is "a\\u001b" and cannot be one (it contains a control ' +
      `character)${remedy}`,
  });
});

Deno.test("a time-out that does not exceed its interval loads, as in the original, and is told", () => {
  const odd: Configuration = {
    ...FILE,
    discovery: { heartbeatIntervalSecs: 9, peerTimeoutSecs: 9 },
    peer: { ...FILE.peer, announceIntervalSecs: 6, timeoutSecs: 5 },
  };
  const resolve = (file: Configuration) => oddities(resolveSettings({ json: false }, file, nobody));
  const remedy = "not more than the interval that it belongs to: " +
    "peers will seem to come and go; make it three times the interval";
  assert.deepEqual(resolve(odd), [
    `[peer] timeout_secs is 5, ${remedy}`,
    `[discovery] peer_timeout_secs is 9, ${remedy}`,
  ]);
  assert.deepEqual(resolve(FILE), []);
});

Deno.test("the profile is the option's, else the file's, else the nickname's", () => {
  const profile = (options: ProfileOptions, file: string | undefined, variables = {}) => {
    const peer = { ...DEFAULT_CONFIGURATION.peer, nickname: "nick", profile: file };
    const configuration = { ...DEFAULT_CONFIGURATION, peer };
    const alone = resolveProfile(options, configuration, env(variables)).profile;
    const all = resolveSettings({ json: false, ...options }, configuration, env(variables));
    assert.equal(all.profile, alone);
    return alone;
  };
  assert.equal(profile({ profile: "option", nickname: "n" }, "file"), "option");
  assert.equal(profile({ nickname: "n" }, "file"), "file");
  assert.equal(profile({ nickname: "n" }, undefined), "n");
  assert.equal(profile({}, undefined, { USER: "user" }), "nick");
});

Deno.test("a directory needs no profile's name, and without both the error says what to give", () => {
  const resolve = (options: ProfileOptions, variables: Record<string, string>) =>
    resolveProfile(options, DEFAULT_CONFIGURATION, env(variables));
  assert.equal(resolve({ dataDir: "d" }, {}).dataDir, "d");
  assert.deepEqual(resolve({}, { USER: "user" }), { profile: "user", dataDir: undefined });
  assert.throws(() => resolve({}, {}), {
    name: "InvalidInputError",
    message: "Cannot choose a profile without a nickname: the system tells no user name; give a " +
      "profile with --profile NAME, or with profile in the section [peer] of parlance.toml",
  });
});
