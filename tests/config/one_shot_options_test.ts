import assert from "node:assert/strict";
import type { OneShotOptions } from "../../lib/config/one_shot_options.ts";
import { parseOptions } from "../../lib/config/options.ts";
import { InvalidInputError } from "../../lib/errors.ts";

function parse(...args: string[]): OneShotOptions {
  const options = parseOptions(args);
  assert.ok(options.kind === "one-shot", options.kind);
  return options;
}

const COMMANDS: [args: string[], command: OneShotOptions["command"]][] = [
  [["send", "bob", "hi there"], { name: "send", to: "bob", text: "hi there", timeoutMs: 10_000 }],
  [["send", "bob", "-"], { name: "send", to: "bob", text: undefined, timeoutMs: 10_000 }],
  [["send", "--timeout", "3", "bob", "x"], { name: "send", to: "bob", text: "x", timeoutMs: 3000 }],
  [["send", "bob", "x", "--timeout=3"], { name: "send", to: "bob", text: "x", timeoutMs: 3000 }],
  [["send", "--", "-bob", "-n"], { name: "send", to: "-bob", text: "-n", timeoutMs: 10_000 }],
  [["send", "bob", "send"], { name: "send", to: "bob", text: "send", timeoutMs: 10_000 }],
  [["peers"], { name: "peers", json: false }],
  [["peers", "--json"], { name: "peers", json: true }],
  [["listen"], { name: "listen", json: false }],
  [["listen", "--json"], { name: "listen", json: true }],
  [["history"], { name: "history", peer: undefined, count: undefined, json: false }],
  [["history", "bob"], { name: "history", peer: "bob", count: undefined, json: false }],
  [["history", "bob", "7", "--json"], { name: "history", peer: "bob", count: 7, json: true }],
  [["history", "20"], { name: "history", count: 20, json: false }],
  [["history", "20", "7"], { name: "history", peer: "20", count: 7, json: false }],
  [["history", "check"], { name: "history-check" }],
  [["history", "export"], { name: "history-export", format: "text" }],
  [["history", "export", "--format", "jsonl"], { name: "history-export", format: "jsonl" }],
  [["search", "lunch", "from:bob", "--json"], {
    name: "search",
    query: "lunch from:bob",
    json: true,
  }],
  [["search", '"at twelve"'], { name: "search", query: '"at twelve"', json: false }],
];

for (const [args, command] of COMMANDS) {
  Deno.test(`parlance ${args.join(" ")} is understood`, () => {
    assert.deepEqual(parse(...args).command, command);
  });
}

Deno.test("every command takes the options of the client", () => {
  for (const [args] of COMMANDS) {
    if (args.includes("--")) continue;
    const { options } = parse(
      ...args,
      ...["-n", "alice", "--profile", "p", "--data-dir", "/d", "-c", "c.toml", "-m", "both"],
      ...["--bootstrap-server", "ws://x", "--port", "7", "--interface", "127.0.0.1"],
      ...["--interface", "127.0.0.1", "--log-level", "debug"],
    );
    assert.deepEqual({ ...options, json: false }, {
      ...{ nickname: "alice", profile: "p", dataDir: "/d", config: "c.toml", mode: "both" },
      ...{ bootstrapServer: "ws://x", port: 7, interfaces: ["127.0.0.1"], logLevel: "debug" },
      json: false,
    }, args.join(" "));
  }
});

const PROBLEMS: [args: string[], message: RegExp][] = [
  [["send"], /^Command send needs a nickname: parlance send NICKNAME TEXT\|-$/],
  [["send", ""], /^Command send needs a nickname/],
  [["send", "bob"], /^Command send needs a text for "bob", or - to take standard input$/],
  [["send", "bob", ""], /^Command send needs a text for "bob"/],
  [["send", "bob", "hi", "there"], /^Unexpected argument "there"; put a text .* in quotes/],
  [["send", "bob", "hi", "--timeout", "0"], /^Option --timeout is "0", but must be .* from 1 to/],
  [["send", "bob", "hi", "--timeout", "soon"], /^Option --timeout is "soon"/],
  [["send", "bob", "hi", "--json"], /^Unknown option --json/],
  [["send", "bob", "-x"], /^Unknown option -x/],
  [["peers", "bob"], /^Unexpected argument "bob"; command peers takes none$/],
  [["peers", "--timeout", "3"], /^Unknown option --timeout/],
  [["listen", "--jso"], /^Unknown option --jso; did you mean --json\?$/],
  [["history", "bob", "many"], /^The number of messages is "many", but must be a whole number/],
  [["history", "0"], /^The number of messages is "0"/],
  [["history", "1001"], /^The number of messages is "1001", but must be .* from 1 to 1000/],
  [["history", "bob", "7", "8"], /^Unexpected argument "8"; command history takes/],
  [["history", "check", "7"], /^Unexpected argument "7"; history check takes none$/],
  [["history", "check", "--json"], /^Option --json has no meaning for history check$/],
  [["history", "export", "--json"], /no meaning for history export; --format jsonl has$/],
  [["history", "export", "--format", "xml"], /^Option --format is "xml", but must be "jsonl" or/],
  [["history", "--format", "text"], /^Option --format has a meaning for history export only$/],
  [["search"], /^Command search needs at least one word$/],
  [["search", " "], /^Command search needs at least one word$/],
  [["sned", "bob", "hi"], /^Unexpected argument "sned"; did you mean the command send\?$/],
  [["-n", "alice", "send", "bob"], /"send"; it has to come first, as in "parlance send"$/],
];

for (const [args, message] of PROBLEMS) {
  Deno.test(`a wrong command is refused in one line: ${JSON.stringify(args)}`, () => {
    assert.throws(() => parseOptions(args), (error: Error) => {
      assert.ok(error instanceof InvalidInputError);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  });
}

Deno.test("every command has a help", () => {
  for (const name of ["send", "peers", "listen", "history", "search"]) {
    const help = parseOptions([name, "--help"]);
    assert.ok(help.kind === "help");
    assert.match(help.text, new RegExp(`^Usage: parlance ${name} `));
    assert.match(help.text, /--data-dir/);
  }
});
