import assert from "node:assert/strict";
import { type Configuration, DEFAULT_CONFIGURATION } from "../../lib/config/configuration.ts";
import { DEFAULT_FILE } from "../../lib/config/default_file.ts";
import { parseConfiguration } from "../../lib/config/parse.ts";
import { qualifiedKeys } from "../../lib/config/schema.ts";
import { InvalidInputError } from "../../lib/errors.ts";

const parse = (text: string) => parseConfiguration(text, "p.toml");

/** The lines of the error that `text` gives, without the words that all of them begin with. */
async function problems(text: string): Promise<string[]> {
  try {
    await parse(text);
  } catch (error) {
    assert.ok(error instanceof InvalidInputError, String(error));
    return error.message.split("\n").map((line) => {
      assert.ok(line.startsWith("Cannot load p.toml"), line);
      return line.slice("Cannot load p.toml".length);
    });
  }
  assert.fail(`accepted: ${text}`);
}

Deno.test("a file written for the original loads unchanged", async () => {
  const text = `[network]
mode = "local"                          # local | internet
bootstrap_server = "ws://localhost:8080"
[discovery]                             # bootstrap server
heartbeat_interval_secs = 10
peer_timeout_secs = 30
[peer]                                  # LAN
announce_interval_secs = 5
timeout_secs = 15
`;
  assert.deepEqual(await parse(text), DEFAULT_CONFIGURATION);
  assert.deepEqual(await parse(text.replaceAll("\n", "\r\n")), DEFAULT_CONFIGURATION);
});

Deno.test("every key reaches the configuration", async () => {
  const expected: Configuration = {
    network: { mode: "both", bootstrapServer: "wss://chat.example:444/x?y=1" },
    discovery: { heartbeatIntervalSecs: 11, peerTimeoutSecs: 33 },
    peer: {
      announceIntervalSecs: 6,
      timeoutSecs: 16,
      nickname: "Zoë",
      profile: "Zoë at work",
      port: 65535,
      interfaces: ["127.0.0.1", "10.0.0.1"],
    },
    security: { plaintext: "receive" },
    history: { enabled: false, keepDays: 365, maxMegabytes: 100 },
    outbox: { expireDays: 7, queuePlain: true },
    limits: { maxContentBytes: 1024 },
  };
  const text = `[network]
mode = "both"
bootstrap_server = "wss://chat.example:444/x?y=1"
[discovery]
heartbeat_interval_secs = 11
peer_timeout_secs = 33
[peer]
announce_interval_secs = 6
timeout_secs = 16
nickname = "Zoë"
profile = "Zoë at work"
port = 65535
interfaces = ["127.0.0.1", "10.0.0.1"]
[security]
plaintext = "receive"
[history]
enabled = false
keep_days = 365
max_mb = 100
[outbox]
expire_days = 7
queue_plain = true
[limits]
max_content_bytes = 1024
`;
  assert.deepEqual(await parse(text), expected);
  for (const key of qualifiedKeys()) assert.ok(text.includes(key.split(".")[1]), key);
});

Deno.test("an empty file and an empty section have the defaults", async () => {
  for (const text of ["", "\n# nothing\n", "[network]", "peer = {}"]) {
    assert.deepEqual(await parse(text), DEFAULT_CONFIGURATION);
  }
});

Deno.test("the default file has every key, says the defaults, and is the one at the top", async () => {
  assert.deepEqual(await parse(DEFAULT_FILE), DEFAULT_CONFIGURATION);
  for (const key of qualifiedKeys()) {
    assert.match(DEFAULT_FILE, new RegExp(`^(# )?${key.split(".")[1]} = `, "m"));
  }
  const named = await parse(DEFAULT_FILE.replace(/# (nickname|profile)/g, "$1"));
  assert.equal(named.peer.nickname, "alice");
  assert.equal(named.peer.profile, "work");
  const top = await Deno.readTextFile(new URL("../../parlance.toml", import.meta.url));
  assert.equal(top.replaceAll("\r\n", "\n"), DEFAULT_FILE);
});

const seconds = "a whole number from 1 to 86400 (seconds)";
const port = "a whole number from 0 to 65535 (with 0 the system chooses)";
const bytes = "a whole number from 1024 to 174592 (bytes)";
const url = 'a ws:// or wss:// URL, such as "ws://localhost:8080"';
const modes = '"local", "internet" or "both"';
const address = 'an IPv4 address of this machine, such as "192.168.1.10"';
const plaintext = '"allow", "receive" or "deny"';
const profile = "a text of 1 to 64 bytes of UTF-8 without control characters";
const nick = "a text of 1 to 32 bytes of UTF-8 without control characters";

const BAD_VALUES: readonly (readonly [section: string, pair: string, allowed: string])[] = [
  ["network", 'mode = "nearby"', modes],
  ["network", 'mode = "Local"', modes],
  ["network", "mode = 1", modes],
  ["network", 'mode = ["local"]', modes],
  ["network", 'bootstrap_server = "http://localhost"', url],
  ["network", 'bootstrap_server = "localhost:8080"', url],
  ["network", 'bootstrap_server = "ws://"', url],
  ["network", 'bootstrap_server = "ws://a b"', url],
  ["network", 'bootstrap_server = " ws://a"', url],
  ["network", 'bootstrap_server = "ws://a#b"', url],
  ["network", 'bootstrap_server = "ws://a:0"', url],
  ["network", 'bootstrap_server = "ws://a:65536"', url],
  ["network", "bootstrap_server = true", url],
  ["discovery", "heartbeat_interval_secs = 0", seconds],
  ["discovery", "heartbeat_interval_secs = 1.5", seconds],
  ["discovery", 'heartbeat_interval_secs = "10"', seconds],
  ["discovery", "peer_timeout_secs = 86401", seconds],
  ["discovery", "peer_timeout_secs = -1", seconds],
  ["discovery", "peer_timeout_secs = inf", seconds],
  ["peer", "announce_interval_secs = nan", seconds],
  ["peer", "announce_interval_secs = 1979-05-27 07:32:00", seconds],
  ["peer", "timeout_secs = 0x1_ffff", seconds],
  ["peer", "timeout_secs = { a = 1 }", seconds],
  ["peer", "port = 65536", port],
  ["peer", "port = -1", port],
  ["peer", 'port = "80"', port],
  ["peer", "nickname = 7", nick],
  ["peer", "profile = 7", profile],
  ["security", 'plaintext = "yes"', plaintext],
  ["security", "plaintext = true", plaintext],
  [
    "peer",
    'interfaces = "127.0.0.1"',
    `a list of at most 64 IPv4 addresses of this machine, such as ["192.168.1.10"]`,
  ],
  ["limits", "max_content_bytes = 1023", bytes],
  ["limits", "max_content_bytes = 174593", bytes],
];

for (const [section, pair, allowed] of BAD_VALUES) {
  Deno.test(`a bad value is refused with its place and what is allowed: ${pair}`, async () => {
    const [key, value] = pair.split(/ = (.*)/s);
    assert.deepEqual(await problems(`\n[${section}]\n  ${pair} # note\n`), [
      `:3:${key.length + 6}: ${section}.${key} is ${value}, but must be ${allowed}`,
    ]);
  });
}

Deno.test("a bad nickname is refused with the reason", async () => {
  for (
    const [written, reason] of [
      ['""', "it is empty"],
      ['"  "', "it is only white space"],
      ['" a"', "it starts or ends with white space"],
      ['"a\\nb"', "it contains a newline"],
      ['"a\\u001bb"', "it contains a control character"],
      [`"${"x".repeat(33)}"`, "it has more than 32 bytes of UTF-8"],
    ]
  ) {
    assert.deepEqual(await problems(`peer.nickname = ${written}`), [
      `:1:17: peer.nickname is ${written} (${reason}), but must be ${nick}`,
    ]);
  }
});

Deno.test("a bad profile is refused with the reason", async () => {
  for (
    const [written, reason] of [
      ['""', "it is empty"],
      ['"  "', "it starts or ends with white space"],
      ['"a "', "it starts or ends with white space"],
      ['"a\\nb"', "it contains a control character"],
      [`"${"é".repeat(32)}x"`, "it has more than 64 bytes of UTF-8"],
    ]
  ) {
    assert.deepEqual(await problems(`peer.profile = ${written}`), [
      `:1:16: peer.profile is ${written} (${reason}), but must be ${profile}`,
    ]);
  }
  const longest = "é".repeat(32);
  assert.equal((await parse(`peer.profile = "${longest}"`)).peer.profile, longest);
});

Deno.test("bad elements of a list over several lines are placed one by one", async () => {
  const text = `[peer]
interfaces = [
  "127.0.0.1", # fine, "1.2"
  "::1",
  [ 1, 2 ], 'x',
]
`;
  assert.deepEqual(await problems(text), [
    `:4:3: peer.interfaces, element 2, is "::1", but must be ${address}`,
    `:5:3: peer.interfaces, element 3, is [ 1, 2 ], but must be ${address}`,
    `:5:13: peer.interfaces, element 4, is 'x', but must be ${address}`,
  ]);
});

Deno.test("a list that is too long is refused as a whole, and shown in part", async () => {
  const [line] = await problems(`peer.interfaces = [${'"10.0.0.1", '.repeat(65)}]`);
  assert.match(
    line,
    /^:1:19: peer\.interfaces is \["10\.0\.0\.1", .*…, but must be a list of at most 64 /,
  );
  assert.ok(line.length < 250, line);
});

const FORMS: readonly (readonly [text: string, place: string, written: string])[] = [
  ['[network]\nmode = "x"', "2:8", '"x"'],
  ['[ network ]\n\tmode="x"', "2:7", '"x"'],
  ['network.mode = "x"', "1:16", '"x"'],
  ['network . mode = "x"', "1:18", '"x"'],
  ['network = { mode = "x" }', "1:20", '"x"'],
  ['network = { bootstrap_server = "ws://a", mode = "x" }', "1:49", '"x"'],
  ['network = {\n  mode = "x",\n}', "2:10", '"x"'],
  ['["network"]\n"mode" = "x"', "2:10", '"x"'],
  ["['network']\n'mode' = 'x'", "2:10", "'x'"],
  ['"net\\u0077ork"."m\\U0000006fde" = "x"', "1:34", '"x"'],
  ['"net\\x77ork".mode = "x"', "1:21", '"x"'],
  ['# [network]\n# mode = 1\n[network] # "\nmode = "x"', "4:8", '"x"'],
  ['[network]\r\nbootstrap_server = "ws://a"\r\nmode = "x"\r\n', "3:8", '"x"'],
  ['[peer]\nnickname = "a # [network]"\n[network]\nmode = "x"', "4:8", '"x"'],
  ['[peer]\nnickname = "a\\"b"\n[network]\nmode = "x"', "4:8", '"x"'],
  ["[peer]\nnickname = 'a\\'\n[network]\nmode = \"x\"", "4:8", '"x"'],
  ['[network]\nmode = """\nmode = 1\n""""" # 5 quotes', "2:8", '""" mode = 1 """""'],
  ["[network]\nmode = '''x'y'''", "2:8", "'''x'y'''"],
  ['[network]\nmode = """a\\\n   b\\""""', "2:8", '"""a\\ b\\""""'],
  ['[peer]\nnickname = "😀é"\n[network]\nmode = "😀"', "4:8", '"😀"'],
  ['peer = { nickname = "😀é" }\nnetwork = { mode = "x" }', "2:20", '"x"'],
  ['network = { "bootstrap_server" = "ws://😀.example", mode = "x" }', "1:59", '"x"'],
  ["[network.mode]\nx = 1", "1:10", "a table"],
  ["[network]\nmode.x = 1", "2:1", "a table"],
  ["[[network.mode]]\nx = 1", "1:11", "a table"],
  ["[network]\nmode = {}", "2:8", "{}"],
  ["[network]\nmode = 1979-05-27 07:32:00 # x", "2:8", "1979-05-27 07:32:00"],
  ["[network]\nmode = -1_0.5e+3", "2:8", "-1_0.5e+3"],
  ["network = { mode = true}", "1:20", "true"],
];

for (const [text, place, written] of FORMS) {
  Deno.test(`a bad value is found in every form of TOML: ${JSON.stringify(text)}`, async () => {
    assert.deepEqual(await problems(text), [
      `:${place}: network.mode is ${written}, but must be ${modes}`,
    ]);
  });
}

const sections = "network, discovery, peer, security, history, outbox, limits";
const UNKNOWN: readonly (readonly [text: string, line: string])[] = [
  ['[network]\nmodes = "local"', ':2:1: unknown key network.modes = "local"; did you mean mode?'],
  [
    "[peer]\n  timout_secs = 3",
    ":2:3: unknown key peer.timout_secs = 3; did you mean timeout_secs?",
  ],
  ["peer.portt = 1", ":1:6: unknown key peer.portt = 1; did you mean port?"],
  ["peer = { portt = 1 }", ":1:10: unknown key peer.portt = 1; did you mean port?"],
  ["[netwrk]\nmode = 1", ":1:2: unknown section [netwrk]; did you mean network?"],
  ["[[netwrk]]", ":1:3: unknown section [netwrk]; did you mean network?"],
  ["netwrk = {}", ":1:1: unknown key netwrk = {}; did you mean network?"],
  ["netwrk.mode = 1", ":1:1: unknown section [netwrk]; did you mean network?"],
  ['mode = "local"', ':1:1: unknown key mode = "local"; did you mean network.mode?'],
  ["port = 5", ":1:1: unknown key port = 5; did you mean peer.port?"],
  [
    '[network]\nnickname = "a"',
    ':2:1: unknown key network.nickname = "a"; did you mean peer.nickname?',
  ],
  ["[zzz]", `:1:2: unknown section [zzz]; the sections are ${sections}`],
  [
    "[limits]\nzzz = 1",
    ":2:1: unknown key limits.zzz = 1; the keys of [limits] are max_content_bytes",
  ],
  [
    "[peer.zzz]\na = 1",
    ":1:7: unknown section [peer.zzz]; the keys of [peer] are announce_interval_secs, timeout_secs, nickname, profile, port, interfaces",
  ],
  ["__proto__ = 1", `:1:1: unknown key __proto__ = 1; the sections are ${sections}`],
  [
    "[peer]\nconstructor = 1",
    ":2:1: unknown key peer.constructor = 1; the keys of [peer] are announce_interval_secs, timeout_secs, nickname, profile, port, interfaces",
  ],
  [
    '"\\u001b[2J\\u202e" = 1',
    `:1:1: unknown key "\\u001b[2J\\u{202e}" = 1; the sections are ${sections}`,
  ],
];

for (const [text, line] of UNKNOWN) {
  Deno.test(`an unknown key or section is refused with the nearest known one: ${JSON.stringify(text)}`, async () => {
    assert.deepEqual(await problems(text), [line]);
  });
}

Deno.test("a section that is a value or a list is refused", async () => {
  const keys = "with the keys mode, bootstrap_server";
  assert.deepEqual(await problems("network = 3"), [
    `:1:11: network is 3, but must be a section, [network], ${keys}`,
  ]);
  assert.deepEqual(await problems("network = 1979-05-27"), [
    `:1:11: network is 1979-05-27, but must be a section, [network], ${keys}`,
  ]);
  assert.deepEqual(await problems("[[network]]\n[[network]]"), [
    `:1:3: network is a list of tables, but must be a section, [network], ${keys}`,
  ]);
});

Deno.test("all problems are told in the order of the file, at most ten of them", async () => {
  const text = `[peer]
port = "x"
portt = 1
[network]
mode = 1
`;
  assert.deepEqual((await problems(text)).map((line) => line.split(" ")[0]), [
    ":2:8:",
    ":3:1:",
    ":5:8:",
  ]);
  // Neither a section's later parts nor a key that looks like an index go first.
  const split = await problems("[peer]\n[network]\nmode = 1\n[peer.x]\n[y]\n[5]");
  assert.deepEqual(split.map((line) => line.split(" ")[0]), [":3:8:", ":4:7:", ":5:2:", ":6:2:"]);
  const many = await problems(Array.from({ length: 25 }, (_, i) => `x${i} = ${i}`).join("\n"));
  assert.equal(many.length, 11);
  assert.match(many[9], /^:10:1: unknown key x9 = 9; /);
  assert.equal(many[10], ": 15 more problems");
});

const SYNTAX: readonly (readonly [text: string, line: string])[] = [
  [
    "[network]\nmode = local",
    ":2:8: not valid TOML: invalid value; text must stand in quotes in: mode = local",
  ],
  ["[network\nmode = 1", ":1:9: not valid TOML: "],
  ["a = 1\na = 2", ":2:1: not valid TOML: "],
  ["[peer]\n[peer]", ":2:2: not valid TOML: "],
  ['[peer]\nnickname = "a', ":2:12: not valid TOML: "],
  ["[peer]\nport", ":2:1: not valid TOML: "],
  ["peer = {nickname = '😀', port = 0x}", ":1:34: not valid TOML: "],
  ["[peer]\nport = 1 timeout_secs = 2", ":2:10: not valid TOML: "],
  ["port = 99999999999999999999", ":1:8: not valid TOML: "],
  [`x = ${"[".repeat(100)}`, ":1:"],
  [`x = ${"{a=".repeat(100)}`, ":1:"],
];

for (const [text, start] of SYNTAX) {
  Deno.test(`a syntax error has line and column: ${JSON.stringify(text.slice(0, 40))}`, async () => {
    const lines = await problems(text);
    assert.equal(lines.length, 1);
    assert.equal(lines[0].slice(0, start.length), start, lines[0]);
  });
}

Deno.test("what a file holds cannot reach the terminal as a control sequence", async () => {
  for (
    const text of [
      "x = \u001b]52;c;aGk=\u0007",
      'peer.nickname = "\u202eabc\u009b2J" # \u202e',
      "[peer]\n\u001b[2J = 1",
      '"\u202e" = "\u2028"',
    ]
  ) {
    for (const line of await problems(text)) assert.doesNotMatch(line, /[\p{C}\p{Zl}\p{Zp}]/u);
  }
});
