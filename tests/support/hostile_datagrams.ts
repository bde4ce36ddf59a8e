const encoder = new TextEncoder();

/** Where discovery listens. */
const TO: Deno.NetAddr = { transport: "udp", hostname: "239.255.255.250", port: 6789 };

/** An announce of version 1; anything can be put into it. */
export function announce(fields: Record<string, unknown>): Uint8Array {
  return encoder.encode(JSON.stringify({ type: "announce", ...fields }));
}

/** Datagrams that every peer must refuse, and what is wrong with each. */
export function badDatagrams(): [cause: string, bytes: Uint8Array][] {
  const nickname = "mallory";
  const tcp_port = 4444;
  const text = (value: string) => encoder.encode(value);
  return [
    ["empty", text("")],
    ["not UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ["not UTF-8 in the nickname", withByte(announce({ nickname: "mallor?", tcp_port }), 0xff)],
    ["not JSON", text('{"type":"announce",')],
    ["a NUL", text("\0")],
    ["an array", text("[]")],
    ["null", text("null")],
    ["deep nesting", text("[".repeat(8000))],
    ["a prototype", text('{"__proto__":{"type":"announce","nickname":"mallory","tcp_port":4}}')],
    ["wrong type of the type", text('{"type":1,"nickname":"mallory","tcp_port":4444}')],
    ["unknown type", text('{"type":"explode","nickname":"mallory","tcp_port":4444}')],
    ["wrong type of the nickname", announce({ nickname: ["mallory"], tcp_port })],
    ["no nickname", announce({ tcp_port })],
    ["no port", announce({ nickname })],
    ["wrong type of the port", announce({ nickname, tcp_port: "4444" })],
    ["port 0", announce({ nickname, tcp_port: 0 })],
    ["port 70000", announce({ nickname, tcp_port: 70_000 })],
    ["negative port", announce({ nickname, tcp_port: -1 })],
    ["half a port", announce({ nickname, tcp_port: 44.5 })],
    ["empty nickname", announce({ nickname: "", tcp_port })],
    ["blank nickname", announce({ nickname: "  ", tcp_port })],
    ["nickname of 33 bytes", announce({ nickname: "m".repeat(33), tcp_port })],
    ["nickname of 33 bytes in 11 characters", announce({ nickname: "中".repeat(11), tcp_port })],
    ["escape in the nickname", announce({ nickname: "mal\u001b[2Jlory", tcp_port })],
    ["newline in the nickname", announce({ nickname: "mal\nlory", tcp_port })],
    ["C1 in the nickname", announce({ nickname: "mal\u009blory", tcp_port })],
    [
      "lone surrogate in the nickname",
      text('{"type":"announce","nickname":"\\ud800x","tcp_port":4}'),
    ],
    ["60 kB", announce({ nickname, tcp_port, padding: "x".repeat(60_000) })],
  ];
}

/** Sends datagrams to the discovery group, in their order. */
export async function sendAll(datagrams: Iterable<Uint8Array>): Promise<number> {
  using socket = open("0.0.0.0");
  let count = 0;
  for (const bytes of datagrams) {
    await socket.send(bytes, TO);
    count++;
  }
  return count;
}

/**
 * Sends `perSecond` datagrams a second for some seconds from one address.
 *
 * @returns How many were sent.
 */
export async function flood(
  perSecond: number,
  seconds: number,
  make: (index: number) => Uint8Array,
  from = "0.0.0.0",
): Promise<number> {
  using socket = open(from);
  const started = performance.now();
  let sent = 0;
  while (sent < perSecond * seconds) {
    const due = Math.min(perSecond * seconds, (performance.now() - started) / 1000 * perSecond);
    while (sent < due) await socket.send(make(sent++), TO);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return sent;
}

function open(hostname: string): Deno.DatagramConn & Disposable {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0, loopback: true });
  return Object.assign(socket, { [Symbol.dispose]: () => socket.close() });
}

/** Replaces the one "?" by a byte. */
function withByte(bytes: Uint8Array, byte: number): Uint8Array {
  bytes[bytes.indexOf("?".charCodeAt(0))] = byte;
  return bytes;
}
