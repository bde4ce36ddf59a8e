/**
 * A client without an identity, which sends and hears plain text only: the way of version 1 peers
 * through the same program, to compare sessions with.
 *
 *     deno run -A bench/support/plain_client.ts NICKNAME
 *
 * @module
 */
import { systemClock } from "../../lib/base/clock.ts";
import { defaultNodeOptions, Node } from "../../lib/node.ts";
import { runJsonInterface } from "../../lib/ui/json.ts";
import { Output } from "../../lib/ui/output.ts";

const stop = new AbortController();
Deno.addSignalListener("SIGTERM", () => stop.abort());
const [nickname] = Deno.args;
await using node = await Node.start({
  ...defaultNodeOptions,
  nickname,
  interfaces: ["127.0.0.1"],
});
await runJsonInterface({
  clock: systemClock,
  node,
  version: "bench",
  read: (buffer) => Deno.stdin.read(buffer as Uint8Array<ArrayBuffer>),
  output: new Output((bytes) => Deno.stdout.write(bytes as Uint8Array<ArrayBuffer>)),
  signal: stop.signal,
});
await node[Symbol.asyncDispose]();
Deno.exit(0);
