import assert from "node:assert/strict";
import fc from "fast-check";
import { type Options, parseOptions, type RunOptions } from "../../lib/config/options.ts";
import { isVersionRequest } from "../../lib/base/version_flag.ts";
import { InvalidInputError } from "../../lib/errors.ts";

function run(...args: string[]): RunOptions {
  const options = parseOptions(args);
  assert.ok(options.kind === "run", options.kind);
  return options.options;
}

function problem(...args: string[]): string {
  try {
    parseOptions(args);
  } catch (error) {
    assert.ok(error instanceof InvalidInputError, String(error));
    return error.message;
  }
  assert.fail(`accepted: ${args.join(" ")}`);
}

Deno.test("no options at all are a run with everything left open", () => {
  for (const args of [[], ["--"]]) {
    const given = Object.entries(run(...args)).filter(([, value]) => value !== undefined);
    assert.deepEqual(given, [["json", false]]);
  }
});

Deno.test("every option reaches the run", () => {
  const expected: RunOptions = {
    nickname: "alice",
    profile: "work",
    dataDir: "/data",
    config: "p.toml",
    mode: "both",
    bootstrapServer: "wss://chat.example/x",
    port: 5000,
    interfaces: ["127.0.0.1", "10.0.0.1"],
    json: true,
    queuePlain: true,
    logLevel: "debug",
  };
  assert.deepEqual(
    run(
      ...["--nickname", "alice", "--config", "p.toml", "--mode", "both"],
      ...["--bootstrap-server", "wss://chat.example/x", "--port", "5000", "--json"],
      ...["--interface", "127.0.0.1", "--interface", "10.0.0.1", "--interface", "127.0.0.1"],
      ...["--log-level", "debug", "--profile", "work", "--data-dir", "/data", "--queue-plain"],
    ),
    expected,
  );
  const short = run("-n", "alice", "-c", "p.toml", "-m", "both");
  assert.deepEqual([short.nickname, short.config, short.mode], ["alice", "p.toml", "both"]);
  const joined = run("-nalice", "--config=p=q.toml", "-mboth", "--port=0");
  assert.deepEqual([joined.nickname, joined.config, joined.mode], ["alice", "p=q.toml", "both"]);
  assert.equal(joined.port, 0);
});

Deno.test("the last of several values counts", () => {
  assert.equal(run("-n", "a", "--nickname", "b").nickname, "b");
});

Deno.test("every mode and every log level is accepted", () => {
  for (const mode of ["local", "internet", "both"]) assert.equal(run("-m", mode).mode, mode);
  for (const level of ["debug", "info", "warning", "error"]) {
    assert.equal(run("--log-level", level).logLevel, level);
  }
});

Deno.test("help, version and a default configuration are kinds of their own", () => {
  const kind = (...args: string[]): Options["kind"] => parseOptions(args).kind;
  for (const args of [["-h"], ["--help"], ["--json", "--help"], ["--version", "-h"]]) {
    assert.equal(kind(...args), "help");
  }
  assert.equal(kind("--version"), "version");
  assert.equal(kind("--json", "--version"), "version");
  assert.deepEqual(parseOptions(["--generate-config", "x"]), {
    kind: "generate-config",
    path: "x",
  });
});

Deno.test("help names every option, in 80 columns", () => {
  const options = parseOptions(["--help"]);
  assert.ok(options.kind === "help");
  for (
    const option of [
      ..."--nickname --config --generate-config --mode --bootstrap-server --port".split(" "),
      ..."--interface --json --log-level --version --help -n, -c, -m, -h,".split(" "),
      ..."--profile --data-dir identity".split(" "),
    ]
  ) assert.ok(options.text.includes(option), option);
  assert.ok(options.text.split("\n").every((line) => line.length <= 80));
});

Deno.test("identity is a command of its own, with options before and behind what it does", () => {
  const options = {
    nickname: "alice",
    profile: "work",
    dataDir: "d",
    config: "c",
    passphraseStdin: true,
  };
  const given = ["-n", "alice", "--profile", "work", "--data-dir", "d", "-c", "c"];
  const all = [...given, "--passphrase-stdin"];
  const expected = { kind: "identity", action: "export", file: "f", options };
  assert.deepEqual(parseOptions(["identity", "export", "f", ...all]), expected);
  assert.deepEqual(parseOptions(["identity", ...all, "export", "f"]), expected);
  assert.deepEqual(parseOptions(["identity", "import", ...all, "--", "-f"]), {
    ...expected,
    action: "import",
    file: "-f",
  });
  assert.deepEqual(parseOptions(["identity", "show"]), {
    kind: "identity",
    action: "show",
    options: { passphraseStdin: false },
  });
  const help = parseOptions(["identity", "--help"]);
  assert.ok(help.kind === "help");
  for (const word of "show export import --profile --data-dir --passphrase-stdin".split(" ")) {
    assert.ok(help.text.includes(word), word);
  }
  assert.ok(help.text.split("\n").every((line) => line.length <= 80));
});

const PORT = "a whole number from 0 to 65535 (with 0 the system chooses)";
const NICKNAME = "a text of 1 to 32 bytes of UTF-8 without control characters";
const URL_RULE = 'a ws:// or wss:// URL, such as "ws://localhost:8080"';
const ADDRESS = 'an IPv4 address of this machine, such as "192.168.1.10"';
const FILE = "the name of a file";
const PROFILE = "a text of 1 to 64 bytes of UTF-8 without control characters";

const PROBLEMS: readonly (readonly [args: string[], message: string])[] = [
  [["--nicknam", "x"], "Unknown option --nicknam; did you mean --nickname?"],
  [["--modee=local"], "Unknown option --modee; did you mean --mode?"],
  [["--bootstrap"], "Unknown option --bootstrap; did you mean --bootstrap-server?"],
  [["--zzzzzz"], "Unknown option --zzzzzz; --help lists the options"],
  [["-x"], "Unknown option -x; --help lists the options"],
  [["-xn", "a"], "Unknown option -xn; --help lists the options"],
  [["--\u001b[2J"], "Unknown option --\\u{1b}[2J; --help lists the options"],
  [["--no-json"], "Unknown option --no-json; did you mean --json?"],
  [
    ["alice"],
    'Unexpected argument "alice"; there are only options and commands, --help lists them',
  ],
  [
    ["--json", "a b", "c"],
    'Unexpected argument "a b"; there are only options and commands, --help lists them',
  ],
  [
    ["--", "-n"],
    'Unexpected argument "-n"; there are only options and commands, --help lists them',
  ],
  [["--json=yes"], 'Option --json takes no value, but got "yes"'],
  [["-n"], `Option -n, --nickname <name> needs a value: ${NICKNAME}`],
  [["--port"], `Option --port <number> needs a value: ${PORT}`],
  [["--interface"], `Option --interface <address> needs a value: ${ADDRESS}`],
  [["-n", "--json"], `Option --nickname needs a value, ${NICKNAME}, but option --json follows`],
  [["--config", "-n"], `Option --config needs a value, ${FILE}, but option -n follows`],
  [["--config", ""], `Option --config is "", but must be ${FILE}`],
  [["--generate-config", "a\0b"], `Option --generate-config is "a\\u0000b", but must be ${FILE}`],
  [["--data-dir", ""], 'Option --data-dir is "", but must be the name of a directory'],
  [["--profile", ""], `Option --profile is "" (it is empty), but must be ${PROFILE}`],
  [["--profile"], `Option --profile <name> needs a value: ${PROFILE}`],
  [
    ["-n", "a", "identity"],
    'Unexpected argument "identity"; it has to come first, as in "parlance identity show"',
  ],
  [["identity"], "Command identity needs to know what to do: show, export FILE or import FILE"],
  [["identity", "exprot", "f"], "Unknown command identity exprot; did you mean export?"],
  [
    ["identity", "\u001b[2J"],
    "Unknown command identity \\u{1b}[2J; there are show, export FILE or import FILE",
  ],
  [["identity", "export"], `Command identity export needs ${FILE} for the backup`],
  [["identity", "import", ""], `The backup for identity import is "", but must be ${FILE}`],
  [["identity", "show", "f"], 'Unexpected argument "f"; identity show takes none'],
  [["identity", "show", "f", "g"], 'Unexpected argument "g"; identity show takes none'],
  [["identity", "export", "f", "g"], 'Unexpected argument "g"; identity export takes one file'],
  [["identity", "show", "--port", "1"], "Unknown option --port; --help lists the options"],
  [
    ["identity", "show", "--passphrase=secret"],
    "Unknown option --passphrase; did you mean --passphrase-stdin?",
  ],
  [
    ["identity", "export", "f", "--passphrase-stdin=secret"],
    'Option --passphrase-stdin takes no value, but got "secret"',
  ],
  [
    ["identity", "show", "--passphrase-stdin"],
    "Option --passphrase-stdin has no meaning for identity show: it asks for no passphrase",
  ],
  [["-n", ""], `Option --nickname is "" (it is empty), but must be ${NICKNAME}`],
  [["-n", "a\nb"], `Option --nickname is "a\\nb" (it contains a newline), but must be ${NICKNAME}`],
  [
    ["-n", " a"],
    `Option --nickname is " a" (it starts or ends with white space), but must be ${NICKNAME}`,
  ],
  [["--mode", "lan"], 'Option --mode is "lan", but must be "local", "internet" or "both"'],
  [
    ["--log-level=warn"],
    'Option --log-level is "warn", but must be "debug", "info", "warning" or "error"',
  ],
  [
    ["--bootstrap-server", "http://a"],
    `Option --bootstrap-server is "http://a", but must be ${URL_RULE}`,
  ],
  ...["65536", "-1", "", "1e3", "0x10", "8.5", " 80", "80 ", "٣", "9".repeat(40)].map((
    text,
  ): [string[], string] => [["--port", text], `Option --port is "${text}", but must be ${PORT}`]),
  ...["::1", "localhost", "10.0.0.256", "10.0.0", "010.0.0.1", ""].map((
    text,
  ): [string[], string] => [
    ["--interface", "127.0.0.1", "--interface", text],
    `Option --interface is "${text}", but must be ${ADDRESS}`,
  ]),
];

for (const [args, message] of PROBLEMS) {
  Deno.test(`a wrong command line is refused in one line: ${JSON.stringify(args)}`, () => {
    assert.equal(problem(...args), message);
  });
}

Deno.test("arbitrary arguments never cause anything but an error for the user, in one line", () => {
  const argument = fc.oneof(
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.constantFrom(
      ..."identity show export import --passphrase-stdin --profile --data-dir".split(" "),
      ..."-n -c -m -h -- --json --json= --nickname --nickname= --port --port=1 --mode local".split(
        " ",
      ),
      ..."--interface 1.2.3.4 --version --help --log-level --generate-config -nm --=".split(" "),
    ),
  );
  fc.assert(
    fc.property(fc.array(argument, { maxLength: 8 }), (args) => {
      try {
        parseOptions(args);
      } catch (error) {
        assert.ok(error instanceof InvalidInputError, `${error}\n${JSON.stringify(args)}`);
        assert.doesNotMatch(error.message, /[\p{C}\p{Zl}\p{Zp}]/u);
        assert.ok(error.message.length < 400);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("only a lone --version is answered without reading the options", () => {
  assert.equal(isVersionRequest(["--version"]), true);
  for (const args of [[], ["-n"], ["--version", "x"], ["-n", "--version"]]) {
    assert.equal(isVersionRequest(args), false);
  }
});
