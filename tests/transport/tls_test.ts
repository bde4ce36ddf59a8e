import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { systemClock } from "../../lib/base/clock.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { makeCertificate } from "../../lib/identity/certificate_maker.ts";
import type { Transport } from "../../lib/transport/stream.ts";
import { tcpTransport } from "../../lib/transport/tcp.ts";
import { secure, type TlsCredentials } from "../../lib/transport/tls.ts";
import { MemoryNetwork } from "../../lib/transport/memory.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { device } from "./devices.ts";
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

testStreams("TLS over memory", () => {
  const network = new MemoryNetwork(systemClock, systemRandom);
  const near = network.host(device("10.0.0.1"));
  const far = network.host(device("10.0.0.2"));
  const unreachable = network.host(device("10.0.0.3"));
  network.partition([near, far], [unreachable]);
  return Promise.resolve({
    near: secured(near.transport),
    far: secured(far.transport),
    address: { hostname: "10.0.0.2", port: 0 },
    refused: { hostname: "10.0.0.2", port: 9 },
    silent: { hostname: "10.0.0.3", port: 9 },
    settle: () => settle(50),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

/** The two ends of a stream in memory, on a clock that the test moves. */
async function plainPair() {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock, systemRandom);
  const listener = network.host(device("10.0.0.2")).transport
    .listen({ hostname: "0.0.0.0", port: 0 });
  const address = { hostname: "10.0.0.2", port: listener.address.port };
  const near = await network.host(device("10.0.0.1")).transport
    .dial(address, new AbortController().signal);
  return { clock, near, far: await listener.accept() };
}

for (const role of ["client", "server"] as const) {
  const judge = () => Promise.resolve(undefined);

  Deno.test(`a ${role} whose other side is silent gives up after 5 s, and closes`, async () => {
    const { clock, near, far } = await plainPair();
    let failure: unknown;
    secure(near, { clock, credentials, role, judge }).catch((error) => failure = error);
    await clock.advance(4999);
    assert.equal(failure, undefined);
    await clock.advance(1);
    assert.match(String(failure), /no TLS handshake within 5 s/);
    const buffer = new Uint8Array(64 * 1024);
    while (await far.read(buffer) !== null);
    assert.equal(clock.waiting, 0);
  });

  Deno.test(`a ${role} gives up a handshake when it is told to, and closes`, async () => {
    const { clock, near, far } = await plainPair();
    const attempt = new AbortController();
    const { signal } = attempt;
    const secured = secure(near, { clock, credentials, role, judge, signal });
    const rejected = assert.rejects(secured, /enough/);
    await settle();
    attempt.abort(new Error("enough"));
    await rejected;
    const buffer = new Uint8Array(64 * 1024);
    while (await far.read(buffer) !== null);
    assert.equal(clock.waiting, 0);
  });

  Deno.test(`a ${role} that is told to give up before it begins does so`, async () => {
    const { clock, near, far } = await plainPair();
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(secure(near, { clock, credentials, role, judge, signal }), /enough/);
    const buffer = new Uint8Array(64 * 1024);
    while (await far.read(buffer) !== null);
    await settle();
    assert.equal(clock.waiting, 0);
  });

  Deno.test(`a ${role} that is told to give up while it judges the certificate does so`, async () => {
    const { clock, near, far } = await plainPair();
    const attempt = new AbortController();
    const { signal } = attempt;
    const other = role === "client" ? "server" : "client";
    const secured = secure(near, {
      clock,
      credentials,
      role,
      judge() {
        attempt.abort(new Error("enough"));
        return judge();
      },
      signal,
    });
    const accepting = secure(far, { clock, credentials, role: other, judge });
    await assert.rejects(secured, /enough/);
    await accepting.then((stream) => stream.close(), () => {});
    assert.equal(clock.waiting, 0);
  });

  Deno.test(`a ${role} that refuses the certificate says why, and sends and takes nothing`, async () => {
    const { clock, near, far } = await plainPair();
    const other = role === "client" ? "server" : "client";
    const refusing = secure(near, {
      clock,
      credentials,
      role,
      judge: () => Promise.resolve("I do not like it"),
    });
    const accepting = secure(far, { clock, credentials, role: other, judge });
    await assert.rejects(refusing, /I do not like it/);
    const buffer = new Uint8Array(100);
    // Who is done first cannot know it yet; there is nothing to read all the same.
    await accepting.then(
      async (stream) => assert.equal(await stream.read(buffer).catch(() => null), null),
      () => {},
    );
  });
}
