import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { RawWebSocket } from "../../bench/support/raw_web_socket.ts";
import config from "../../deno.json" with { type: "json" };

const entry = fileURLToPath(new URL("../../bootstrap_server.ts", import.meta.url));
const fixture = (name: string) =>
  fileURLToPath(new URL(`./fixtures/localhost.${name}.pem`, import.meta.url));

function command(args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", entry, ...args],
    stdout: "piped",
    stderr: "piped",
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  });
}

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await command(args).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** A server program that serves; killed at the end if it still runs. */
async function serve(...args: string[]) {
  const child = command(["--host", "127.0.0.1", "--port", "0", ...args]).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) {
      throw new Error(`Server ended: ${new TextDecoder().decode(await rest(child.stderr))}`);
    }
    text += value;
  }
  return {
    child,
    line: text,
    url: /wss?:\/\/\S+/.exec(text)![0],
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await Promise.all([reader.cancel(), child.stderr.cancel().catch(() => {}), child.status]);
    },
  };
}

async function rest(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(
    await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );
}

Deno.test("server program shows its version and its options", async () => {
  const version = await run("--version");
  assert.deepEqual(version, { code: 0, out: `${config.version}\n`, err: "" });
  const help = await run("--help");
  assert.equal(help.code, 0);
  for (
    const option of ["--host", "--port", "--cert", "--key", "--log-level", "--max-frame-bytes"]
  ) assert.ok(help.out.includes(option), option);
  assert.match(help.out, /--max-peers <number> .*10000/);
});

Deno.test("server program refuses a bad option with one line and status 2", async () => {
  const cases: [string[], RegExp][] = [
    [["--port", "70000"], /--port.*70000.*0 to 65535/],
    [["--port", "80x"], /--port.*80x.*0 to 65535/],
    [["--max-peers", "0"], /--max-peers.*'0'.*1 to 1000000/],
    [["--log-level", "loud"], /--log-level.*loud.*debug, info, warning, error/],
    [["--host", "a b"], /--host.*a b.*IP address/],
    [["--prot", "1"], /--prot.*--port/],
    [["surplus"], /surplus/],
    [["--cert", "x"], /'--cert' needs '--key'/],
    [["--key", "x"], /'--key' needs '--cert'/],
    [["--cert", "/nowhere/x", "--key", fixture("key")], /\/nowhere\/x.*--cert/],
    [["--cert", fixture("key"), "--key", fixture("key")], /localhost\.key\.pem.*--cert/],
    [["--cert", fixture("cert"), "--key", fixture("cert")], /localhost\.cert\.pem.*--key/],
  ];
  for (const [args, message] of cases) {
    const { code, out, err } = await run(...args);
    assert.match(err, message);
    assert.equal(err.trimEnd().split("\n").length, 1, err);
    assert.deepEqual({ code, out }, { code: 2, out: "" }, args.join(" "));
  }
});

Deno.test("server program prints one line with its URL, and a second one finds the port in use", async () => {
  await using server = await serve();
  assert.match(server.line, /^Parlance bootstrap server at ws:\/\/127\.0\.0\.1:\d+\n$/);
  const { code, err } = await run("--host", "127.0.0.1", "--port", new URL(server.url).port);
  assert.equal(code, 1);
  assert.match(err, /^error: Cannot listen on 127\.0\.0\.1:\d+: the port is in use; .*--port\n$/);
});

Deno.test("server program serves wss with --cert and --key", async () => {
  await using server = await serve("--cert", fixture("cert"), "--key", fixture("key"));
  const caCerts = [await Deno.readTextFile(fixture("cert"))];
  using client = await RawWebSocket.dial(server.url, { caCerts });
  await client.sendText('{"type":"list_peers"}');
  assert.deepEqual((await client.readJson()).peers, []);
});

Deno.test("server program passes its limits on", async () => {
  await using server = await serve("--max-frame-bytes", "256");
  using client = await RawWebSocket.dial(server.url);
  await client.sendText("x".repeat(257));
  assert.match((await client.readJson()).message as string, /at most 256 bytes/);
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  Deno.test({
    name: `server program says goodbye to every client on ${signal}`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using server = await serve();
      const clients = await Promise.all(
        Array.from({ length: 20 }, () => RawWebSocket.dial(server.url)),
      );
      try {
        for (const client of clients) {
          await client.sendText('{"type":"list_peers"}');
          await client.readJson();
        }
        server.child.kill(signal);
        for (const client of clients) assert.equal((await client.readClose()).code, 1001);
        assert.equal((await server.child.status).code, 0);
      } finally {
        for (const client of clients) client[Symbol.dispose]();
      }
    },
  });
}
