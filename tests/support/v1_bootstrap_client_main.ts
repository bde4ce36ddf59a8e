/**
 * A version 1 client in internet mode as a process, so that it can live on another host: its
 * options come as JSON in the first argument, what it notices goes to standard output; `send`,
 * `peers` and `frame` come in.
 *
 * @module
 */

import { driven, print } from "./driven.ts";
import { V1BootstrapClient } from "./v1_bootstrap_client.ts";

const client = new V1BootstrapClient(JSON.parse(Deno.args[0]), print);
await driven(async ({ command, to, content, text }) => {
  if (command === "peers") return print({ event: "peers", peers: client.peers() });
  if (command === "frame") return client.sendFrame(String(text));
  await client.send(String(to), String(content));
  print({ event: "sent", to });
});
await client[Symbol.asyncDispose]();
Deno.exit(0);
