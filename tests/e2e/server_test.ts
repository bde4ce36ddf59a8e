import assert from "node:assert/strict";
import type { Child } from "../support/child.ts";
import { startServer } from "../support/program.ts";
import { V1BootstrapClient, type V1BootstrapClientEvent } from "../support/v1_bootstrap_client.ts";

/** Starts the server on the loopback address and tells where it is. */
async function start(...more: string[]): Promise<{ server: Child; url: string; http: string }> {
  const server = startServer({ args: ["--host", "127.0.0.1", "--port", "0", ...more] });
  const url = /wss?:\/\/127\.0\.0\.1:\d+/.exec(await server.waitForText(/wss?:\/\/\S+:\d+/))![0];
  return { server, url, http: url.replace(/^ws/, "http") };
}

/** The next event of a client that matches, waited for without looking again and again. */
function observer() {
  const seen: V1BootstrapClientEvent[] = [];
  let wake = () => {};
  return {
    seen,
    observe(event: V1BootstrapClientEvent): void {
      seen.push(event);
      wake();
    },
    async until(wanted: (event: V1BootstrapClientEvent) => boolean): Promise<void> {
      const signal = AbortSignal.timeout(30_000);
      while (!seen.some(wanted)) {
        await new Promise<void>((resolve, reject) => {
          wake = resolve;
          signal.onabort = () => reject(new Error(`Nothing such among ${JSON.stringify(seen)}`));
        });
      }
    },
  };
}

/** A frame, or how the connection was closed. */
type Answer = Record<string, unknown> & { type: string };

/** Opens a WebSocket whose answers are read one by one. */
async function connect(url: string) {
  const socket = new WebSocket(url);
  const answers: Answer[] = [];
  let wake = () => {};
  socket.onmessage = ({ data }) => {
    answers.push(JSON.parse(data));
    wake();
  };
  socket.onclose = ({ code, reason }) => {
    answers.push({ type: "closed", code, reason });
    wake();
  };
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`Cannot connect to ${url}`));
  });
  socket.onerror = (event) => event.preventDefault();
  return {
    send: (value: unknown) =>
      socket.send(typeof value === "string" ? value : JSON.stringify(value)),
    sendBytes: (bytes: Uint8Array<ArrayBuffer>) => socket.send(bytes),
    async next(): Promise<Answer> {
      while (answers.length === 0) await new Promise<void>((resolve) => wake = resolve);
      return answers.shift()!;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      if (socket.readyState === WebSocket.CLOSED) return;
      socket.close();
      while (answers.at(-1)?.type !== "closed") {
        await new Promise<void>((resolve) => wake = resolve);
      }
    },
  };
}

function register(nickname: string, local_addr = "0.0.0.0:54321") {
  return { type: "register", nickname, local_addr };
}

Deno.test("the server registers, lists, and answers as version 1 says", async () => {
  const { server, url } = await start();
  await using _ = server;
  await using alice = await connect(url);
  alice.send({ type: "heartbeat" });
  assert.deepEqual(await alice.next(), { type: "error", message: "Not registered" });
  alice.send({ type: "unregister" });
  assert.deepEqual(await alice.next(), { type: "error", message: "Not registered" });
  alice.send(register("alice"));
  const registered = await alice.next();
  assert.equal(registered.type, "registered");
  assert.equal(registered.public_addr, "127.0.0.1:54321");
  assert.match(
    String(registered.peer_id),
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  alice.send({ type: "heartbeat", unknown: 1 });
  alice.send({ type: "list_peers" });
  const list = await alice.next();
  const [{ last_seen, ...entry }, ...others] = list.peers as Record<string, unknown>[];
  assert.deepEqual(others, []);
  assert.deepEqual(entry, {
    peer_id: registered.peer_id,
    nickname: "alice",
    public_addr: "127.0.0.1:54321",
    local_addr: "0.0.0.0:54321",
  });
  assert.ok(Math.abs((last_seen as number) - Date.now() / 1000) < 60);
  alice.send({ type: "unregister" });
  alice.send({ type: "list_peers" });
  assert.deepEqual(await alice.next(), { type: "peer_list", peers: [] });
});

Deno.test("a second registration on one connection makes a second entry", async () => {
  const { server, url } = await start();
  await using _ = server;
  await using watcher = await connect(url);
  {
    await using alice = await connect(`${url}/any/path?at=all`);
    alice.send(register("alice"));
    alice.send(register("alice"));
    const ids = [(await alice.next()).peer_id, (await alice.next()).peer_id];
    assert.notEqual(ids[0], ids[1]);
    watcher.send({ type: "list_peers" });
    const { peers } = await watcher.next();
    assert.deepEqual((peers as { peer_id: string }[]).map((peer) => peer.peer_id), ids);
  }
  // The close was answered, but the server may drop the peers a moment later.
  for (let attempt = 0; attempt < 100; attempt++) {
    watcher.send({ type: "list_peers" });
    const { peers } = await watcher.next();
    if ((peers as unknown[]).length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 250)); // within the limit of messages
  }
  assert.fail("a closed connection drops its peers");
});

Deno.test("an address that is none is replaced by the one that the server sees", async () => {
  const { server, url } = await start();
  await using _ = server;
  await using alice = await connect(url);
  alice.send(register("alice", "nowhere"));
  const { type, public_addr } = await alice.next();
  assert.equal(type, "registered");
  assert.match(String(public_addr), /^127\.0\.0\.1:\d+$/);
});

Deno.test("bad frames get an error, and the connection and the others go on", async () => {
  const { server, url } = await start();
  await using _ = server;
  await using bystander = await connect(url);
  bystander.send(register("bystander"));
  await bystander.next();
  await using alice = await connect(url);
  const bad = [
    "",
    "nonsense",
    "[]",
    "null",
    "[".repeat(2000),
    "{}",
    { type: "explode" },
    { type: 7 },
    { type: "register" },
    { type: "register", nickname: 7, local_addr: "0.0.0.0:1" },
    { type: "register", nickname: "alice", local_addr: {} },
  ];
  for (const frame of bad) {
    alice.send(frame);
    const { type, message } = await alice.next();
    assert.equal(type, "error", JSON.stringify(frame));
    assert.match(String(message), /^Invalid message format: /);
  }
  alice.send(register("alice"));
  assert.equal((await alice.next()).type, "registered");
  bystander.send({ type: "list_peers" });
  assert.equal((await bystander.next()).type, "peer_list");
});

for (const nickname of ["", " ", "a\nb", "a\u001bb", "a\u009bb", "x".repeat(33)]) {
  Deno.test(`the server refuses the nickname ${JSON.stringify(nickname)}`, async () => {
    const { server, url } = await start();
    await using _ = server;
    await using alice = await connect(url);
    alice.send(register(nickname));
    assert.equal((await alice.next()).type, "error");
    await using watcher = await connect(url);
    watcher.send({ type: "list_peers" });
    assert.deepEqual((await watcher.next()).peers, []);
  });
}

Deno.test("binary frames, huge frames and floods are refused and cost nobody else", async () => {
  const { server, url } = await start();
  await using _ = server;
  await using bystander = await connect(url);
  bystander.send(register("bystander"));
  await bystander.next();

  const attacks: [name: string, attack: (socket: Awaited<ReturnType<typeof connect>>) => void][] = [
    ["binary", (socket) => socket.sendBytes(new Uint8Array([1, 2, 3]))],
    ["1 MB of text", (socket) => socket.send("x".repeat(1_000_000))],
    ["1 MB of binary", (socket) => socket.sendBytes(new Uint8Array(1_000_000))],
    ["flood", (socket) => {
      for (let index = 0; index < 1000; index++) socket.send({ type: "list_peers" });
    }],
  ];
  for (const [name, attack] of attacks) {
    await using hostile = await connect(url);
    attack(hostile);
    let answer = await hostile.next();
    while (answer.type === "peer_list") answer = await hostile.next();
    // What is said to a sender that does not listen can be lost when its connection is closed.
    const expected = name === "flood" ? /^(error|closed)$/ : /^error$/;
    assert.match(answer.type, expected, `${name}: ${JSON.stringify(answer)}`);
    bystander.send({ type: "list_peers" });
    assert.equal(((await bystander.next()).peers as unknown[]).length, 1, name);
  }
});

Deno.test("a host gets no more connections than its share", async () => {
  const { server, url } = await start("--max-connections-per-address", "3");
  await using _ = server;
  await using _first = await connect(url);
  await using _second = await connect(url);
  await using third = await connect(url);
  third.send(register("third"));
  assert.equal((await third.next()).type, "registered");
  await assert.rejects(async () => {
    await using fourth = await connect(url);
    const answer = await fourth.next();
    if (answer.type === "error" || answer.type === "closed") throw new Error("refused");
  });
  third.send({ type: "list_peers" });
  assert.equal((await third.next()).type, "peer_list");
});

Deno.test("the server tells HTTP clients how it is and what it is", async () => {
  const { server, url, http } = await start();
  await using _ = server;
  await using alice = await connect(url);
  alice.send(register("alice"));
  await alice.next();
  const health = await fetch(`${http}/healthz`);
  assert.equal(health.status, 200);
  assert.match(await health.text(), /\b1\b/);
  const page = await fetch(`${http}/`);
  assert.match(await page.text(), /Parlance/);
});

Deno.test("version 1 clients are served, and learn of each other", async () => {
  const { server, url } = await start();
  await using _ = server;
  const [one, two] = [observer(), observer()];
  const quick = { url, listIntervalMs: 500, heartbeatIntervalMs: 500 };
  await using alice = new V1BootstrapClient({ nickname: "alice", ...quick }, one.observe);
  await using bob = new V1BootstrapClient({ nickname: "bob", ...quick }, two.observe);
  await one.until((event) => event.event === "peer_up" && event.nickname === "bob");
  await two.until((event) => event.event === "peer_up" && event.nickname === "alice");
  await alice.send("bob", "hi");
  await two.until((event) => event.event === "message" && event.content === "hi");
  assert.deepEqual(bob.peers().map(({ nickname }) => nickname), ["alice"]);
  const wrong = [...one.seen, ...two.seen].filter(({ event }) =>
    event === "refused" || event === "server_error"
  );
  assert.deepEqual(wrong, []);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`the server closes politely on ${signal}`, async () => {
    const { server, url } = await start();
    await using _ = server;
    await using alice = await connect(url);
    server.kill(signal);
    const { type, code } = await alice.next();
    assert.equal(type, "closed");
    assert.equal(code, 1001);
    assert.equal((await server.exited()).code, 0);
  });
}

const badOptions: [args: string[], ...named: string[]][] = [
  [["--prot", "1"], "--prot", "--port"],
  [["--port", "70000"], "--port", "70000", "65535"],
  [["--port", "x"], "--port", "'x'", "65535"],
  [["--port"], "--port"],
  [["--cert", "x.pem"], "--cert", "--key"],
  [["--key", "x.pem"], "--key", "--cert"],
  [["--cert", "missing.pem", "--key", "missing.pem"], "missing.pem"],
  [["--log-level", "loud"], "--log-level", "loud", "debug"],
  [["surplus"], "surplus"],
];
for (const [args, ...named] of badOptions) {
  Deno.test(`the server refuses ${args.join(" ")} in one line, with status 2`, async () => {
    await using server = startServer({ args });
    assert.equal((await server.exited()).code, 2);
    assert.equal(server.stdout, "");
    assert.match(server.stderr, /^[^\n]+\n$/);
    for (const word of named) assert.ok(server.stderr.includes(word), server.stderr);
  });
}

Deno.test("the server says which port is taken", async () => {
  const { server, url } = await start();
  await using _ = server;
  const port = new URL(url).port;
  await using second = startServer({ args: ["--host", "127.0.0.1", "--port", port] });
  const { code } = await second.exited();
  assert.notEqual(code, 0);
  assert.ok(second.stderr.includes(port), second.stderr);
});
