import { setTimeout } from "node:timers/promises";
import { systemClock } from "../../lib/base/clock.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { makeCertificate } from "../../lib/identity/certificate_maker.ts";
import type { Transport } from "../../lib/transport/stream.ts";
import { tcpTransport } from "../../lib/transport/tcp.ts";
import { secure, type TlsCredentials } from "../../lib/transport/tls.ts";
import { testStreams } from "./stream_compliance.ts";

const credentials: TlsCredentials = await makeCertificate(systemRandom);

function secured(inner: Transport): Transport {
  const options = { clock: systemClock, credentials, judge: () => Promise.resolve(undefined) };
  return {
    async dial(address, signal) {
      const stream = await inner.dial(address, signal);
      return await secure(stream, { ...options, role: "client", signal });
    },
    listen(address) {
      const listener = inner.listen(address);
      return {
        address: listener.address,
        async accept() {
          return await secure(await listener.accept(), { ...options, role: "server" });
        },
        close: () => listener.close(),
        [Symbol.dispose]: () => listener.close(),
      };
    },
  };
}

testStreams("TLS over TCP", () => {
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const refused = { hostname: "127.0.0.1", port: free.addr.port };
  free.close();
  const silentListener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return Promise.resolve({
    near: secured(tcpTransport),
    far: secured(tcpTransport),
    address: { hostname: "127.0.0.1", port: 0 },
    refused,
    silent: { hostname: "127.0.0.1", port: silentListener.addr.port },
    settle: () => setTimeout(50),
    [Symbol.asyncDispose]() {
      silentListener.close();
      return Promise.resolve();
    },
  });
});
