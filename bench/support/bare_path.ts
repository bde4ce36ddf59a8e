/**
 * Copies standard input to a connection, or a connection to standard output: the path of a message
 * with nothing of the project on it.
 *
 *     deno run -A bench/support/bare_path.ts receive      prints its port first
 *     deno run -A bench/support/bare_path.ts send PORT
 *
 * Ends with its input.
 *
 * @module
 */
const [direction, port] = Deno.args;
const buffer = new Uint8Array(64 * 1024);

async function copy(
  from: { read(into: Uint8Array): Promise<number | null> },
  to: { write(bytes: Uint8Array): Promise<number> },
): Promise<void> {
  for (;;) {
    const size = await from.read(buffer);
    if (size === null) return;
    for (let at = 0; at < size;) at += await to.write(buffer.subarray(at, size));
  }
}

if (direction === "receive") {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log(listener.addr.port);
  using connection = await listener.accept();
  void copy(connection, Deno.stdout);
  for await (const _ of Deno.stdin.readable);
  Deno.exit();
} else {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  connection.setNoDelay(true);
  await copy(Deno.stdin, connection);
}
