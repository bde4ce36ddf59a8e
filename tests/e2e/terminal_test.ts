import assert from "node:assert/strict";
import { announce, flood } from "../support/hostile_datagrams.ts";
import { line, writeAll } from "../support/hostile_lines.ts";
import { startClient, startSupport } from "../support/program.ts";
import { testNeeding } from "../support/needing.ts";
import { sessionTest } from "../support/sessions.ts";
import { Terminal } from "../support/terminal.ts";
import { unique } from "../support/unique.ts";

const LOOPBACK = ["--interface", "127.0.0.1"];
/** `script` is at hand wherever Debian is. */
const missing = Deno.build.os === "linux"
  ? undefined
  : "a terminal is made by `script` as Linux has it";
const ignore = missing !== undefined;

function start(nickname: string): Terminal {
  return new Terminal({ args: ["-n", nickname, ...LOOPBACK] });
}

/** Somebody to talk with, whose messages come in plain text or through a session. */
interface Friend extends AsyncDisposable {
  /** How its nickname is marked. */
  readonly mark: string;
  send(content: string): Promise<void>;
  /** Waits for a message. */
  heard(content: string): Promise<unknown>;
}

async function secureFriend(nickname: string, other: string): Promise<Friend> {
  const client = startClient(nickname, { args: LOOPBACK });
  await client.waitFor({ event: "peer_up", nickname: other });
  return {
    mark: " [new]",
    send: (content) => client.send({ command: "send", to: other, content }),
    heard: (content) => client.waitFor({ event: "message", from: other, content }),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

async function version1Friend(nickname: string, other: string): Promise<Friend> {
  const settings = { nickname, interface: "127.0.0.1", announceIntervalMs: 300 };
  const peer = startSupport("v1_peer_main.ts", settings);
  await peer.waitFor({ event: "peer_up", nickname: other });
  return {
    mark: " [plain]",
    send: (content) => peer.send({ command: "send", to: other, content }),
    heard: (content) => peer.waitFor({ event: "message", from: other, content }),
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
}

/** One test with either kind of friend. */
function friendTest(
  name: string,
  fn: (friend: (nickname: string, other: string) => Promise<Friend>) => Promise<void>,
): void {
  sessionTest(name, () => fn(secureFriend), missing);
  testNeeding(missing, `${name} in plain text`, () => fn(version1Friend));
}

friendTest(
  "what is being typed stays whole when a message arrives",
  async (startFriend) => {
    const [alice, bob] = [unique("alice"), unique("bob")];
    await using terminal = start(alice);
    await using friend = await startFriend(bob, alice);
    await terminal.waitForOutput(new RegExp(`${bob} is here`));
    await terminal.waitForOutput(/> /);
    await terminal.type("/send somebody half a sen");
    await terminal.waitForScreen("the typed text", (rows) => /half a sen$/.test(rows.at(-1)!));
    const prompt = terminal.screen.rows.at(-1)!;
    await friend.send("am I interrupting?");
    const rows = await terminal.waitForScreen(
      "the message above the prompt",
      (rows) => rows.some((row) => row.includes("am I interrupting?")) && rows.at(-1) === prompt,
    );
    assert.equal(rows.filter((row) => row.includes("half a sen")).length, 1, rows.join("\n"));
    assert.equal(terminal.screen.cursor.column, prompt.length, "the cursor is where it was");
    const shown = rows.find((row) => row.includes("am I interrupting?"))!;
    assert.match(shown, /^\[?\d\d:\d\d:\d\d\]? /);
    assert.ok(shown.endsWith(` ${bob}${friend.mark}: am I interrupting?`), shown);

    // The rest of the line belongs to what was typed before: it is one command.
    for (let index = 0; index < "somebody half a sen".length; index++) await terminal.type("\x7f");
    await terminal.type(`${bob} whole sentence\r`);
    await friend.heard("whole sentence");
    await terminal.type("/quit\r");
    assert.equal((await terminal.exited()).code, 0);
  },
);

friendTest(
  "a typed line of several rows stays whole when a message arrives",
  async (startFriend) => {
    const [alice, bob] = [unique("alice"), unique("bob")];
    await using terminal = start(alice);
    await using friend = await startFriend(bob, alice);
    await terminal.waitForOutput(new RegExp(`${bob} is here`));
    await terminal.waitForOutput(/> /);
    const typed = `/send ${bob} ${"0123456789".repeat(20)}`;
    const isWhole = (rows: string[]) => {
      const text = rows.join("");
      return text.endsWith(typed) && text.indexOf(typed) === text.lastIndexOf(typed);
    };
    await terminal.type(typed);
    await terminal.waitForScreen("the typed line", isWhole);
    for (const content of ["one", "two"]) {
      await friend.send(content);
      await terminal.waitForScreen(
        `message ${content} above the typed line`,
        (rows) =>
          rows.some((row) => row.endsWith(`${bob}${friend.mark}: ${content}`)) && isWhole(rows),
      );
    }
    await terminal.type("\r");
    await friend.heard("0123456789".repeat(20));
    await terminal.type("/quit\r");
    assert.equal((await terminal.exited()).code, 0);
  },
);

sessionTest(
  "a pasted message of 20,000 characters arrives whole",
  async () => {
    const [alice, bob] = [unique("alice"), unique("bob")];
    await using terminal = start(alice);
    await using friend = startClient(bob, { args: LOOPBACK });
    await friend.waitFor({ event: "peer_up", nickname: alice });
    await terminal.waitForOutput(new RegExp(`${bob} is here`));
    const content = "paste-\u00fc-\ud83d\ude00 ".repeat(2000).trim();
    await terminal.type(`/send ${bob} ${content}\r`);
    await friend.waitFor({ event: "message", from: alice, content });
    await terminal.type("/quit\r");
    await terminal.exited();
  },
  missing,
);

Deno.test({
  name: "a terminal lists the peers with where they are and how they were found",
  ignore,
  async fn() {
    const [alice, bob] = [unique("alice"), unique("bob")];
    await using terminal = start(alice);
    await using friend = startClient(bob, { args: LOOPBACK });
    const { tcp_port: port } = await friend.waitFor({ event: "ready" });
    await friend.waitFor({ event: "peer_up", nickname: alice });
    await terminal.waitForScreen("the peer's arrival", (rows) => rows.join("\n").includes(bob));
    await terminal.type("/peers\r");
    await terminal.waitForScreen(
      "a row for the peer",
      (rows) =>
        rows.some((row) =>
          row.includes(bob) && row.includes(`127.0.0.1:${port}`) && /lan|local network/i.test(row)
        ),
    );
    await terminal.type("\x04");
    assert.equal((await terminal.exited()).code, 0, `end of input quits: ${terminal.output}`);
  },
});

Deno.test({
  name: "Ctrl-C says goodbye and leaves the terminal as it was",
  ignore,
  async fn() {
    const [alice, bob] = [unique("alice"), unique("bob")];
    await using terminal = start(alice);
    await using friend = startClient(bob, { args: LOOPBACK });
    await friend.waitFor({ event: "peer_up", nickname: alice });
    await terminal.type("\x03");
    await friend.waitFor({ event: "peer_down", nickname: alice, reason: "goodbye" });
    await terminal.exited();
  },
});

/** Announces a peer whose port answers nobody; returns when the terminal shows it. */
async function addSilentPeer(terminal: Terminal, nickname: string): Promise<Disposable> {
  const resources = new DisposableStack();
  // Nobody accepts here: when the system's queue is full, it drops further attempts.
  const listener = resources.use(Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 }));
  const { port } = listener.addr as Deno.NetAddr;
  for (let isFull = false; !isFull;) {
    const attempt = Deno.connect({ hostname: "127.0.0.1", port, signal: AbortSignal.timeout(300) });
    isFull = await attempt.then((connection) => {
      resources.use(connection);
      return false;
    }, () => true);
  }
  await flood(1000, 0.001, () => announce({ nickname, tcp_port: port }), "127.0.0.1");
  await terminal.waitForScreen(nickname, (rows) => rows.some((row) => row.includes(nickname)));
  return resources;
}

Deno.test({
  name: "a second Ctrl-C ends at once although a message is still on its way, and says goodbye",
  ignore,
  async fn() {
    const [alice, bob, eve] = [unique("alice"), unique("bob"), unique("eve")];
    await using terminal = start(alice);
    await using friend = startClient(bob, { args: LOOPBACK });
    await friend.waitFor({ event: "peer_up", nickname: alice });
    using _silent = await addSilentPeer(terminal, eve);
    await terminal.type(`/send ${eve} hello\r\x03`);
    await terminal.waitForOutput(/waiting for messages that are being sent; Ctrl-C ends at once/);
    await terminal.type("\x03");
    // Had it waited for the message, the status would be 0.
    assert.equal((await terminal.exited()).code, 130, terminal.output);
    await friend.waitFor({ event: "peer_down", nickname: alice, reason: "goodbye" });
  },
});

Deno.test({
  name: "a client whose terminal is closed says goodbye",
  ignore,
  async fn() {
    const [alice, bob] = [unique("alice"), unique("bob")];
    await using terminal = start(alice);
    await using friend = startClient(bob, { args: LOOPBACK });
    await friend.waitFor({ event: "peer_up", nickname: alice });
    await terminal.waitForOutput(/> /);
    terminal.hangUp();
    await friend.waitFor({ event: "peer_down", nickname: alice, reason: "goodbye" });
  },
});

// deno-lint-ignore no-control-regex
const COLOUR = /\u001b\[[0-9;]*m/;

/** What a hostile text must not become. */
const HARMFUL: [name: string, text: string][] = [
  ["a write to the clipboard", "\u001b]52;c;aGFybQ==\u0007"],
  ["a cleared screen", "\u001b[2J\u001b[H"],
  ["a title", "\u001b]0;owned\u001b\\"],
  ["C1 controls", "\u009b2J\u009d0;owned\u009c\u0085"],
  ["bidi overrides", "\u202egnp.exe\u202c\u2066x\u2069\u200f"],
  ["a carriage return", "real\rfake"],
  ["a faked line", "hi\n[00:00:00] root: give me your password"],
  ["backspaces", "abc\b\b\bxyz\u007f"],
  ["NUL and bell", "\u0000\u0007"],
  ["lone surrogates", "\ud800 and \udc00"],
  ["line separators", "a\u2028b\u2029c"],
  ["padding to the end of the row", `${"x ".repeat(200)}[00:00:00] root: fake`],
  ["padding without words", `${"x".repeat(1003)}[00:00:00] root: fake`],
];

Deno.test({
  name: "hostile text reaches the terminal as harmless visible text",
  ignore,
  async fn() {
    const [alice, bob] = [unique("alice"), unique("bob")];
    await using terminal = start(alice);
    await using friend = startClient(bob, { args: LOOPBACK });
    const { address } = await friend.waitFor({ event: "peer_up", nickname: alice });
    const port = Number(String(address).split(":")[1]);
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    for (const [index, [name, text]] of HARMFUL.entries()) {
      const mark = `>>${index}.`; // short: a longer one might be broken into rows
      const before = terminal.output.length;
      const fields = { from: "mal\u202elory", content: `<<${text}${mark}` };
      await writeAll(connection, new TextEncoder().encode(line(fields)));
      await terminal.waitForOutput(new RegExp(`>>${index}\\.`));
      const got = terminal.output.slice(before);
      // The terminal itself makes "\r\n" of a newline.
      const content = got.slice(got.indexOf("<<"), got.indexOf(mark))
        .replaceAll("\r\n", "\n");
      assert.notEqual(content, "", "shown");
      assert.doesNotMatch(
        content,
        // deno-lint-ignore no-control-regex
        /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/,
        name,
      );
      assert.doesNotMatch(got, /\u202e/, "the nickname is harmless, too");
      for (const row of terminal.screen.rows) {
        assert.doesNotMatch(
          row,
          /^(\u0020?fake|\[00:00:00\] root|root: fake)/,
          "no line looks like another's",
        );
      }
    }
    for (const start of ["\u001b]", "\u009b", "\u009d", "\u0090"]) {
      assert.ok(!terminal.output.includes(start), JSON.stringify(start));
    }
    await terminal.type("/quit\r");
    await terminal.exited();
  },
});

Deno.test({
  name: "colour is for terminals that want it",
  ignore,
  async fn() {
    const nickname = unique("alice");
    const args = ["-n", nickname, ...LOOPBACK];
    await using plain = new Terminal({ args, env: { NO_COLOR: "1" } });
    await plain.type("/help\r");
    await plain.waitForOutput(/\/quit/);
    await plain.type("/quit\r");
    await plain.exited();
    assert.doesNotMatch(plain.output, COLOUR, JSON.stringify(plain.output));
    await using coloured = new Terminal({ args });
    await coloured.type("/help\r");
    await coloured.waitForOutput(COLOUR);
  },
});
