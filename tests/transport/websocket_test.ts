import assert from "node:assert/strict";
import type { TextChannel } from "../../lib/transport/text_channel.ts";
import { dialWebSocket } from "../../lib/transport/websocket.ts";

const never = new AbortController().signal;

interface Served extends AsyncDisposable {
  readonly url: string;
  /** How the client closed the connection. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** A WebSocket server on the loopback address that does `onOpen` with each connection. */
function serve(onOpen: (socket: WebSocket) => void): Served {
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onopen = () => onOpen(socket);
    socket.onclose = ({ code, reason }) => closed.resolve({ code, reason });
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}`,
    closed: closed.promise,
    async [Symbol.asyncDispose]() {
      await server.shutdown();
    },
  };
}

/** What a channel carries until it ends, and the message of the error that ended it. */
async function drain(channel: TextChannel): Promise<{ texts: string[]; failure?: string }> {
  const texts: string[] = [];
  try {
    for await (const text of channel.messages) texts.push(text);
  } catch (error) {
    return { texts, failure: (error as Error).message };
  }
  return { texts };
}

Deno.test("WebSocket channel carries texts both ways, in order", async () => {
  await using server = serve((socket) => {
    let count = 0;
    socket.onmessage = ({ data }) => {
      socket.send(`${data}!`);
      if (++count === 3) socket.close(1000);
    };
  });
  await using channel = await dialWebSocket(server.url, never);
  for (const text of ["a", "ü", ""]) channel.send(text);
  assert.deepEqual(await drain(channel), { texts: ["a!", "ü!", "!"] });
  channel.send("lost, because the connection has ended");
});

Deno.test("WebSocket channel fails on a binary frame, after the texts before it", async () => {
  await using server = serve((socket) => {
    socket.send("first");
    socket.send(new Uint8Array([1, 2, 3]));
    socket.send(new Uint8Array([4, 5, 6]));
    socket.send("never read");
  });
  await using channel = await dialWebSocket(server.url, never);
  assert.deepEqual(await drain(channel), {
    texts: ["first"],
    failure: "the server sent a binary frame",
  });
  assert.deepEqual(await server.closed, { code: 4008, reason: "the server sent a binary frame" });
});

Deno.test("WebSocket channel fails on a text above its limit", async () => {
  await using server = serve((socket) => socket.send("x".repeat(8 * 1024 * 1024 + 1)));
  await using channel = await dialWebSocket(server.url, never);
  assert.deepEqual(await drain(channel), {
    texts: [],
    failure: "the server sent over 8388608 characters",
  });
});

Deno.test("WebSocket channel takes texts that wait only up to a number", async () => {
  await using server = serve((socket) => {
    for (let index = 0; index < 1000; index++) socket.send(String(index));
  });
  await using channel = await dialWebSocket(server.url, never);
  assert.deepEqual(await server.closed, { code: 4008, reason: "the server sends too fast" });
  const { texts, failure } = await drain(channel);
  assert.deepEqual(texts, Array.from({ length: 64 }, (_, index) => String(index)));
  assert.equal(failure, "the server sends too fast");
});

Deno.test("WebSocket channel takes texts that wait only up to a size", async () => {
  await using server = serve((socket) => {
    for (let index = 0; index < 6; index++) socket.send("x".repeat(4 * 1024 * 1024));
  });
  await using channel = await dialWebSocket(server.url, never);
  assert.deepEqual(await server.closed, { code: 4008, reason: "the server sends too fast" });
  const { texts, failure } = await drain(channel);
  assert.equal(texts.length, 4);
  assert.equal(failure, "the server sends too fast");
});

Deno.test("WebSocket channel that is read takes any number of texts", async () => {
  const text = "x".repeat(4 * 1024 * 1024);
  await using server = serve((socket) => {
    let left = 8;
    socket.onmessage = () => left-- > 0 ? socket.send(text) : socket.close();
  });
  await using channel = await dialWebSocket(server.url, never);
  channel.send("next");
  let count = 0;
  for await (const { length } of channel.messages) {
    assert.equal(length, text.length);
    count++;
    channel.send("next");
  }
  assert.equal(count, 8);
});

for (const code of [1000, 1001, undefined]) {
  Deno.test(`WebSocket channel ends without an error on close code ${code}`, async () => {
    await using server = serve((socket) => code ? socket.close(code, "bye") : socket.close());
    await using channel = await dialWebSocket(server.url, never);
    assert.deepEqual(await drain(channel), { texts: [] });
  });
}

for (const [code, reason] of [[1008, "Too many messages"], [1013, "Server is full"], [4000, ""]]) {
  Deno.test(`WebSocket channel tells close code ${code} and its reason`, async () => {
    await using server = serve((socket) => socket.close(code as number, reason as string));
    await using channel = await dialWebSocket(server.url, never);
    assert.deepEqual(await drain(channel), {
      texts: [],
      failure: `connection closed with code ${code}${reason && ` (${reason})`}`,
    });
  });
}

Deno.test("WebSocket channel says goodbye with code 1000 when it is disposed, twice as well", async () => {
  await using server = serve(() => {});
  const channel = await dialWebSocket(server.url, never);
  await Promise.all([channel[Symbol.asyncDispose](), channel[Symbol.asyncDispose]()]);
  await channel[Symbol.asyncDispose]();
  assert.equal((await server.closed).code, 1000);
  assert.deepEqual(await drain(channel), { texts: [] });
});

Deno.test("dialling a WebSocket fails where nobody listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await assert.rejects(dialWebSocket(`ws://127.0.0.1:${port}`, never), /connect/);
});

Deno.test("dialling a WebSocket fails where something else answers", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("no WebSocket here"),
  );
  await assert.rejects(dialWebSocket(`ws://127.0.0.1:${server.addr.port}`, never));
  await server.shutdown();
});

Deno.test("dialling a WebSocket that was given up before leaves nothing behind", async () => {
  const reason = new Error("enough");
  await assert.rejects(dialWebSocket("ws://127.0.0.1:1", AbortSignal.abort(reason)), reason);
});

Deno.test("dialling a WebSocket that is given up closes the connection", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const attempt = new AbortController();
  const reason = new Error("enough");
  const dialled = dialWebSocket(`ws://127.0.0.1:${listener.addr.port}`, attempt.signal);
  using connection = await listener.accept();
  const buffer = new Uint8Array(4096);
  await connection.read(buffer); // the request, which nobody answers
  attempt.abort(reason);
  await assert.rejects(dialled, reason);
  assert.equal(await connection.read(buffer), null);
});
