/**
 * A process of simulated version 1 clients of a bootstrap server: each registers, asks for the list
 * at once and every 5 s, and sends a heartbeat every 10 s. Frames are counted, not looked into.
 *
 *     deno run -A bench/support/polling_clients.ts URL COUNT SPREAD_MS [idle]
 *
 * The clients start evenly over SPREAD_MS, so that their polls are spread, too. Prints `ready` when
 * all are registered; then answers each line on standard input with its counters as JSON. With
 * `idle`, the clients register and are silent. Ends with its input.
 *
 * @module
 */
import { clientFrame, dialUpgraded, Opcode, readHead, writeAll } from "./raw_web_socket.ts";

const [url, count, spreadMs, idle] = Deno.args;
const counters = { clients: 0, bytes: 0, frames: 0, ended: 0 };
const list = clientFrame(Opcode.text, '{"type":"list_peers"}');
const heartbeat = clientFrame(Opcode.text, '{"type":"heartbeat"}');
const pong = clientFrame(Opcode.pong, "");
const BUFFER_BYTES = idle === undefined ? 32 * 1024 : 1024;

async function client(index: number): Promise<void> {
  const { conn, rest } = await dialUpgraded(new URL(url));
  const timers: ReturnType<typeof setInterval>[] = [];
  const send = (frame: Uint8Array) => void writeAll(conn, frame).catch(() => {});
  const register = JSON.stringify({
    type: "register",
    nickname: `peer-${index}`,
    local_addr: `0.0.0.0:${20000 + index}`,
  });
  send(clientFrame(Opcode.text, register));
  if (idle === undefined) {
    send(list);
    timers.push(setInterval(() => send(list), 5000), setInterval(() => send(heartbeat), 10_000));
  }
  counters.clients++;
  try {
    await countFrames(conn, rest, () => send(pong));
  } finally {
    for (const timer of timers) clearInterval(timer);
    counters.ended++;
    conn.close();
  }
}

async function countFrames(conn: Deno.Conn, rest: Uint8Array, onPing: () => void): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  let head = rest; // the beginning of a frame, until its length is known
  let body = 0; // bytes of the current frame still to come
  for (;;) {
    const size = await conn.read(buffer);
    if (size === null) return;
    counters.bytes += size;
    let at = 0;
    let bytes: Uint8Array = buffer.subarray(0, size);
    if (body >= size) {
      body -= size;
      continue;
    }
    at = body;
    body = 0;
    if (head.length > 0) {
      bytes = new Uint8Array([...head, ...bytes]);
      head = head.subarray(0, 0);
    }
    while (at < bytes.length) {
      const frame = readHead(bytes, at);
      if (frame === undefined) {
        head = bytes.slice(at);
        break;
      }
      counters.frames++;
      if (frame.opcode === Opcode.ping) onPing();
      at += frame.size + frame.length;
    }
    if (at > bytes.length) body = at - bytes.length;
  }
}

const total = Number(count);
const startedAt = performance.now();
for (let index = 0; index < total; index++) {
  client(index).catch(() => {});
  const wait = startedAt + Number(spreadMs) * (index + 1) / total - performance.now();
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
}
const deadline = performance.now() + 10_000;
while (counters.clients < total && performance.now() < deadline) {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
console.log("ready");
for await (const _ of Deno.stdin.readable) console.log(JSON.stringify(counters));
Deno.exit();
