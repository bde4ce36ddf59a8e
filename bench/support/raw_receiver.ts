/**
 * Accepts connections and counts the lines on them, with nothing of the project in between: what
 * the runtime's sockets can do at best. Prints its port, then `received COUNT` each time that many
 * more lines have come. Ends with its input.
 *
 *     deno run -A bench/support/raw_receiver.ts COUNT
 *
 * @module
 */
const NEWLINE = 0x0a;
const expected = Number(Deno.args[0]);
let missing = expected;

async function count(connection: Deno.TcpConn): Promise<void> {
  using _connection = connection;
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const size = await connection.read(buffer);
    if (size === null) return;
    const bytes = buffer.subarray(0, size);
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) {
      if (--missing > 0) continue;
      missing = expected;
      console.log(`received ${expected}`);
    }
  }
}

async function accept(listener: Deno.TcpListener): Promise<void> {
  for await (const connection of listener) void count(connection);
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(listener.addr.port);
void accept(listener);
for await (const _ of Deno.stdin.readable);
Deno.exit();
