import assert from "node:assert/strict";
import {
  clientFrame,
  clientFrameHead,
  Opcode,
  RawWebSocket,
} from "../../bench/support/raw_web_socket.ts";
import { silentLog } from "../../lib/base/log.ts";
import { InvalidInputError, ParlanceError } from "../../lib/errors.ts";
import { BootstrapServer, type BootstrapServerOptions } from "../../lib/server/server.ts";

const fixture = (name: string) =>
  Deno.readTextFileSync(new URL(`./fixtures/localhost.${name}.pem`, import.meta.url));

function start(options: BootstrapServerOptions = {}): Promise<BootstrapServer> {
  return BootstrapServer.start({ hostname: "127.0.0.1", port: 0, ...options });
}

const registration = (nickname: string) =>
  JSON.stringify({ type: "register", nickname, local_addr: "0.0.0.0:54321" });

/** Whether the server answers a newcomer: what a hostile client must never change. */
async function assertServes(server: BootstrapServer): Promise<void> {
  using client = await RawWebSocket.dial(server.url);
  await client.sendText(registration("newcomer"));
  assert.equal((await client.readJson()).type, "registered");
  await client.sendText('{"type":"list_peers"}');
  const { peers } = await client.readJson();
  assert.ok((peers as { nickname: string }[]).some(({ nickname }) => nickname === "newcomer"));
}

/** Waits until the socket behind a refusal is gone, and gives the code and reason. */
async function readRefusal(client: RawWebSocket): Promise<{ code: number; reason: string }> {
  const error = await client.readJson();
  assert.equal(error.type, "error");
  const close = await client.readClose();
  assert.equal(error.message, close.reason);
  return close;
}

Deno.test("server speaks the protocol on any path", async () => {
  await using server = await start();
  using client = await RawWebSocket.dial(`${server.url}/any/path?at=all`);
  await client.sendText(registration("alice"));
  const registered = await client.readJson();
  assert.equal(registered.public_addr, "127.0.0.1:54321");
  await client.sendText('{"type":"heartbeat"}');
  await client.sendText('{"type":"list_peers"}');
  const { peers } = await client.readJson();
  assert.equal((peers as { peer_id: string }[])[0].peer_id, registered.peer_id);
  await client.sendText("nonsense");
  assert.match((await client.readJson()).message as string, /^Invalid message format: ./);
  await client.sendBytes(clientFrame(Opcode.ping, "hello"));
  const pong = await client.readFrame();
  assert.equal(pong?.opcode, Opcode.pong);
  assert.equal(new TextDecoder().decode(pong.payload), "hello");
  await assertServes(server);
});

Deno.test("server forgets a client whose connection ends", async () => {
  await using server = await start();
  using watcher = await RawWebSocket.dial(server.url);
  {
    using client = await RawWebSocket.dial(server.url);
    await client.sendText(registration("alice"));
    await client.readJson();
  }
  await until(() => server.stats().peers === 0);
  await watcher.sendText('{"type":"list_peers"}');
  assert.deepEqual((await watcher.readJson()).peers, []);
});

Deno.test("server refuses binary frames, and serves on", async () => {
  await using server = await start();
  using client = await RawWebSocket.dial(server.url);
  await client.sendBytes(clientFrame(Opcode.binary, '{"type":"list_peers"}'));
  assert.equal((await readRefusal(client)).code, 1003);
  await assertServes(server);
});

Deno.test("server refuses frames of 1 MB, whole or in fragments, and serves on", async () => {
  await using server = await start();
  const megabyte = new Uint8Array(1 << 20).fill(0x20);
  {
    using client = await RawWebSocket.dial(server.url);
    await client.sendBytes(clientFrame(Opcode.text, megabyte));
    assert.equal((await readRefusal(client)).code, 1009);
  }
  {
    using client = await RawWebSocket.dial(server.url);
    await client.sendBytes(clientFrame(Opcode.text, megabyte, false));
    await client.sendBytes(clientFrame(Opcode.continuation, megabyte));
    assert.equal((await readRefusal(client)).code, 1009);
  }
  await assertServes(server);
});

Deno.test("server survives frames that break the WebSocket protocol", async () => {
  await using server = await start();
  const broken = [
    clientFrame(Opcode.text, new Uint8Array([0xff, 0xfe])), // not UTF-8
    clientFrameHead(Opcode.text, 2 ** 40), // promises a terabyte
    clientFrame(3, "reserved opcode"),
    clientFrame(Opcode.close, new Uint8Array([0x03, 0xe7])), // code 999
    clientFrame(Opcode.continuation, "of nothing"),
    clientFrame(Opcode.ping, new Uint8Array(126)), // control frames are shorter
  ];
  for (const bytes of broken) {
    using client = await RawWebSocket.dial(server.url);
    await client.sendBytes(bytes);
    await client.conn.closeWrite();
    while (await client.readFrame() !== undefined);
  }
  assert.equal(
    server.stats().refusals["frames that break the WebSocket protocol"],
    broken.length,
  );
  await assertServes(server);
});

Deno.test("server refuses a message flood, and serves on", async () => {
  await using server = await start();
  using client = await RawWebSocket.dial(server.url);
  const one = clientFrame(Opcode.text, '{"type":"list_peers"}');
  const flood = new Uint8Array(one.length * 5000);
  for (let index = 0; index < 5000; index++) flood.set(one, index * one.length);
  await client.sendBytes(flood).catch(() => {}); // the server may have hung up before the end
  let lists = 0;
  for (;;) {
    const frame = await client.readFrame();
    if (frame === undefined || frame.opcode === Opcode.close) break;
    lists++;
  }
  assert.ok(lists <= 30, `${lists} answers`);
  assert.equal(server.stats().refusals["messages above the rate limit"], 1);
  await assertServes(server);
});

Deno.test("server gives up on a reader that never reads, and serves on", async () => {
  await using server = await start({
    limits: { bufferedBytes: 10_000, messagesPerSecond: 100_000, messageBurst: 100_000 },
  });
  using stalled = await RawWebSocket.dial(server.url);
  await stalled.sendText(registration("stalled"));
  // Each question makes an answer; the system takes some megabytes of them, and then no more.
  const ask = clientFrame(Opcode.text, '{"type":"list_peers"}');
  const batch = new Uint8Array(ask.length * 1000);
  for (let index = 0; index < 1000; index++) batch.set(ask, index * ask.length);
  for (let round = 0; round < 200; round++) {
    if (server.stats().refusals["slow readers"] === 1) break;
    await stalled.sendBytes(batch);
    await new Promise((resolve) => setImmediate(resolve)); // the server runs in this process, too
  }
  await until(() => server.stats().refusals["slow readers"] === 1);
  assert.equal(server.stats().peers, 0);
  await assertServes(server);
});

Deno.test("connections above the limit are told so, then refused without an upgrade", async () => {
  await using server = await start({ limits: { connectionsPerAddress: 1 } });
  const refused: RawWebSocket[] = [];
  {
    using first = await RawWebSocket.dial(server.url);
    await first.sendText(registration("first"));
    await first.readJson();
    for (let index = 0; index < 8; index++) {
      const client = await RawWebSocket.dial(server.url);
      refused.push(client);
      assert.equal((await readRefusal(client)).code, 1008);
    }
    await assert.rejects(() => RawWebSocket.dial(server.url), /HTTP\/1\.1 429/);
    await first.sendText('{"type":"list_peers"}');
    assert.equal(((await first.readJson()).peers as unknown[]).length, 1);
  }
  for (const client of refused) client[Symbol.dispose]();
  await until(() => server.stats().connections === 0);
  await assertServes(server);
});

Deno.test("closing server tells its clients, and is not held up by one that does not answer", async () => {
  const server = await start();
  using client = await RawWebSocket.dial(server.url);
  await client.sendText(registration("alice"));
  await client.readJson();
  const { port } = server.address;
  await Promise.all([server.close(), server.close()]);
  assert.equal((await client.readClose()).code, 1001);
  await assert.rejects(() => Deno.connect({ hostname: "127.0.0.1", port }));
});

Deno.test("exception in the handler of one connection reaches neither the program nor another", async () => {
  const errors: string[] = [];
  const warn = () => {
    throw new Error("disk full");
  };
  const error = (message: string) => void errors.push(message);
  await using server = await start({ log: { ...silentLog, warn, error } });
  using other = await RawWebSocket.dial(server.url);
  using client = await RawWebSocket.dial(server.url);
  await client.sendText("what makes the server log a refusal");
  assert.equal((await client.readClose()).code, 1011);
  assert.deepEqual(errors, ["Cannot handle a connection's message: disk full"]);
  await other.sendText('{"type":"list_peers"}');
  assert.equal((await other.readJson()).type, "peer_list");
  await assertServes(server);
});

Deno.test("healthz gives the number of peers; other requests learn what this is", async () => {
  await using server = await start();
  const base = server.url.replace("ws:", "http:");
  using client = await RawWebSocket.dial(server.url);
  await client.sendText(registration("alice"));
  await client.readJson();
  const health = await fetch(`${base}/healthz`);
  assert.equal(health.status, 200);
  assert.equal(health.headers.get("content-type"), "application/json");
  assert.deepEqual(await health.json(), { status: "ok", peers: 1, connections: 1 });
  const cases: [string, string, number, RegExp][] = [
    ["GET", "/", 200, /^This is a Parlance bootstrap server/],
    ["HEAD", "/", 200, /^$/],
    ["HEAD", "/healthz", 200, /^$/],
    ["GET", "/other", 404, /^This is a Parlance bootstrap server/],
    ["POST", "/", 405, /^Only GET and HEAD/],
    ["DELETE", "/healthz", 405, /^Only GET and HEAD/],
  ];
  for (const [method, path, status, text] of cases) {
    const response = await fetch(base + path, { method });
    assert.equal(response.status, status, `${method} ${path}`);
    assert.match(await response.text(), text);
    assert.equal(response.headers.get("allow"), status === 405 ? "GET, HEAD" : null);
  }
  const half = await fetch(base, { headers: { upgrade: "websocket" } });
  assert.equal(half.status, 400);
  assert.match(await half.text(), /^Cannot upgrade to a WebSocket: /);
});

Deno.test("server with a certificate serves wss", async () => {
  const cert = fixture("cert");
  await using server = await start({ cert, key: fixture("key") });
  assert.match(server.url, /^wss:\/\/127\.0\.0\.1:\d+$/);
  using client = await RawWebSocket.dial(server.url, { caCerts: [cert] });
  await client.sendText(registration("alice"));
  assert.equal((await client.readJson()).public_addr, "127.0.0.1:54321");
});

Deno.test("certificate or key that cannot be used is an error that says so", async () => {
  const cert = fixture("cert");
  const key = fixture("key");
  const bad: BootstrapServerOptions[] = [
    { cert },
    { key },
    { cert: "no PEM", key },
    { cert, key: "no PEM" },
    { cert, key: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" },
    { cert: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key },
  ];
  for (const options of bad) {
    await assert.rejects(() => start(options), (error) => {
      assert.ok(error instanceof InvalidInputError);
      assert.match(error.message, /^Cannot serve wss: /);
      return true;
    });
  }
});

Deno.test("address that cannot be listened on is an error with a remedy", async () => {
  await using server = await start();
  await assert.rejects(() => start({ port: server.address.port }), (error) => {
    assert.ok(error instanceof ParlanceError);
    assert.match(error.message, /^Cannot listen on 127\.0\.0\.1:\d+: the port is in use; .*--port/);
    return true;
  });
  await assert.rejects(
    () => start({ hostname: "192.0.2.1" }),
    /does not have that address.*--host/,
  );
});

Deno.test({
  name: "server on IPv6 shows public addresses in brackets",
  ignore: !hasIpv6(),
  async fn() {
    await using server = await start({ hostname: "::1" });
    assert.match(server.url, /^ws:\/\/\[::1\]:\d+$/);
    using client = await RawWebSocket.dial(server.url);
    await client.sendText(registration("alice"));
    assert.equal((await client.readJson()).public_addr, "[::1]:54321");
  },
});

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

/** Lets the event loop turn until `condition` holds; the test's own time limit is 10 s. */
async function until(condition: () => boolean): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  while (!condition()) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
