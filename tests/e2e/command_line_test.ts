import assert from "node:assert/strict";
import { userInfo } from "node:os";
import type { Host } from "../support/host.ts";
import { type ProgramOptions, startPlainClient } from "../support/program.ts";

/** Runs the client to its end without any input. */
async function outcome(options: ProgramOptions) {
  await using client = startPlainClient(options);
  await client.closeInput();
  const { code } = await client.exited();
  return { code, out: client.stdout, err: client.stderr };
}

const badOptions: [args: string[], ...named: string[]][] = [
  [["--nicknam", "alice"], "--nicknam", "--nickname"],
  [["-n", "alice", "--mode", "lan"], "--mode", "lan", "local", "internet", "both"],
  [["-n", "alice", "--port", "70000"], "--port", "70000", "65535"],
  [["-n", "alice", "--port", "http"], "--port", "http", "65535"],
  [["-n", "alice", "--interface", "eth0"], "--interface", "eth0"],
  [["-n", "alice", "--interface", "300.1.1.1"], "--interface", "300.1.1.1"],
  [["-n", "alice", "--bootstrap-server", "http://x"], "--bootstrap-server", "http://x", "ws://"],
  [["-n", "alice", "--log-level", "loud"], "--log-level", "loud", "debug"],
  [["-n"], "--nickname"],
  [["-n", ""], "--nickname"],
  [["-n", " alice"], "--nickname", "white space"],
  [["-n", "   "], "--nickname", "white space"],
  [["-n", "x".repeat(33)], "--nickname", "32"],
  [["-n", "a\nb"], "--nickname", "newline"],
  [["-n", "a\u001bb"], "--nickname", "control character"],
  [["-n", "alice", "--config", "missing.toml"], "missing.toml"],
  [["-n", "alice", "surplus"], "surplus"],
];
for (const [args, ...named] of badOptions) {
  const shown = args.map((word) => JSON.stringify(word)).join(" ");
  Deno.test(`the client refuses ${shown} in one line, with status 2`, async () => {
    const { code, out, err } = await outcome({ args });
    assert.equal(code, 2, err);
    assert.equal(out, "");
    assert.match(err, /^[^\n]+\n$/);
    for (const word of named) assert.ok(err.includes(word), `${word} in ${err}`);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(err, /[\u0000-\u0009\u000b-\u001f]/);
  });
}

const badFiles: [text: string, line: number, ...named: string[]][] = [
  ['[network]\nmode = "lan"\n', 2, "mode", "lan", "local"],
  ["[peer]\nannounce_interval_secs = 0\n", 2, "announce_interval_secs", "0"],
  ['[peer]\ntimeout_secs = "15"\n', 2, "timeout_secs", "15"],
  ["[peer]\ntimeout_sec = 15\n", 2, "timeout_sec", "timeout_secs"],
  ["[pier]\ntimeout_secs = 15\n", 1, "pier", "peer"],
  ["[network\n", 1],
];
for (const [config, line, ...named] of badFiles) {
  Deno.test(`a configuration of ${JSON.stringify(config)} is refused with its line`, async () => {
    const { code, out, err } = await outcome({ args: ["-n", "alice"], config });
    assert.equal(code, 2, err);
    assert.equal(out, "");
    assert.match(err, new RegExp(`test\\.toml:${line}:\\d+`));
    for (const word of named) assert.ok(err.includes(word), `${word} in ${err}`);
  });
}

Deno.test("--version prints one line, and --help names every option", async () => {
  const version = await outcome({ args: ["--version"] });
  assert.equal(version.code, 0);
  assert.match(version.out, /^\S*\s?\d+\.\d+\.\d+\n$/);
  const help = await outcome({ args: ["--help"] });
  assert.equal(help.code, 0);
  const options = [
    "nickname",
    "config",
    "generate-config",
    "mode",
    "bootstrap-server",
    "port",
    "interface",
    "json",
    "log-level",
    "version",
  ];
  for (const option of options) assert.ok(help.out.includes(`--${option}`), option);
});

Deno.test("a generated configuration is accepted, and no file is overwritten", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/made.toml`;
    const made = await outcome({ args: ["--generate-config", file] });
    assert.equal(made.code, 0, made.err);
    const text = await Deno.readTextFile(file);
    assert.match(text, /announce_interval_secs = 5/);
    const again = await outcome({ args: ["--generate-config", file] });
    assert.notEqual(again.code, 0);
    assert.ok(again.err.includes(file));
    assert.equal(await Deno.readTextFile(file), text);
    const args = ["-n", "alice", "--interface", "127.0.0.1"];
    const used = await outcome({ args, config: text });
    assert.equal(used.code, 0, used.err);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a configuration of the original is accepted, and its nickname is optional", async () => {
  const config = `[network]
mode = "local"
bootstrap_server = "ws://localhost:8080"

[discovery]
heartbeat_interval_secs = 10
peer_timeout_secs = 30

[peer]
announce_interval_secs = 5
timeout_secs = 15
`;
  const { code, err } = await outcome({
    args: ["--interface", "127.0.0.1"],
    config,
    env: { USER: "somebody", LOGNAME: "somebody" },
  });
  assert.equal(code, 0, err);
});

Deno.test("a port that is taken is named", async () => {
  using taken = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const port = String(taken.addr.port);
  const args = ["-n", "alice", "--interface", "127.0.0.1", "--port", port];
  const { code, err } = await outcome({ args });
  assert.notEqual(code, 0);
  assert.ok(err.includes(port), err);
});

Deno.test("the system user's name is the nickname where no variable tells it", async () => {
  const { code, out, err } = await outcome({ args: ["--interface", "127.0.0.1"] });
  assert.equal(code, 0, err);
  assert.ok(out.includes(`you are ${userInfo().username},`), out);
});

Deno.test({
  name: "output that does not fit on the disk is an error with status 1",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const full: Host = {
      enter: (command, args) => ({
        command: "sh",
        args: ["-c", 'exec "$@" >/dev/full', "sh", command, ...args],
      }),
    };
    const own = ["-n", "alice", "--interface", "127.0.0.1"];
    for (const args of [["history", ...own], ["--json", ...own], own, ["--help"]]) {
      const { code, err } = await outcome({ args, host: full });
      assert.deepEqual([args, code], [args, 1]);
      assert.match(err, /Cannot write all of the output: No space left on device/);
    }
  },
});
