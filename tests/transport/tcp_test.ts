import { setTimeout } from "node:timers/promises";
import type { Stream } from "../../lib/transport/stream.ts";
import { tcpTransport } from "../../lib/transport/tcp.ts";
import { testStreams } from "./stream_compliance.ts";

testStreams("TCP", async () => {
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const refused = { hostname: "127.0.0.1", port: free.addr.port };
  free.close();
  return {
    near: tcpTransport,
    far: tcpTransport,
    address: { hostname: "127.0.0.1", port: 0 },
    refused,
    ...await fullListener(),
    settle: () => setTimeout(50), // the kernel does not say when its buffers are full
  };
});

/** A listener that accepts nothing and whose queue is full: the kernel lets who dials it wait. */
async function fullListener() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const silent = { hostname: "127.0.0.1", port: listener.addr.port };
  const waiting: Stream[] = [];
  // The kernel takes one connection more than was asked for.
  for (let count = 0; count < 2; count++) {
    waiting.push(await tcpTransport.dial(silent, new AbortController().signal));
  }
  return {
    silent,
    [Symbol.asyncDispose]() {
      for (const stream of waiting) stream.close();
      listener.close();
      return Promise.resolve();
    },
  };
}
