import assert from "node:assert/strict";
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
