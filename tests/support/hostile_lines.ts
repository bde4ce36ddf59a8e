const encoder = new TextEncoder();

/** A line of version 1; anything can be put into it. */
export function line(fields: Record<string, unknown>): string {
  return JSON.stringify({ from: "mallory", content: "bad", timestamp: 1_700_000_000, ...fields }) +
    "\n";
}

/** Bytes that every peer must refuse without losing the good line that follows on the connection. */
export function badLines(): [cause: string, bytes: Uint8Array][] {
  const text = (value: string) => encoder.encode(value);
  const raw = (timestamp: string) =>
    text(`{"from":"mallory","content":"bad","timestamp":${timestamp}}\n`);
  return [
    ["an empty line", text("\n")],
    ["a NUL", text('{"from":"mallory","content":"b\0d","timestamp":1700000000}\n')],
    ["only NULs", text("\0\0\0\0\n")],
    ["not UTF-8", new Uint8Array([...text('{"from":"mallory","content":"'), 0xc3, 0x28, 0x0a])],
    ["invalid JSON", text('{"from":"mallory","content":"bad","timestamp":17\n')],
    ["an array", text('["mallory","bad",1700000000]\n')],
    ["null", text("null\n")],
    ["deep nesting", text("[".repeat(200_000) + "\n")],
    ["no from", text(line({ from: undefined }))],
    ["no content", text(line({ content: undefined }))],
    ["no timestamp", text(line({ timestamp: undefined }))],
    ["wrong type of from", text(line({ from: 7 }))],
    ["wrong type of content", text(line({ content: { bad: true } }))],
    ["wrong type of timestamp", text(line({ timestamp: "1700000000" }))],
    ["negative timestamp", raw("-1")],
    ["enormous timestamp", raw("18446744073709551615")],
    ["boundless timestamp", raw("1e308")],
    ["fraction of a second", raw("1700000000.5")],
    ["from of 33 bytes", text(line({ from: "m".repeat(33) }))],
    ["escape in from", text(line({ from: "mal\u001b]52;c;aGk=\u0007lory" }))],
    ["content above the limit", text(line({ content: "x".repeat(70_000) }))],
    ["10 MB without a newline, then one", encoder.encode("x".repeat(10_000_000) + "\n")],
  ];
}

/** Writes all bytes. Throws when the other side has closed. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Sends each bad line and a good one after it, each pair on a connection of its own. */
export async function sendBadLines(to: Deno.ConnectOptions): Promise<string[]> {
  const causes: string[] = [];
  for (const [cause, bytes] of badLines()) {
    const connection = await Deno.connect(to);
    try {
      await writeAll(connection, bytes);
      await writeAll(connection, encoder.encode(line({ from: "good", content: `after ${cause}` })));
    } catch {
      // Being cut off is an answer, too.
    }
    connection.close();
    causes.push(cause);
  }
  return causes;
}

/** Sends a line whose characters are cut in their middle, in parts that arrive one by one. */
export async function sendInParts(to: Deno.ConnectOptions, content: string): Promise<void> {
  const connection = await Deno.connect(to);
  connection.setNoDelay(true);
  for (const byte of encoder.encode(line({ from: "good", content }))) {
    await writeAll(connection, new Uint8Array([byte]));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  connection.close();
}

/** Opens connections that say nothing. Those that are refused or closed at once are left out. */
export async function openIdle(to: Deno.ConnectOptions, count: number): Promise<Deno.Conn[]> {
  const open: Deno.Conn[] = [];
  for (let index = 0; index < count; index++) {
    try {
      open.push(await Deno.connect(to));
    } catch {
      // Refused: that is allowed.
    }
  }
  return open;
}

/** Starts a line and goes on with one byte a second, for ever or until it is cut off. */
export async function trickle(to: Deno.ConnectOptions): Promise<void> {
  const connection = await Deno.connect(to);
  try {
    await writeAll(connection, encoder.encode('{"from":"mallory","content":"'));
    while (true) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await writeAll(connection, encoder.encode("x"));
    }
  } catch {
    connection.close();
  }
}
