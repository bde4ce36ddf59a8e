/**
 * A version 1 peer as a process, so that it can live on another host: its options come as JSON in
 * the first argument, what it notices goes to standard output, `send` and `peers` come in.
 *
 * @module
 */

import { driven, print } from "./driven.ts";
import { V1Peer } from "./v1_peer.ts";

const peer = await V1Peer.start(JSON.parse(Deno.args[0]), print);
print({ event: "ready", tcp_port: peer.tcpPort });
await driven(async ({ command, to, content }) => {
  if (command === "peers") return print({ event: "peers", peers: peer.peers() });
  await peer.send(String(to), String(content));
  print({ event: "sent", to });
});
await peer[Symbol.asyncDispose]();
Deno.exit(0);
