/**
 * Sends numbered messages with bare sockets, in one of these ways:
 *
 * - `connection`: connect, write one line, close, for each message, as version 1 does;
 * - `line`: one connection, one write a message;
 * - `block`: one connection, about 64 KiB a write.
 *
 *     deno run -A bench/support/raw_sender.ts PORT NICKNAME
 *
 * Reads one object a line, `{"way","first","count"}`; prints `ready` when the bytes are made, sends
 * them when the next line comes, and prints `sent`. Ends with its input.
 *
 * @module
 */
import { inBlocks, numberedLines } from "./numbered.ts";

const [port, nickname] = Deno.args;
const address = { hostname: "127.0.0.1", port: Number(port) };
/** A message is about 150 bytes. */
const LINES_OF_64_KIB = 430;

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await connection.write(at === 0 ? bytes : bytes.subarray(at));
  }
}

async function send(way: string, blocks: readonly Uint8Array[]): Promise<void> {
  if (way === "connection") {
    for (const block of blocks) {
      using connection = await Deno.connect(address);
      await writeAll(connection, block);
    }
    return;
  }
  using connection = await Deno.connect(address);
  connection.setNoDelay(true);
  for (const block of blocks) await writeAll(connection, block);
}

let work: (() => Promise<void>) | undefined;
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  // The other side waits for the answer to each line, so that one read brings one line.
  if (work === undefined) {
    const { way, first, count } = JSON.parse(text);
    const size = way === "block" ? LINES_OF_64_KIB : 1;
    const blocks = inBlocks(numberedLines(nickname, first, count), size);
    work = () => send(way, blocks);
    console.log("ready");
  } else {
    await work();
    work = undefined;
    console.log("sent");
  }
}
