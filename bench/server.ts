/**
 * The bootstrap server under version 1 clients that poll: bytes and processor time, messages per
 * second, memory per connection, against the original's figures. Linux only; takes about a minute.
 *
 *     deno run -A bench/server.ts
 *
 * @module
 */
import { BenchProcess } from "./support/process.ts";
import { clientFrame, Opcode, RawWebSocket } from "./support/raw_web_socket.ts";

/** The original's server, on a machine with two shared cores. */
const ORIGINAL = { clients: 2000, megabytesPerSecond: 121, cpu: 0.71, bytesPerConnection: 12_000 };
const SECONDS = 15;

const server = (...extra: string[]) =>
  new BenchProcess([
    ...extra,
    "bootstrap_server.ts",
    "--host=127.0.0.1",
    "--port=0",
    "--log-level=warning",
    "--max-connections-per-address=5000",
    "--max-messages-per-second=100000",
    "--max-message-burst=100000",
    "--max-idle-seconds=3600",
  ]);
const urlOf = async (process: BenchProcess) => /ws:\/\/\S+/.exec(await process.line())![0];
const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function polling(clients: number): Promise<void> {
  await using process = server();
  const url = await urlOf(process);
  await using swarm = new BenchProcess([
    "bench/support/polling_clients.ts",
    url,
    `${clients}`,
    "5000",
  ]);
  await swarm.line();
  await sleep(1);
  const before = { ...JSON.parse(await swarm.ask()), cpu: process.cpuSeconds(), at: Date.now() };
  await sleep(SECONDS);
  const after = { ...JSON.parse(await swarm.ask()), cpu: process.cpuSeconds(), at: Date.now() };
  const seconds = (after.at - before.at) / 1000;
  const megabytes = (after.bytes - before.bytes) / seconds / 1e6;
  const cpu = (after.cpu - before.cpu) / seconds;
  console.log(
    `${clients} polling clients: ${megabytes.toFixed(1)} MB/s, ` +
      `${((after.frames - before.frames) / seconds).toFixed(0)} answers/s, ` +
      `${(cpu * 100).toFixed(1)} % of a core, ${(process.residentBytes() / 1e6).toFixed(0)} MB` +
      (after.ended > 0 ? `, ${after.ended} clients LOST` : ""),
  );
  if (clients !== ORIGINAL.clients) return;
  console.log(
    `  original: ${ORIGINAL.megabytesPerSecond} MB/s, ${ORIGINAL.cpu * 100} %; ratio: ` +
      `${(megabytes / ORIGINAL.megabytesPerSecond).toFixed(2)} of its bytes, ` +
      `${(cpu / ORIGINAL.cpu).toFixed(2)} of its processor time`,
  );
}

/** Few peers, so that what is measured is the message and not the list. */
async function messages(): Promise<void> {
  await using process = server();
  const url = await urlOf(process);
  const sockets = await Promise.all(Array.from({ length: 4 }, () => RawWebSocket.dial(url)));
  try {
    for (const [index, socket] of sockets.entries()) {
      await socket.sendText(
        `{"type":"register","nickname":"peer-${index}","local_addr":"0.0.0.0:${20000 + index}"}`,
      );
      await socket.readFrame();
    }
    const one = clientFrame(Opcode.text, '{"type":"list_peers"}');
    const batch = new Uint8Array(one.length * 100);
    for (let index = 0; index < 100; index++) batch.set(one, index * one.length);
    const end = performance.now() + 5000;
    const start = performance.now();
    const cpu = process.cpuSeconds();
    let answered = 0;
    await Promise.all(sockets.map(async (socket) => {
      while (performance.now() < end) {
        await socket.sendBytes(batch);
        for (let index = 0; index < 100; index++) await socket.readFrame();
        answered += 100;
      }
    }));
    const seconds = (performance.now() - start) / 1000;
    console.log(
      `lists of 4 peers: ${(answered / seconds).toFixed(0)} messages/s, ` +
        `${((process.cpuSeconds() - cpu) / seconds * 100).toFixed(0)} % of a core`,
    );
  } finally {
    for (const socket of sockets) socket[Symbol.dispose]();
  }
}

async function memory(): Promise<void> {
  await using process = server();
  const url = await urlOf(process);
  const swarm = (clients: number) =>
    new BenchProcess(["bench/support/polling_clients.ts", url, `${clients}`, "1000", "idle"]);
  {
    await using warmUp = swarm(100); // what is loaded and compiled once is not a connection's
    await warmUp.line();
  }
  await sleep(1);
  const before = process.residentBytes();
  await using thousand = swarm(1000);
  await thousand.line();
  await sleep(2);
  const each = (process.residentBytes() - before) / 1000;
  console.log(
    `1000 idle connections: ${(each / 1000).toFixed(1)} KB each ` +
      `(original: ${ORIGINAL.bytesPerConnection / 1000} KB; ratio ` +
      `${(each / ORIGINAL.bytesPerConnection).toFixed(2)})`,
  );
}

/** All of it, one after the other, so that nothing shares the machine. */
export async function benchServer(): Promise<void> {
  await memory();
  await messages();
  await polling(500);
  await polling(2000);
}

if (import.meta.main) await benchServer();
