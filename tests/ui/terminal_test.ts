import assert from "node:assert/strict";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { HISTORY_FILE } from "../../lib/store/schema.ts";
import { Store } from "../../lib/store/store.ts";
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

/** A profile in which somebody who is away has said something, and options to start with it. */
async function profileWith(nickname: string, contents: readonly string[]) {
  const directory = await Deno.makeTempDir({ prefix: "parlance-terminal-" });
  const path = `${directory}/${HISTORY_FILE}`;
  await using store = await Store.open({ path, clock: systemClock, log: silentLog });
  for (const content of contents) {
    const contact = { nickname };
    const message = { contact, content, timestamp: 0, encrypted: false, trust: "plain" } as const;
    await store.inbox.receive(message);
  }
  store.inbox.shownTo(Number.MAX_SAFE_INTEGER);
  return {
    args: ["-n", unique("alice"), "--interface", "127.0.0.1", "--data-dir", directory],
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

Deno.test({
  name: "at the start a terminal shows the last conversation, and asks before it is deleted",
  ignore,
  async fn() {
    const numbers = Array.from({ length: 12 }, (_, number) => `\x1b[2J number ${number}`);
    await using profile = await profileWith("bob", numbers);
    const { args } = profile;
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

Deno.test({
  name: "Tab completes the nickname of somebody who is away",
  ignore,
  async fn() {
    await using profile = await profileWith("barnaby", ["so long"]);
    const { args } = profile;
    await using terminal = new Terminal({ args });
    await terminal.waitForScreen(
      "the prompt",
      (rows) => rows.some((row) => row.startsWith("Last messages")),
    );
    await terminal.type("/history barn\t");
    await terminal.waitForScreen(
      "the nickname",
      (rows) => rows.some((row) => row.trim() === "> /history barnaby"),
    );
    await terminal.type("\r\x04");
    assert.equal((await terminal.exited()).code, 0, terminal.output);
  },
});
