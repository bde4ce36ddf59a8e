import assert from "node:assert/strict";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { HISTORY_FILE } from "../../lib/store/schema.ts";
import { Store } from "../../lib/store/store.ts";
import { COMMAND_NAMES } from "../../lib/ui/commands.ts";
import { complete } from "../../lib/ui/terminal.ts";
import { peerAt } from "../peer/fixtures.ts";
import { Terminal } from "../support/terminal.ts";
import { unique } from "../support/unique.ts";

/** `script`, which makes the terminal, is at hand wherever Debian is. */
const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "what comes after the end of the input is still shown, and the program ends well",
  ignore,
  async fn() {
    await using terminal = new Terminal({
      args: ["-n", unique("alice"), "--interface", "127.0.0.1"],
    });
    await terminal.waitForOutput(/> /);
    // The answer to the command comes when the line editor has ended already.
    await terminal.type("/send somebody hello\r\x04");
    assert.equal((await terminal.exited()).code, 0, terminal.output);
    assert.match(terminal.output, /Cannot reach "somebody": no such peer/);
  },
});

Deno.test({
  name: "at the start a terminal shows the last conversation, and asks before it is deleted",
  ignore,
  async fn() {
    const directory = await Deno.makeTempDir({ prefix: "parlance-terminal-" });
    await using parts = new AsyncDisposableStack();
    parts.defer(() => Deno.remove(directory, { recursive: true }));
    const options = { path: `${directory}/${HISTORY_FILE}`, clock: systemClock, log: silentLog };
    const store = await Store.open(options);
    for (let number = 0; number < 12; number++) {
      await store.inbox.receive({
        contact: { nickname: "bob" },
        content: `\x1b[2J number ${number}`,
        timestamp: 0,
        encrypted: false,
        trust: "plain",
      });
    }
    await store[Symbol.asyncDispose]();
    const args = ["-n", unique("alice"), "--interface", "127.0.0.1", "--data-dir", directory];
    await using terminal = new Terminal({ args });
    const rows = await terminal.waitForScreen(
      "the last conversation",
      (rows) => rows.some((row) => row.includes("number 11")),
    );
    const at = rows.findIndex((row) => row === "Last messages with bob:");
    assert.match(
      rows[at + 1],
      /^\[\d{4}-\d\d-\d\d \d\d:\d\d\] bob \[plain\]: \\u\{1b\}\[2J number 2$/,
    );
    assert.match(rows[at + 10], /number 11$/);
    await terminal.type("/history clear bob\r");
    await terminal.waitForOutput(/type \/history clear bob yes to do/);
    await terminal.type("/history clear bob yes\r");
    await terminal.waitForOutput(/Deleted 12 messages with bob/);
    await terminal.type("\x04");
    assert.equal((await terminal.exited()).code, 0, terminal.output);
  },
});

Deno.test("Tab completes commands, and behind those that take a peer the labels that can be shown", () => {
  const labels = ["bob", "Bobby", "bob smith", 'the "boss"', "bob\u202etxt", "zoe~aaaa"];
  const node = { peers: () => labels.map((nickname) => peerAt([], { nickname })) };
  const completed: [line: string, hits: string[], part: string][] = [
    ["/", COMMAND_NAMES.map((name) => `${name} `), "/"],
    ["/un", ["/unblock "], "/un"],
    ["/w", ["/whoami "], "/w"],
    ["/p", ["/peers "], "/p"],
    ["/x", [], "/x"],
    ["hello", [], "hello"],
    ["/send bo", ["bob ", "Bobby "], "bo"],
    ["/send BO", ["bob ", "Bobby "], "BO"],
    ['/send "BOB S', ['"bob smith" '], '"BOB S'],
    ['/send "', ['"bob smith" ', '"the \\"boss\\"" '], '"'],
    ["/send  z", ["zoe~aaaa "], "z"],
    ["/send bob hel", [], "/send bob hel"],
    ["/history z", ["zoe~aaaa "], "z"],
    ["/history clear z", ["zoe~aaaa "], "z"],
    ["/s", ["/send ", "/search "], "/s"],
    ["/search z", [], "/search z"],
    ["/verify z", ["zoe~aaaa "], "z"],
    ["/trust z", ["zoe~aaaa "], "z"],
    ["/forget z", ["zoe~aaaa "], "z"],
    ["/block z", ["zoe~aaaa "], "z"],
    ["/unblock z", ["zoe~aaaa "], "z"],
    ["/whoami z", [], "/whoami z"],
  ];
  for (const [line, hits, part] of completed) assert.deepEqual(complete(line, node), [hits, part]);
});
