/**
 * Many peers that announce themselves as those of version 1 do: every 5 s, each at a moment of its
 * own, and never in answer to anybody. Prints `ready` at once. Ends with its input.
 *
 *     deno run -A bench/support/v1_peers.ts COUNT PREFIX
 *
 * @module
 */
import { encodeDatagram, MULTICAST_GROUP, MULTICAST_PORT } from "../../lib/wire/announce.ts";

/** `peer.announce_interval_secs` of version 1 (section 1). */
const INTERVAL_MS = 5000;

const [count, prefix] = Deno.args;
const loopback = "127.0.0.1";
const group = { transport: "udp", hostname: MULTICAST_GROUP, port: MULTICAST_PORT } as const;
const socket = Deno.listenDatagram({ transport: "udp", hostname: loopback, port: 0 });
const peers = Array.from({ length: Number(count) }, (_, index) => {
  // Nobody connects; the port is held so that it is this peer's and nobody else's.
  const { addr } = Deno.listen({ hostname: loopback, port: 0 });
  const nickname = `${prefix}${index}`;
  return encodeDatagram({
    type: "announce",
    nickname,
    tcpPort: addr.port,
    version: 1,
    ask: false,
  });
});

let next = 0;
setInterval(
  () => void socket.send(peers[next++ % peers.length], group),
  INTERVAL_MS / peers.length,
);
console.log("ready");
for await (const _ of Deno.stdin.readable);
Deno.exit();
